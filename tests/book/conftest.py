"""The book, built once for all tests: again only when something it is made from has changed."""

from __future__ import annotations

import pytest

from dojo.site.building import Built, build
from dojo.tools import environments


@pytest.fixture(scope="session")
def book() -> Built:
    """The built book of this checkout."""
    if not environments.is_added("book"):
        pytest.skip("the book's tools are not here (dojo tools add book; make test adds them)")
    return build(again=False)
