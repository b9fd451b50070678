"""The book: what stands in notebooks/, exercises/ and solutions/ as a static site. `make book` runs `python -m dojo.site`."""

from __future__ import annotations

from dojo.site.building import BookBroken, Built, build

__all__ = ["BookBroken", "Built", "build"]
