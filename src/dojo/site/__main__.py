"""`python -m dojo.site`: builds the book into book/_build/html and says where it is."""

from __future__ import annotations

import sys

from dojo.site.building import BookBroken, build
from dojo.tools.environments import CannotAdd


def main() -> int:
    """Exit status 1 with Sphinx's warnings when a page is broken."""
    try:
        print(build())
    except (BookBroken, CannotAdd) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
