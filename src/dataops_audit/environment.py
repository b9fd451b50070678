"""What the code needs around it: locked versions, settings from outside, paths of one machine, updates, certificates."""

from __future__ import annotations

import ast
import re

from dataops_audit import pythonruns, yamllines
from dataops_audit.findings import Seen
from dataops_audit.pythonruns import constant, dotted, keyword
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child

_LOCKS = (
    "uv.lock",
    "poetry.lock",
    "pipfile.lock",
    "pdm.lock",
    "conda-lock.yml",
    "pixi.lock",
    "package-lock.yml",
    "requirements.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "go.sum",
    "renv.lock",
)
_OWN_PATH = re.compile(
    r"(?:/Users/(?!Shared\b|runner\b|USERNAME|username|user\b|you\b|yourname|"
    r"<)[A-Za-z][\w.-]+/[\w.-]|/home/(?!airflow\b|jovyan\b|runner\b|vscode\b|ubuntu\b|user\b|app\b|"
    r"appuser\b|dbt\b|node\b|circleci\b|codespace\b|coder\b|glue_user\b|ec2-user\b|hadoop\b|spark\b|"
    r"dagster\b|prefect\b|jenkins\b|gitpod\b|nonroot\b|root\b|docker\b|mage\b|src\b|work\b|"
    r"projects?\b|data\b|workspace\b|opt\b|python\b|notebook\b|astro\b|you\b|username\b|\$|"
    r"\{)[a-z][\w.-]+/[\w.-]|[A-Za-z]:\\{1,2}Users\\{1,2}(?!Public|Default|<|%)[\w.-]+\\)"
)
_SAMPLE = re.compile(r"(^|/)(tests?|fixtures?|examples?|docs?)/|(^|/)(test_|conftest)", re.IGNORECASE)


_PLACES = ("/Users/", "/home/", "Users\\")


def read(tree: Tree, seen: Seen) -> None:
    """Locks, settings, own paths, updates, certificates."""
    _locks(tree, seen)
    for path in tree.paths:
        name = path.rsplit("/", 1)[-1].lower()
        if re.fullmatch(
            (
                r"(\.env|env)[.-](example|sample|template|dist)|[\w-]*\.env\.(example|sample|template)|"
                r"example\.env|sample\.env|\.env\.tpl"
            ),
            name,
        ):
            seen.add("env.example", path, 1, "The settings that are needed are listed without their values")
        elif name in ("security.md", "security.txt"):
            seen.add("sec.policy", path, 1, "Says how to report a hole")
        elif re.fullmatch(r"dependabot\.ya?ml|renovate\.json5?|\.renovaterc(\.json)?", name):
            seen.add("sec.updates", path, 1, "Dependencies are updated by machine")
    for path in tree.ending(".py"):
        _python(tree, seen, path)
    for path in tree.ending(".sql", ".sh", ".yml", ".yaml", ".ipynb", ".toml", ".cfg", ".ini", ".r"):
        _own_paths(tree, seen, path)
    for path in tree.ending(".sh", ".yml", ".yaml", "dockerfile"):
        _shell(tree, seen, path)
    _identity(tree, seen)


def _locks(tree: Tree, seen: Seen) -> None:
    locks = tree.named(*_LOCKS)
    if locks:
        seen.add("env.locked", locks[0], 1, "Versions are locked")
    loose: list[tuple[str, int, int, int]] = []
    for path in tree.paths:
        if not re.search(r"(^|/)requirements[\w./-]*\.txt$", path):
            continue
        rows = [(line, row.split("#")[0].strip()) for line, row in enumerate(tree.lines(path), 1)]
        wanted = [(line, row) for line, row in rows if re.match(r"[A-Za-z0-9]", row)]
        open_ = [line for line, row in wanted if not re.search(r"==|===|@\s|--hash", row)]
        if wanted and len(open_) * 10 <= len(wanted):
            seen.add("env.locked", path, 1, f"{len(wanted)} versions are pinned")
        elif wanted:
            loose.append((path, open_[0], len(open_), len(wanted)))
    if not seen.has("env.locked"):
        for path, line, count, all_ in loose[:3]:
            seen.add("env.unlocked", path, line, f"{count} of {all_} packages have no exact version")
        if not loose and (
            found := [
                path for path in tree.named("pyproject.toml", "pipfile", "setup.py", "environment.yml") if tree.text(path)
            ]
        ):
            seen.add("env.unlocked", found[0], 1, "There is no lock file beside it", "likely")


ENOUGH = 3
"""Files in which a good habit is looked for; more say nothing new."""


def _python(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    sample = bool(_SAMPLE.search(path))
    own = not sample and any(one in text for one in _PLACES) and bool(_OWN_PATH.search(text))
    careless = not sample and re.search(r"verify\s*=\s*False|_create_unverified_context", text) is not None
    settings = ("os.environ" in text or "os.getenv" in text) and seen.counts["env.variables"] < ENOUGH
    module = pythonruns.parsed(text) if own or careless or settings else None
    nodes = list(ast.walk(module)) if module else []
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if (
            own
            and isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
            and (hit := _OWN_PATH.search(node.value))
        ):
            seen.add("env.own-machine", path, node.lineno, f"A path of one machine: {hit[0]}…")
        elif careless and isinstance(node, ast.Call) and constant(keyword(node, "verify")) is False:
            client = re.match(r"(requests|httpx|session|client)\b", dotted(node.func))
            seen.add(
                "sec.no-tls",
                path,
                node.lineno,
                f"{dotted(node.func) or 'A call'} does not check the certificate (verify=False)",
                "certain" if client else "likely",
            )
        elif careless and isinstance(node, ast.Call) and dotted(node.func).endswith("_create_unverified_context"):
            seen.add("sec.no-tls", path, node.lineno, "Certificates are not checked")
        elif settings and (
            (isinstance(node, ast.Subscript) and dotted(node.value) == "os.environ")
            or (isinstance(node, ast.Call) and dotted(node.func) in ("os.getenv", "os.environ.get"))
        ):
            seen.add("env.variables", path, node.lineno, "A setting comes from the environment")
            settings = False


_NO_COMMENT = re.compile(r"^\s*(#|--|//)")


def _own_paths(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    if _SAMPLE.search(path) or not any(one in text for one in _PLACES) or not _OWN_PATH.search(text):
        return
    outputs = False
    for line, row in enumerate(text.split("\n"), 1):
        if path.endswith(".ipynb"):
            outputs = True if '"outputs": [' in row and "[]" not in row else False if '"source": [' in row else outputs
        if not outputs and not _NO_COMMENT.match(row) and (hit := _OWN_PATH.search(row)):
            seen.add("env.own-machine", path, line, f"A path of one machine: {hit[0]}…", "likely")
            return


def _shell(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    if not any(one in text for one in ("curl", "no-check-certificate", "SSL_NO_VERIFY", "TLS_REJECT")):
        return
    for line, row in enumerate(tree.lines(path), 1):
        if _NO_COMMENT.match(row) or "://localhost" in row or "127.0.0.1" in row:
            continue
        if re.search(r"\bcurl\b[^|;&#]*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)\s", row) or re.search(
            r"--no-check-certificate|GIT_SSL_NO_VERIFY=(1|true)|NODE_TLS_REJECT_UNAUTHORIZED=['\"]?0", row
        ):
            seen.add("sec.no-tls", path, line, "Certificates are not checked", "likely")


def _identity(tree: Tree, seen: Seen) -> None:
    """Short-lived identities for the pipeline (OIDC)."""
    for path in tree.ending(".yml", ".yaml"):
        text = tree.text(path) or ""
        if "id-token" not in text and "id_tokens" not in text:
            continue
        try:
            root = yamllines.first(text)
        except yamllines.BrokenYaml:
            continue
        for keys, node in yamllines.walk(root):
            uses = str(child(node, "uses") or "") if isinstance(node, dict) else ""
            given = child(node, "with") if isinstance(node, dict) else None
            if uses.startswith(
                ("aws-actions/configure-aws-credentials", "google-github-actions/auth", "azure/login")
            ) and isinstance(given, dict):
                if {"role-to-assume", "workload_identity_provider", "client-id"} & set(given):
                    seen.add("sec.oidc", path, node.line, f"{uses.split('@')[0]} gets a short-lived identity")
            elif keys and keys[-1] == "id_tokens":
                seen.add("sec.oidc", path, yamllines.line_of(node), "The job gets a short-lived identity")
