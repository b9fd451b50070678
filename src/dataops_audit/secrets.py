"""Secrets in files: tokens, passwords behind telling names, keys, .env files, outputs of notebooks."""

from __future__ import annotations

import ast
import re
from typing import Any

from dataops_audit import notebooks, pythonruns, secret_forms, yamllines
from dataops_audit.containers import is_stack
from dataops_audit.credentials import (
    FOREIGN,
    KEY_WORDS,
    SERVICE_WORDS,
    THROW_AWAY,
    announces,
    is_placeholder,
    is_random,
    is_reference,
    is_service_key,
    judged,
    named_values,
    passwords_in_addresses,
    tokens,
)
from dataops_audit.findings import Seen
from dataops_audit.pythonruns import constant, dotted
from dataops_audit.tree import Tree

_Seen = tuple[str, int, str, str]
"""Rule, line, sentence, sureness."""
_NOT_SCANNED = re.compile(
    (
        r"(?:\.lock|\.lock\.hcl|lock\.json|\.sum|\.svg|\.min\.js|\.min\.css|\.map|\.secrets\.baseline|"
        r"manifest\.json|run_results\.json|catalog\.json|\.cassette|\.csv|\.tsv|\.parquet|\.geojson|"
        r"\.html|\.pdf)$|(?:^|/)(?:cassettes|lockfiles)/|pnpm-lock\.yaml$|\.gitleaks\.toml$|\.trufflehog"
    ),
    re.IGNORECASE,
)
_SAMPLE_PATH = re.compile(
    (
        r"(?:^|/)(?:tests?|testing|fixtures?|examples?|samples?|mocks?|__tests__|testdata|spec|docs?|"
        r"documentation|e2e|integration_tests|demo|tutorials?|snippets)(?:/|$)|(?:^|/)[\w-]*templates?/|"
        r"(?:^|[/_.-])(?:test|example|sample|template|mock|fixture|dist)(?:[_.-]|$)|_test\."
    ),
    re.IGNORECASE,
)
_BARE_VALUES = re.compile(
    (
        r"\.(?:ya?ml|env|ini|cfg|conf|cnf|properties|sh|bash|zsh|envrc|tfvars|toml|dockerfile|"
        r"credentials)$|(?:^|/)(?:\.env[^/]*|dockerfile[^/]*|\.pypirc|\.npmrc|\.boto|\.s3cfg|credentials|"
        r"makefile)$"
    ),
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rf"(?P<key>[\w.-]*{KEY_WORDS}[\w-]*)[\"'\]]*\s*(?:=>|:=|==|=|:)\s*(?:str\s*=\s*)?"
    r"(?:[bfru](?=[\"']))?(?P<value>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[^\s\"',;#})]+)?",
    re.IGNORECASE,
)
_SERVICE = re.compile(SERVICE_WORDS, re.IGNORECASE)
_ANNOUNCED = re.compile(rf"{KEY_WORDS}[\w-]*[\"'\]]*\s*[=:]", re.IGNORECASE)
"""What any assignment of `_ASSIGNED` holds, and quickly found: most lines hold none."""
_SERVICE_KEY = re.compile(
    rf"(?P<key>[\w.-]*(?:{SERVICE_WORDS})[\w-]*)[\"'\]]*\s*(?:=>|:=|=|:)\s*(?P<quote>[\"']?)(?P<value>[\w+/=-]{{20,}})",
    re.IGNORECASE,
)
_SQL = re.compile(
    r"\b(?P<key>password|identified\s+by|aws_secret_key|secret_access_key|secret)(?:\s*=\s*|\s+)(?P<value>'[^'\n]+')",
    re.IGNORECASE,
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,30}://([^\s:/@\"'<>{}$]{1,64}):([^\s@/\"'<>]{2,128})@([\w.-]+)", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN ((?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY)(?: BLOCK)?-----")
_COMMENT = re.compile(r"^\s*(?:#|//|--|\*|;|<!--)")
_LOCAL_HOST = re.compile(
    (
        r"^(?:localhost|127\.|0\.0\.0\.0|host\.docker\.internal|::1)|^[a-z][a-z0-9_-]*$|\.local$|"
        r"\.svc(\.|$)|example\.(?:com|org|net)$|\.example$|\.test$|\.invalid$"
    ),
    re.IGNORECASE,
)
_ENV_FILE = re.compile(
    r"(?:^|/)(?:\.env(?:\.[\w-]+)*|[\w-]+\.env|\.envrc|env\.(?:prod|production|dev|local))$", re.IGNORECASE
)
_ENV_SAMPLE = re.compile(r"example|sample|template|dist|default|\.test|\.ci$|\.tpl|tmpl|schema|vault", re.IGNORECASE)
_READS_ENV = re.compile(r"env_var\(\s*['\"]|\$\{\{\s*secrets\.")
_STORES = re.compile(r"^(?:kind:\s*(?:ExternalSecret|SealedSecret|SecretProviderClass)\b|sops:\s*$)", re.MULTILINE)


def read(tree: Tree, seen: Seen) -> None:
    """Searches every text file, the most telling first."""
    for path in sorted(tree.paths, key=_telling):
        text = None if _NOT_SCANNED.search(path) else tree.whole(path)
        if text is None:
            continue
        seen.searched += 1
        if path.lower().endswith(".ipynb") and notebooks.cells(text):
            _notebook(seen, path, text)
        else:
            scan(tree, seen, path, text)
    _deleted(tree, seen)


def _telling(path: str) -> tuple[int, str]:
    return (0 if _BARE_VALUES.search(path) else 1 if path.endswith((".py", ".tf", ".sql", ".ipynb", ".json")) else 2, path)


def scan(tree: Tree, seen: Seen, path: str, text: str) -> None:
    """One text file."""
    if "ENC[AES256_GCM" in text or text.startswith("$ANSIBLE_VAULT") or "kind: SealedSecret" in text:
        return
    _good(seen, path, text)
    if "PRIVATE KEY" in text:
        _private_keys(seen, path, text)
    sample = bool(_SAMPLE_PATH.search(path))
    local = _throw_away(path, text)
    rows = text.split("\n")
    found = _of_credential_file(path, rows, sample)
    for line in [] if found else _candidates(text):
        after = rows[line] if line < len(rows) else ""
        for piece in secret_forms.pieces(rows[line - 1]):
            whole = len(piece) == len(rows[line - 1])
            generated = not whole and path.lower().endswith((".js", ".mjs", ".css"))
            hits = _tokens_in(line, piece, sample) if generated else _line(path, line, piece, sample, local, after)
            found += (
                hits
                if whole
                else [(rule, at, what, "likely" if sure == "certain" else sure) for rule, at, what, sure in hits]
            )
    found = [_in_context(one, rows) for one in found]
    secrets = [one for one in found if one[0] == "sec.secret" and one[3] != "possible"]
    for rule, line, what, sure in found:
        seen.add(rule, path, line, what, sure)
    if _ENV_FILE.search(path) and not _ENV_SAMPLE.search(path.rsplit("/", 1)[-1]):
        _env_file(tree, seen, path, text, bool(secrets))


def _of_credential_file(path: str, rows: list[str], sample: bool) -> list[_Seen]:
    """The passwords of a `.netrc`, `.pgpass` or `.credentials`, which no name announces."""
    found: list[_Seen] = []
    for line, value in secret_forms.in_file(path, rows):
        what = f"A password stands in a file of credentials ({_shown(value)})"
        if verdict := _unnamed(value):
            found.append((verdict, line, what, "possible" if sample or verdict != "sec.secret" else "certain"))
    return found


def _unnamed(value: str) -> str | None:
    """The rule that a password breaks which no name announces, or None for a placeholder or a reference."""
    if is_placeholder(value) or value.startswith(("$", "{", "<", "%", "@")):
        return None
    return "sec.default-password" if judged("password", value) == "throw-away" else "sec.secret"


_TELLING = [
    "passw",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "accountkey",
    "account_key",
    "account-key",
    "authkey",
    "auth_key",
    "auth-key",
    "privatekey",
    "private_key",
    "private-key",
    "credential",
    "sas_key",
    "sas-key",
    "encryption_key",
    "fernet_key",
    "signing_key",
    "://",
    "identified",
    "aws",
    "_key",
    "-key",
    "contrase",
    "basic ",
    'auth"',
    "curl",
    "wget",
    "mysql",
    "mariadb",
    "account.key",
    "salt",
    "hmac",
]
_FORMS = [
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxo-",
    "xoxs-",
    "xoxe-",
    "hooks.slack",
    "sk_live",
    "rk_live",
    "SG.",
    "npm_",
    "pypi-Ag",
    "T3BlbkFJ",
    "sk-ant",
    "eyJ",
    "dapi",
    "dbtc_",
    "dbtu_",
    "AIza",
    "hf_",
    "atlasv1",
    "hvs.",
    "NRAK-",
    "shpat_",
    "shpss_",
    "shpca_",
    "shppa_",
    "AccountKey=",
    "Q~",
    "sq0csp",
    ":AA",
]


def _candidates(text: str) -> list[int]:
    """Lines worth a closer look, found by plain search: far quicker than one large pattern over everything."""
    lower = text.lower()
    places: set[int] = set()
    for words, where in ((_TELLING, lower), (_FORMS, text)):
        for word in words:
            at = where.find(word)
            while at >= 0:
                places.add(text.rfind("\n", 0, at) + 1)
                end = text.find("\n", at)
                at = where.find(word, end) if end >= 0 else -1
    if not places:
        return []
    found, line, at = [], 1, 0
    for place in sorted(places):
        line += text.count("\n", at, place)
        at = place
        found.append(line)
    return found


def _in_context(one: _Seen, rows: list[str]) -> _Seen:
    """A password that stands beside an address of this machine opens nothing but a service that is local, too."""
    rule, line, what, _ = one
    if rule != "sec.secret" or "is given" not in what or FOREIGN.search(what.split(" ")[0]):
        return one
    near = "\n".join(rows[max(0, line - 7) : line + 6])
    if re.search(r"\blocalhost\b|127\.0\.0\.1|host\.docker\.internal", near):
        return "sec.default-password", line, what, "possible"
    return one


def _line(path: str, line: int, row: str, sample: bool, local: frozenset[str] | None, after: str = "") -> list[_Seen]:
    """What one line gives away: a token of a known form, else an address with a password, else an assignment."""
    if found := _tokens_in(line, row, sample):
        return found
    if _is_excused(row):
        return []
    return (
        _addresses_in(line, row, sample)
        or _values_in(path, line, row, sample, local)
        or _keywords_in(path, line, row, sample, local)
        or _forms_in(path, line, row, after, sample, local)
    )


def _is_excused(row: str) -> bool:
    """Lines that somebody judged already."""
    return any(mark in row for mark in ("pragma: allowlist", "nosec", "gitleaks:allow"))


def _tokens_in(line: int, row: str, sample: bool) -> list[_Seen]:
    if not any(form in row for form in _FORMS) and "aws" not in row.lower():
        return []
    for kind, value, sure in tokens(row):
        if sample or "pragma: allowlist" in row:
            sure = "possible" if sample and sure == "likely" else "likely"
        return [("sec.secret", line, f"{kind[:1].upper()}{kind[1:]} ({_shown(value)}) stands in the file", sure)]
    return []


def _addresses_in(line: int, row: str, sample: bool) -> list[_Seen]:
    if "://" not in row:
        return []
    for url in _URL.finditer(row):
        name, word, host = url.groups()
        if is_reference(word) or word.startswith(("%", "$", "{", "<", "[")):
            continue
        what = f"An address holds the password of {name} on {host}"
        if is_placeholder(word):
            if sample or _LOCAL_HOST.search(host) or word.lower() not in THROW_AWAY:
                continue
            return [("sec.default-password", line, what, "possible")]
        if _LOCAL_HOST.search(host) or word.lower() == name.lower() or judged("password", word) == "throw-away":
            return [("sec.default-password", line, what, "possible")]
        return [("sec.secret", line, what, "possible" if sample else "certain")]
    for word in passwords_in_addresses(row):
        host = re.match(r"[\w.-]*", row[row.find(f":{word}@") + len(word) + 2 :])[0]
        if (
            is_reference(word)
            or is_placeholder(word)
            or judged("password", word) == "throw-away"
            or _LOCAL_HOST.search(host)
        ):
            continue
        return [("sec.secret", line, f"An address holds a password ({_shown(word)})", "possible" if sample else "certain")]
    return []


def _values_in(path: str, line: int, row: str, sample: bool, local: frozenset[str] | None) -> list[_Seen]:
    bare_allowed = bool(_BARE_VALUES.search(path))
    doubtful = sample or path.lower().endswith((".md", ".mdx", ".rst", ".txt"))
    comment = bool(_COMMENT.match(row)) and not row.lstrip().startswith("--password")
    row = row.replace('"""', '"').replace("'''", "'")
    assigned = _ASSIGNED.finditer(row) if _ANNOUNCED.search(row) else ()
    for one in [*assigned, *(_SQL.finditer(row) if path.endswith((".sql", ".py")) else ())]:
        key, value = one["key"], one["value"] or ""
        quoted = value[:1] in "\"'" and len(value) > 1
        compared = "==" in row[one.end("key") : one.end("key") + 4]
        by_sql = key.lower().startswith("identified")
        in_text = not quoted and not bare_allowed and _is_in_a_string(row, one)
        if compared or not (quoted or bare_allowed or in_text) or not (by_sql or announces(key)):
            continue
        if quoted and _is_between_strings(row, one):
            continue
        if not quoted and value[:1] in ("{", "[", "|", ">", "&", "*"):
            continue
        verdict = judged("password" if by_sql else key, value)
        if in_text and verdict != "certain":
            continue
        if verdict is None or value.strip("\"'").lower() == key.lower() or _is_name_of_something(row, one, value, path):
            continue
        if verdict == "throw-away" and sample:
            continue  # an example shows which settings there are, and such a value is what it should show
        if verdict == "throw-away" or _belongs_to_a_service(key, value, local):
            return [("sec.default-password", line, f"{key} has a throw-away value", "possible")]
        sure = "possible" if doubtful or (comment and verdict == "likely") else "likely" if comment else verdict
        return [("sec.secret", line, f"{key} is given its value in the file ({_shown(value)})", sure)]
    return []


def _open_quotes(row: str, at: int, quote: str) -> bool:
    """Whether a string that began before a place of a line is still open there."""
    before = row[:at]
    return (before.count(quote) - before.count("\\" + quote)) % 2 == 1


def _is_in_a_string(row: str, one: re.Match[str]) -> bool:
    """Whether an assignment stands inside a string, as a variable before a command: `"PGPASSWORD=… psql"`."""
    end = one.end("key")
    return row[end : end + 1] == "=" and any(_open_quotes(row, one.start(), quote) for quote in "\"'")


def _is_between_strings(row: str, one: re.Match[str]) -> bool:
    """Whether what looks like a quoted value is the code between two strings: `'PGPASSWORD=' + word + ' psql'`."""
    value = one["value"]
    return _open_quotes(row, one.start("value"), value[0]) and re.match(r"\s*[+,)%.\]&|;]|\s", value[1:]) is not None


def _keywords_in(path: str, line: int, row: str, sample: bool, local: frozenset[str] | None) -> list[_Seen]:
    """What detect-secrets' keywords announce beyond our own names, where the value looks like a secret."""
    bare_allowed = bool(_BARE_VALUES.search(path))
    services = _SERVICE_KEY.finditer(row) if _SERVICE.search(row) else ()
    own = [(one["key"], one["value"]) for one in services if one["quote"] or bare_allowed]
    for key, value in named_values(path, row) + own:
        if announces(key):
            secret = judged(key, value) == "certain"
        else:
            secret = is_service_key(key) and is_random(value) and not is_placeholder(value) and not is_reference(value)
        if secret and not _belongs_to_a_service(key, value, local):
            sure = "possible" if sample or path.lower().endswith((".md", ".mdx", ".rst", ".txt")) else "likely"
            return [("sec.secret", line, f"{key} is given its value in the file ({_shown(value)})", sure)]
    return []


def _forms_in(path: str, line: int, row: str, after: str, sample: bool, local: frozenset[str] | None) -> list[_Seen]:
    """Secrets that are written in another way than as an assignment."""
    doubtful = sample or path.lower().endswith((".md", ".mdx", ".rst", ".txt")) or bool(_COMMENT.match(row))
    for key, value in secret_forms.named(row, after):
        verdict = judged(key, value) if announces(key.replace(".", "_")) else None
        if verdict is None or (verdict == "throw-away" and sample) or _belongs_to_a_service(key, value, local):
            continue
        if verdict == "throw-away":
            return [("sec.default-password", line, f"{key} has a throw-away value", "possible")]
        what = f"{key} is given its value in the file ({_shown(value)})"
        return [("sec.secret", line, what, "possible" if doubtful else verdict)]
    for value in [*secret_forms.in_basic_auth(row), *secret_forms.in_options(row)]:
        rule = None if is_reference(value) else _unnamed(value)
        if rule is None or (rule != "sec.secret" and sample):
            continue
        certain = rule == "sec.secret" and not doubtful and judged("password", value) == "certain"
        return [(rule, line, f"A password stands in the line ({_shown(value)})", "certain" if certain else "possible")]
    return []


def _belongs_to_a_service(key: str, value: str, local: frozenset[str] | None) -> bool:
    """Whether the value is that of a service container of the same file."""
    return local is not None and (value.strip("\"'") in local or ("*" in local and not FOREIGN.search(key)))


def _is_name_of_something(row: str, one: re.Match[str], value: str, path: str) -> bool:
    """Values that are the name of a column, a variable or a message rather than a secret."""
    bare = value.strip("\"'")
    after = row[one.end() :].lstrip()
    if path.endswith((".sql",)) and one.re is _ASSIGNED and value[:1] != "'":
        return True
    return (
        bool(re.fullmatch(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+", bare))
        or (after.startswith(("in ", "if ", "(")) and value[:1] not in "\"'")
        or (bare.endswith((":", "?", ")")) and " " in bare)
    )


def _shown(value: str) -> str:
    """A secret's first signs: a report must not spread it."""
    bare = value.strip("\"'")
    return f"{bare[:3]}…, {len(bare)} signs"


def _throw_away(path: str, text: str) -> frozenset[str] | None:
    """The passwords of service containers in a file; `*` where the whole file describes a local stack. None elsewhere."""
    name = path.rsplit("/", 1)[-1].lower()
    compose = name.endswith((".yml", ".yaml")) and is_stack(name, text)
    if compose:
        return frozenset() if re.search(r"prod|live|deploy|staging", name) else frozenset("*")
    if not (
        path.startswith(".github/")
        or name in (".gitlab-ci.yml", "bitbucket-pipelines.yml")
        or name.startswith("azure-pipelines")
        or ".circleci/" in path
    ):
        return frozenset(("*",)) if path.startswith(".devcontainer/") else None
    try:
        root = yamllines.first(text)
    except yamllines.BrokenYaml:
        return None
    values = set()
    for keys, node in yamllines.walk(root):
        inside = (
            "services" in keys
            or ("containers" in keys and "env" in keys)
            or (name == "config.yml" and "docker" in keys)
            or (
                name == ".gitlab-ci.yml" and "variables" in keys and any("POSTGRES" in key or "MYSQL" in key for key in keys)
            )
        )
        if inside and isinstance(node, str) and keys and announces(keys[-1]):
            values.add(str(node))
    return frozenset(values)


def _private_keys(seen: Seen, path: str, text: str) -> None:
    for found in _PRIVATE_KEY.finditer(text):
        body = text[found.end() : found.end() + 400].replace("\\n", "\n")
        rows = [row.strip(" \"',") for row in body.split("\n")[1:6]]
        real = sum(bool(re.fullmatch(r"[A-Za-z0-9+/=]{40,}", row)) for row in rows) >= 1
        if not real:
            continue
        sure = "possible" if _SAMPLE_PATH.search(path) else "likely" if found[1].startswith("ENCRYPTED") else "certain"
        seen.add(
            "sec.private-key",
            path,
            text.count("\n", 0, found.start()) + 1,
            f"A private key ({found[1].lower()}) lies in the file",
            sure,
        )
        return


_SETTING = re.compile(r"^[ \t]*(?:export[ \t]+)?[A-Za-z_]\w*[ \t]*=[ \t]*(?P<value>\S.*?)[ \t]*$", re.MULTILINE)


def _holds_values(text: str) -> bool:
    """Whether a .env file gives a variable a value of its own: not empty, no placeholder, not taken from elsewhere."""
    values = (one["value"].split(" #")[0].strip().strip("\"'") for one in _SETTING.finditer(text))
    return any(value and value[0] not in "#$`" and (value.isdigit() or not is_placeholder(value)) for value in values)


def _env_file(tree: Tree, seen: Seen, path: str, text: str, secrets: bool) -> None:
    if not secrets and not _holds_values(text):
        return
    entry = tree.entries[path]
    if entry.tracked is False:
        if secrets:
            seen.add("sec.env-file", path, 1, "A .env file with secrets waits to be committed: nothing ignores it", "likely")
        return
    if entry.tracked is None and _ignored(tree, path):
        return
    where = "is tracked by Git" if entry.tracked else "lies in the folder, and nothing ignores it"
    seen.add(
        "sec.env-file",
        path,
        1,
        f"This .env file {where}" + ("" if secrets else "; no value in it looks secret"),
        "certain" if secrets else "possible",
    )


def _ignored(tree: Tree, path: str) -> bool:
    rows = {row.strip().strip("/") for row in tree.lines(".gitignore")}
    name = path.rsplit("/", 1)[-1]
    return bool(rows & {name, path, ".env*", "*.env", ".env.*" if name != ".env" else ".env", f"**/{name}"})


def _good(seen: Seen, path: str, text: str) -> None:
    if path.endswith(".py"):
        enough = seen.counts["sec.env-secrets"] + seen.counts["sec.vault"] >= ENOUGH
        if not enough and any(
            one in text
            for one in (
                "os.environ",
                "getenv",
                "hvac",
                "secretsmanager",
                "get_secret",
                "dbutils.secrets",
                "SecretClient",
                "SecretManager",
            )
        ):
            _good_python(seen, path, text)
    elif path.endswith((".yml", ".yaml", ".sql", ".toml")) and ("env_var" in text or "secrets." in text):
        for line, row in enumerate(text.split("\n"), 1):
            if (
                not row.lstrip().startswith(("#", "--"))
                and _READS_ENV.search(row)
                and re.search(KEY_WORDS, row, re.IGNORECASE)
            ):
                seen.add("sec.env-secrets", path, line, "A secret is taken from the environment or the CI's store")
                break
    if path.endswith((".yml", ".yaml")) and not _SAMPLE_PATH.search(path) and (hit := _STORES.search(text)):
        seen.add(
            "sec.vault", path, text.count("\n", 0, hit.start()) + 1, "Secrets are kept in a store of their own", "likely"
        )


ENOUGH = 5
_FROM_ENVIRONMENT = ("os.getenv", "os.environ.get", "getenv", "environ.get", "env", "config")
_FROM_STORE = (
    ".get_secret_value",
    "dbutils.secrets.get",
    "hvac.Client",
    "SecretManagerServiceClient",
    "SecretClient",
    "access_secret_version",
)


def _good_python(seen: Seen, path: str, text: str) -> None:
    """Secrets read from the environment or fetched from a store, by the syntax tree."""
    module = pythonruns.parsed(text)
    for node in ast.walk(module) if module else ():
        name, key = "", None
        if isinstance(node, ast.Subscript) and dotted(node.value) == "os.environ":
            name, key = "os.getenv", constant(node.slice)
        elif isinstance(node, ast.Call):
            name, key = dotted(node.func), constant(node.args[0]) if node.args else None
        if isinstance(key, str) and name in _FROM_ENVIRONMENT and re.search(KEY_WORDS, key, re.IGNORECASE):
            seen.add("sec.env-secrets", path, node.lineno, f"{key} is taken from the environment")
        elif (
            not _SAMPLE_PATH.search(path)
            and name
            and ((key == "secretsmanager" and name.endswith("client")) or name.endswith(_FROM_STORE))
        ):
            seen.add("sec.vault", path, node.lineno, f"Secrets are fetched from a store of their own ({name})", "likely")


def _notebook(seen: Seen, path: str, text: str) -> None:
    """Code cells like code; outputs for tokens and passwords that were printed."""
    lines = notebooks.Lines(text)
    sample = bool(_SAMPLE_PATH.search(path))
    for cell in notebooks.cells(text):
        if cell.get("cell_type") != "code":
            continue
        lines.next_cell()
        for row in notebooks.joined(cell.get("source")).split("\n"):
            for rule, _, what, sure in _line("cell.py", 1, row, sample, None):
                seen.add(rule, path, lines.of(row), f"{what} (code cell)", sure)
        for output in cell.get("outputs", []) if isinstance(cell.get("outputs"), list) else []:
            for row in _printed(output).split("\n"):
                for rule, _, what, sure in _line("output.env", 1, row, False, None):
                    if rule == "sec.secret":
                        sure = sure if sure == "certain" else "likely"
                        seen.add("sec.notebook", path, lines.of(row), f"{what}: printed by a cell", sure)


def _printed(output: Any) -> str:
    """What an output shows as text; pictures and pages are not read."""
    if not isinstance(output, dict):
        return ""
    data = output.get("data")
    return notebooks.joined(output.get("text")) + (
        "\n" + notebooks.joined(data.get("text/plain")) if isinstance(data, dict) else ""
    )


_GONE = (
    ":(glob)**/.env",
    ":(glob)**/.env.prod*",
    ":(glob)**/id_rsa",
    ":(glob)**/*.pem",
    ":(glob)**/*.tfstate",
    ":(glob)**/credentials.json",
)


def _deleted(tree: Tree, seen: Seen) -> None:
    """Files with secrets that were removed later are still in the history; those without are nobody's business."""
    if tree.git is None:
        return
    rows = tree.git.ask(
        "log", "--max-count=5000", "--diff-filter=D", "--name-only", "--format=%x00%H", "--no-renames", "--", *_GONE
    )
    told = 0
    for commit in rows.decode("utf-8", "replace").split("\0")[1:40]:
        name, *paths = [row for row in commit.split("\n") if row]
        for path in paths:
            if path in tree.entries or _SAMPLE_PATH.search(path) or told >= 3:
                continue
            text = tree.git.ask("cat-file", "blob", f"{name}^:{path}")[:100_000].decode("utf-8", "replace")
            found = [one for line, row in enumerate(text.split("\n"), 1) for one in _line(".env", line, row, False, None)]
            leaks = [one for one in found if one[0] == "sec.secret" and one[3] != "possible"]
            if leaks or (_PRIVATE_KEY.search(text) and "ENCRYPTED" not in text):
                told += 1
                seen.add(
                    "sec.env-file",
                    ".",
                    1,
                    f"{path} was deleted with {max(1, len(leaks))} secrets in it; the history still holds them "
                    f"(commit {name[:8]}^)",
                )
