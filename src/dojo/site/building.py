"""Builds the book: the pages as Sphinx reads them, Sphinx in its own environment, then what is not a page."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from dojo.locks import one_at_a_time
from dojo.places import COURSE
from dojo.site import extra_pages, source
from dojo.tools import environments

BOOK = COURSE / "book"
OUT = BOOK / "_build"
SECONDS = 600
"""What a build of the book may take, and what another one waits for it."""


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


def build(out: Path = OUT, *, again: bool = True) -> Built:
    """Writes the book to out/html, one build at a time. Raises BookBroken where Sphinx warns, CannotAdd where its environment cannot be made.

    again: also when everything it is made from is as it was the last time.
    """
    environments.add("book")
    with one_at_a_time(out / ".lock", patience=SECONDS):
        return _build(out, again)


def _build(out: Path, again: bool) -> Built:
    begun = time.monotonic()
    html, stamp = out / "html", out / "made-from"
    site = source.Site.of_this_course()
    wanted = _made_from(site)
    if not again and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return _built(html, begun)
    stamp.unlink(missing_ok=True)
    shutil.rmtree(html, ignore_errors=True)
    source.write(site, out / "source")
    run_sphinx(out)
    extra_pages.write(html, site.url)
    stamp.write_text(wanted, encoding="utf-8")
    return _built(html, begun)


def _built(html: Path, begun: float) -> Built:
    files = [path for path in html.rglob("*") if path.is_file()]
    return Built(html, len(extra_pages.pages(html)), sum(path.stat().st_size for path in files), time.monotonic() - begun)


def _made_from(site: source.Site) -> str:
    """Everything a book follows from, as a hash: the course's files, its code, and where it is published."""
    digest = hashlib.sha256(f"{site.url} {site.repository}".encode())
    folders = [COURSE / name for name in ("notebooks", "exercises", "solutions", "book", "src")]
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if OUT not in path.parents and path.suffix != ".pyc":
            digest.update(path.relative_to(COURSE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def check_links(out: Path = OUT) -> None:
    """Asks every outside address that a page links to. Raises BookBroken with those that do not answer; needs the network."""
    environments.add("book")
    source.write(source.Site.of_this_course(), out / "source")
    run_sphinx(out, "linkcheck")


def run_sphinx(out: Path, builder: str = "html") -> None:
    """Sphinx over the pages in out/source, into out/BUILDER. Raises BookBroken with every warning: each is an error."""
    command = ["sphinx-build", "-b", builder, "-W", "--keep-going", "-q", "-E", "-j", str(min(2, os.cpu_count() or 1))]
    command += ["-c", str(BOOK), "-d", str(out / "doctrees"), str(out / "source"), str(out / builder)]
    done = environments.run("book", command, cwd=BOOK, seconds=SECONDS)
    if done.returncode:
        told = done.stderr.replace(f"{out / 'source'}{os.sep}", "").strip()
        raise BookBroken(f"The book was not built; Sphinx says:\n{told}")
