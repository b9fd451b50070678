"""Where a secret stands without an assignment: files of credentials, arguments, options, elements, headers, pairs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from dataops_audit.credentials import KEY_WORDS

_FILES = (
    (re.compile(r"(?:^|/)[._]netrc$"), re.compile(r"\bpassword\s+(\S+)")),
    (re.compile(r"(?:^|/)\.?pgpass(?:\.conf)?$"), re.compile(r"(?:(?:\\.|[^:\\])*:){4}((?:\\.|[^:\\])+)$")),
    (re.compile(r"(?:^|/)\.?(?:\w+[.-])?(?:credentials|creds)$"), re.compile(r"[\w.@+-]+:([^\s:]{6,})$")),
    (re.compile(r"(?:^|/)kaggle\.json$"), re.compile(r"\"key\"\s*:\s*\"([0-9a-f]{32})\"")),
)
"""Files that are nothing but credentials, and where the password stands in a line of theirs."""
_BASIC = re.compile(r"(?:\bBasic\s+|[\"']auth[\"']\s*:\s*[\"'])([A-Za-z0-9+/]{8,}={0,2})")
_NAME = rf"(?P<key>[\w.-]*{KEY_WORDS}[\w.-]*)"
_VALUE = r"(?P<quote>[\"'])(?P<value>(?:(?!(?P=quote)).)+)(?P=quote)"
_PAIRS = (
    re.compile(
        r"\b(?:define|set|put|conf|config|option|set_?property|set_?default|set_?env|put_?env)"
        rf"\(\s*[\"']{_NAME}[\"']\s*,\s*{_VALUE}\s*\)",
        re.IGNORECASE,
    ),
    re.compile(rf"<{_NAME}>(?P<value>[^<>\s]+)</", re.IGNORECASE),
    re.compile(rf"\b(?:key|name)=[\"']{_NAME}[\"']\s+value={_VALUE}", re.IGNORECASE),
    re.compile(rf"[\"']name[\"']\s*:\s*[\"']{_NAME}[\"']\s*,\s*[\"']value[\"']\s*:\s*{_VALUE}", re.IGNORECASE),
)
_OPTIONS = (
    re.compile(r"\b(?:curl|wget)\b.*?\s(?:-u|--user|--proxy-user)[ =]?[\"']?[\w.@-]+:(?P<value>[^\s\"'@]+)"),
    re.compile(r"\bsshpass\s+-p\s*[\"']?(?P<value>[^\s\"']+)"),
    re.compile(r"\b(?:mysql|mysqldump|mysqladmin|mariadb)\b.*?\s-p(?P<value>[^\s\"']{4,}|[\"'][^\"']+[\"'])"),
    re.compile(r"\s--(?:password|passwd|token|api-key|secret)\s+[\"']?(?P<value>[^\s\"'-][^\s\"']+)"),
)
_NAMED = re.compile(rf"^\s*-?\s*[\"']?(?:name|key)[\"']?\s*:\s*[\"']?{_NAME}[\"']?\s*,?\s*$", re.IGNORECASE)
_ITS_VALUE = re.compile(
    r"^\s*[\"']?value[\"']?\s*:\s*(?P<value>[\"'][^\"']+[\"']|[^\s\"'#{\[|>&*!][^#]*?)\s*,?\s*$", re.IGNORECASE
)
_LONGEST = 1_500
"""Characters of a piece of a long line."""


def in_file(path: str, rows: list[str]) -> Iterator[tuple[int, str]]:
    """Line and password of a file of credentials; nothing in any other file."""
    form = next((form for name, form in _FILES if name.search(path)), None)
    for line, row in enumerate(rows, 1):
        if form and not row.lstrip().startswith("#") and (hit := form.search(row.strip())):
            yield line, hit[1]


def in_basic_auth(row: str) -> Iterator[str]:
    """The passwords that `Basic` and Docker's `auth` hold in base64."""
    for hit in _BASIC.finditer(row):
        try:
            plain = base64.b64decode(hit[1], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        name, colon, password = plain.partition(":")
        if name and colon and password.isprintable():
            yield password


def named(row: str, after: str) -> Iterator[tuple[str, str]]:
    """Name and value of a call's two arguments, an element, two attributes, or of a line and the one below it."""
    for pair in _PAIRS:
        yield from ((hit["key"], hit["value"]) for hit in pair.finditer(row))
    if (name := _NAMED.match(row)) and (value := _ITS_VALUE.match(after)):
        yield name["key"], value["value"].strip("\"'")


def in_options(row: str) -> Iterator[str]:
    """The passwords among a command's options."""
    for option in _OPTIONS:
        yield from (hit["value"].strip("\"'") for hit in option.finditer(row))


def pieces(row: str) -> Iterator[str]:
    """A long line in pieces that end where a value may end; a picture in base64, which is no text of people, is left out."""
    if len(row) <= _LONGEST:
        yield row
        return
    piece = ""
    for part in re.split(r"(?<=[,;{}\s])", row):
        if len(piece) + len(part) > _LONGEST:
            yield piece
            piece = ""
        piece += part if len(part) <= _LONGEST else ""
    yield piece
