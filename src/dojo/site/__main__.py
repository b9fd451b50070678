"""`python -m dojo.site`: builds the book into book/_build/html and says where it is; `--links` asks its outside links instead."""

from __future__ import annotations

import sys

from dojo.judge import refusals
from dojo.site.building import build, check_links


def main() -> int:
    """Exit status 1 with Sphinx's warnings when a page, or with `--links` a link, is broken."""
    try:
        if sys.argv[1:] == ["--links"]:
            check_links()
            print("Every outside link answers.")
        else:
            print(build())
    except Exception as error:
        words = refusals.in_a_line(error)
        if not words:
            raise
        print(words, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
