"""Text that is safe on a terminal: names of files and lines of other people hold no command for it."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, the eight-bit ones too; tab and newline are harmless
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing around
    "\u2028\u2029"  # line ends that few expect
    "\ud800-\udfff]"  # bytes of a name that is not UTF-8
)


def shown(text: str) -> str:
    r"""The text with every such character written out: an escape sign becomes `\x1b`, a byte of no UTF-8 `\xff`."""
    return _UNSAFE.sub(_written_out, text)


def one_line(text: str) -> str:
    """The same on one line, for names of files."""
    return shown(text).replace("\n", r"\n").replace("\t", r"\t")


def in_json(text: str) -> str:
    r"""JSON that means the same, with `\u009b` for what a terminal would obey and for what is no character."""
    return re.sub("[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]", _escaped, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that it could not decode
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
