"""One Chromium for all tests of this folder; nothing outside this machine answers it."""

from __future__ import annotations

import pytest

from dojo import install

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]
FLAGS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]


@pytest.fixture(scope="session")
def browser():
    """Chromium; skips where it or what drives it is not here."""
    chromium = install.browser()
    if chromium is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="make test installs it where Chromium is")
    with playwright.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield opened
        opened.close()
