"""What the built book needs beside Sphinx's pages: a sitemap, robots.txt, and a 404 page that works at any depth."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

NO_READERS = ("404.html", "search.html", "genindex.html", "py-modindex.html")
"""Pages that no sitemap names."""


NAMED = {
    '<summary><span class="toctree-toggle"': '<summary aria-label="Show the pages below"><span class="toctree-toggle"',
    'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"': (
        'search-button-field search-button__button pst-js-only" title="Search"'
    ),
    'id="pst-primary-sidebar" class="': 'id="pst-primary-sidebar" role="region" aria-label="The book" class="',
}
"""What the theme leaves without a name for those who cannot see it."""


ICONS = re.compile(r"\s*<script[^>]*fontawesome\.js[^>]*></script>")
"""1.6 MB that draw icons the theme's style sheet and font draw as well."""


def pages(html: Path) -> list[str]:
    """All pages of the built book, as paths from its root."""
    return sorted(p.relative_to(html).as_posix() for p in html.rglob("*.html") if "_static" not in p.parts)


def write(html: Path, url: str) -> None:
    """Writes them. url: where the book will stand, with a slash at its end."""
    listed = [name for name in pages(html) if name not in NO_READERS and not name.startswith("solutions/")]
    entries = "".join(f"  <url><loc>{escape(url + ('' if name == 'index.html' else name))}</loc></url>\n" for name in listed)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{entries}</urlset>\n'
    (html / "sitemap.xml").write_text(text, encoding="utf-8")
    (html / "robots.txt").write_text(f"User-agent: *\nDisallow: /solutions/\nSitemap: {url}sitemap.xml\n", encoding="utf-8")
    # GitHub would leave out what begins with an underscore.
    (html / ".nojekyll").touch()
    for name in pages(html):
        _name(html / name)
    for spare in [*html.rglob("*.js.map"), *html.rglob("fontawesome.js*")]:
        spare.unlink(missing_ok=True)
    _rebase(html / "404.html", urlsplit(url).path or "/")


def _name(page: Path) -> None:
    text = ICONS.sub("", page.read_text("utf-8"))
    for bare, named in NAMED.items():
        text = text.replace(bare, named)
    page.write_text(text, encoding="utf-8")


def _rebase(page: Path, root: str) -> None:
    """A server shows this page under any address: its links start at the book's own root, not where the reader stands."""
    text = page.read_text("utf-8")
    page.write_text(text.replace("<head>", f'<head>\n    <base href="{escape(root)}">', 1), encoding="utf-8")
