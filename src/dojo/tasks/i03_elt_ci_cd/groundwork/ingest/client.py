"""The shop's API, read-only: the rows of a table that changed since a moment."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path


class NotAllowed(PermissionError):
    """The API refused the token, or got none."""


def read(table: str, since: str | None = None, *, url: str, token: str = "") -> list[dict]:
    """Rows of orders, payments or rates whose `updated_at` is `since` or later; all of them for None.

    url: the API's address, or a folder with recorded answers. NotAllowed without a good token.
    """
    if not url.startswith(("http://", "https://")):
        lines = (Path(url) / f"{table}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        return [row for row in rows if since is None or row["updated_at"] >= since]
    query = f"?{urllib.parse.urlencode({'since': since})}" if since else ""
    request = urllib.request.Request(f"{url}/{table}{query}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise NotAllowed(f"The API at {url} refused the token for {table}.") from None
        raise
