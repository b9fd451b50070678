"""The book, built once for all tests: again only when something it is made from has changed."""

from __future__ import annotations

import pytest
from filelock import FileLock

from dojo.site.building import OUT, Built, build
from dojo.tools import environments


@pytest.fixture(scope="session")
def book() -> Built:
    """The built book of this checkout."""
    if not environments.is_added("book"):
        pytest.skip("the book's tools are not here (dojo tools add book; make test adds them)")
    OUT.mkdir(parents=True, exist_ok=True)
    with FileLock(OUT / ".lock"):
        return build(again=False)
