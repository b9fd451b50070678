"""SQL and Jinja text: comments and templates taken out with every line kept in its place, and what a query can return."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"'(?:[^'\\\n]|\\.|'')*'|\"[^\"\n]*\"|--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_JINJA = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


def without_comments(text: str) -> str:
    """The text with comments blanked; strings stay, lines stay where they are."""
    return _COMMENT.sub(lambda match: match[0] if match[0][0] in "'\"" else _blank(match[0]), text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_jinja(text: str) -> str:
    """The text with `{{ … }}` as one word and `{% … %}` blanked."""
    return _JINJA.sub(
        lambda match: ("jinja" + "\n" * match[0].count("\n")) if match[0].startswith("{{") else _blank(match[0]), text
    )


def top_level(text: str) -> str:
    """What stands outside all parentheses."""
    kept, depth = [], 0
    for sign in re.sub(r"'(?:[^'\n]|'')*'", "''", text):
        depth += sign == "("
        if depth <= 0 or sign == "\n":
            kept.append(sign)
        depth -= sign == ")" and depth > 0
    return "".join(kept)


_NEVER = re.compile(
    (
        r"\b(?:where|having)\s+(?:\(?\s*)?(?:false|1\s*=\s*0|0\s*=\s*1|1\s*=\s*2|1\s*<>\s*1|1\s*!=\s*1|"
        r"'a'\s*=\s*'b')\b\s*(?!\s*or\b)"
    ),
    re.IGNORECASE,
)


def returns_nothing(text: str) -> str | None:
    """Why a query can never return a row, or None: `where false`, `limit 0`, or nothing but comments."""
    code = without_comments(text)
    if (
        re.search(r"\{%-?\s*if\s+false\s*-?%\}", code, re.IGNORECASE)
        and re.sub(r"\{%-?\s*if\s+false.*?endif\s*-?%\}", "", code, flags=re.DOTALL | re.IGNORECASE).strip() == ""
    ):
        return "all of it stands inside {% if false %}"
    code = without_jinja(code)
    if not code.strip():
        return "all of it is commented out" if text.strip() and re.search(r"\bselect\b", text, re.IGNORECASE) else None
    outer = top_level(code)
    branches = re.split(r"\bunion(?:\s+all)?\b", outer, flags=re.IGNORECASE)
    if all(_never_in(branch) for branch in branches):
        return "its condition is never true"
    if re.search(r"\blimit\s+0\s*;?\s*$", outer, re.IGNORECASE):
        return "limit 0 throws every row away"
    return None


def _never_in(branch: str) -> bool:
    found = _NEVER.search(branch)
    if not found:
        return bool(
            re.search(r"\b(?:where|and)\s+(?:[^\n]*\band\s+)?(?:false|1\s*=\s*0)\b(?!\s*or\b)", branch, re.IGNORECASE)
        ) and not re.search(r"\bor\b", branch, re.IGNORECASE)
    return not re.match(r"\s*or\b", branch[found.end() :], re.IGNORECASE)


_RELATION = re.compile(
    r"(?:^|[\s)(])(?:from|join)\s+((?:[`\"\[]?[\w$-]+[`\"\]]?\.){1,3}[`\"\[]?[\w$*-]+[`\"\]]?)(?!\s*\(|[\w.])", re.IGNORECASE
)
_CATALOGUES = re.compile(
    r"information_schema|pg_catalog|sys\.|snowflake\.|svv_|stl_|region-|duckdb_|system\.|account_usage|lateral",
    re.IGNORECASE,
)


def relations(text: str) -> list[tuple[int, str, int]]:
    """The relations that a model names itself instead of through ref() or source(): line, name, how many parts."""
    code = without_jinja(without_comments(text))
    own = {
        name.lower()
        for name in re.findall(r"\b(\w+)\s+as\s+(?:not\s+materialized\s+|materialized\s+)?\(", code, re.IGNORECASE)
    }
    own |= {
        name.lower()
        for name in re.findall(
            r"(?:\bas\s+|\bjinja\s+(?:as\s+)?|\)\s+(?:as\s+)?|(?:from|join)\s+\w+\s+(?:as\s+)?)([a-z_]\w*)\b",
            code,
            re.IGNORECASE,
        )
    }
    own |= {name.lower() for name in re.findall(r"(?:from|join|,)\s+(\w+)\b(?!\.)", code, re.IGNORECASE)}
    found = []
    for match in _RELATION.finditer(code):
        name = match[1]
        parts = re.sub(r"[`\"\[\]]", "", name).split(".")
        before = code[max(0, match.start() - 120) : match.start() + 1].lower()
        if "jinja" in name or _CATALOGUES.search(name) or parts[0].lower() in own:
            continue
        if re.search(r"(?:extract|trim|substring|overlay|position)\s*\([^()]*$", before) or re.search(
            r"distinct\s*$", before
        ):
            continue
        if re.search(r"\.(?:csv|parquet|json|xlsx|gz)$", name):
            continue
        found.append((code.count("\n", 0, match.start(1)) + 1, name, len(parts)))
    return found
