"""Builds the book: the pages as Sphinx reads them, Sphinx in its own environment, then what is not a page."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from dojo.places import COURSE
from dojo.site import after, source
from dojo.tools import environments

BOOK = COURSE / "book"
OUT = BOOK / "_build"


class BookBroken(RuntimeError):
    """Sphinx refused a page; the message holds its warnings."""


@dataclass(frozen=True)
class Built:
    """A built book: where, how many pages, bytes, seconds."""

    html: Path
    pages: int
    size: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.pages} pages, {self.size / 1e6:.1f} MB, {self.seconds:.0f} s: {self.html / 'index.html'}"


def build(out: Path = OUT) -> Built:
    """Writes the book to out/html. Raises BookBroken where Sphinx warns, CannotAdd where its environment cannot be made."""
    begun = time.monotonic()
    environments.add("book")
    html = out / "html"
    shutil.rmtree(html, ignore_errors=True)
    site = source.Site.of_this_course()
    source.write(site, out / "source")
    _sphinx(out)
    after.write(html, site.url)
    files = [path for path in html.rglob("*") if path.is_file()]
    return Built(html, len(after.pages(html)), sum(path.stat().st_size for path in files), time.monotonic() - begun)


def _sphinx(out: Path) -> None:
    """Sphinx over the written pages; every warning is an error, and all of them are told."""
    command = ["sphinx-build", "-b", "html", "-W", "--keep-going", "-q", "-E", "-j", str(min(2, os.cpu_count() or 1))]
    command += ["-c", str(BOOK), "-d", str(out / "doctrees"), str(out / "source"), str(out / "html")]
    done = environments.run("book", command, cwd=BOOK, seconds=600)
    if done.returncode:
        told = done.stderr.replace(f"{out / 'source'}{os.sep}", "").strip()
        raise BookBroken(f"The book was not built; Sphinx says:\n{told}")
