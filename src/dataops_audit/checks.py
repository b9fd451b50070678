"""Which commands are checks, of what kind, and which of their own options keep them from ever failing."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

DATA, CODE, LINT, COMPILE, SECURITY = "data tests", "code tests", "lint", "compile", "security scan"
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_PYTHON = re.compile(r"^(python|pypy|py)[\d.]*(\.exe)?$")
_PASS_THROUGH = frozenset(
    [
        "sudo",
        "env",
        "time",
        "nice",
        "nohup",
        "exec",
        "command",
        "stdbuf",
        "xvfb-run",
        "retry",
        "unbuffer",
        "catchsegv",
        "ionice",
        "chronic",
        "builtin",
    ]
)
_RUNNERS = frozenset(
    [
        "poetry",
        "pipenv",
        "pdm",
        "rye",
        "uv",
        "conda",
        "mamba",
        "micromamba",
        "pixi",
        "bundle",
        "op",
        "doppler",
        "dotenv",
        "infisical",
        "hatch",
        "mise",
    ]
)
_RUN_VALUES = frozenset(
    [
        "-p",
        "--python",
        "--with",
        "--group",
        "--extra",
        "--project",
        "--directory",
        "--env-file",
        "--package",
        "--only-group",
        "--no-group",
        "-n",
        "--name",
        "--prefix",
        "--with-requirements",
        "--with-editable",
        "--index",
        "-e",
        "--environment",
        "--cwd",
        "-C",
        "-f",
        "--file",
        "--from",
    ]
)
_DOCKER_VALUES = frozenset(
    [
        "-v",
        "--volume",
        "-e",
        "--env",
        "-w",
        "--workdir",
        "--name",
        "--network",
        "--net",
        "-u",
        "--user",
        "-p",
        "--publish",
        "--env-file",
        "--mount",
        "--platform",
        "-m",
        "--memory",
        "-l",
        "--label",
        "--add-host",
        "--cpus",
        "--entrypoint",
        "-h",
        "--hostname",
        "--link",
        "--shm-size",
        "--ulimit",
        "--volumes-from",
        "--ip",
        "--index",
        "--profile",
        "-f",
        "--file",
        "--project-name",
        "--project-directory",
    ]
)


@dataclass(frozen=True)
class Check:
    """A command that can fail a build: the tool, the kind of check, and why it could not fail after all."""

    tool: str
    kind: str
    mask: str | None = None
    sure: str = "certain"


def unwrapped(words: list[str]) -> list[str]:
    """The command inside `poetry run`, `python -m`, `docker compose run SERVICE`, `env A=b`, `timeout 60` and their like."""
    for _ in range(12):
        words = _without_assignments(words)
        inner = _inner(words)
        if inner is None:
            return words
        words = inner
    return words


def _without_assignments(words: list[str]) -> list[str]:
    at = 0
    while at < len(words) and _ASSIGNMENT.match(words[at]):
        at += 1
    return words[at:]


def base(word: str) -> str:
    """A program's name without its folder."""
    return word.rsplit("/", 1)[-1].rsplit("\\", 1)[-1].removesuffix(".exe")


def _skip_options(words: list[str], values: frozenset[str]) -> list[str]:
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--":
            return words[at + 1 :]
        at += 2 if words[at] in values else 1
    return words[at:]


def _inner(words: list[str]) -> list[str] | None:
    """One layer less, or None where there is none."""
    if len(words) < 2:
        return None
    name, rest = base(words[0]), words[1:]
    if name in _PASS_THROUGH:
        return _without_assignments(_skip_options(rest, frozenset(("-u", "-n", "-s", "-a"))))
    if name == "timeout":
        return _skip_options(rest, frozenset(("-k", "-s", "--signal", "--kill-after")))[1:]
    if name in _RUNNERS:
        return _inner_of_runner(name, rest)
    if name in ("uvx", "npx", "bunx", "pipx", "nix", "direnv", "aws-vault", "chamber", "astro-run"):
        return _inner_of_launcher(name, rest)
    if _PYTHON.match(name):
        at = next((place for place, word in enumerate(rest) if not word.startswith("-") or word in ("-m", "-c")), None)
        if at is not None and rest[at] == "-m" and at + 1 < len(rest):
            return ["python-module", *rest[at + 1 :]] if rest[at + 1] == "unittest" else rest[at + 1 :]
        return None
    if name == "coverage" and rest[0] == "run" and "-m" in rest:
        return rest[rest.index("-m") + 1 :]
    if name in ("docker", "podman", "docker-compose", "nerdctl"):
        return _inner_of_container(name, rest)
    if name == "xargs":
        return _skip_options(rest, frozenset(("-n", "-P", "-I", "-L", "-d")))
    return None


def _inner_of_runner(name: str, rest: list[str]) -> list[str] | None:
    before = _skip_options(rest, _RUN_VALUES)
    if name == "uv" and before[:2] == ["tool", "run"]:
        return _skip_options(before[2:], _RUN_VALUES)
    if name == "uv" and before[:1] == ["run"] and "-m" in before[1:4]:
        return before[before.index("-m") + 1 :]
    if not before or before[0] not in ("run", "exec"):
        return None
    inner = _skip_options(before[1:], _RUN_VALUES)
    if name == "hatch" and inner:
        return ["hatch-script", *inner] if ":" in inner[0] or len(inner) == 1 else inner
    return inner or None


def _inner_of_launcher(name: str, rest: list[str]) -> list[str] | None:
    if name == "pipx":
        return _skip_options(rest[1:], _RUN_VALUES) if rest[0] == "run" else None
    if name in ("uvx", "npx", "bunx"):
        inner = _skip_options(rest, _RUN_VALUES)
        return [re.sub(r"(?<=.)@.*", "", inner[0]), *inner[1:]] if inner else None
    for sign in ("--", "-c", "--command"):
        if sign in rest:
            return rest[rest.index(sign) + 1 :]
    return None


def _inner_of_container(name: str, rest: list[str]) -> list[str] | None:
    rest = _skip_options(rest, _DOCKER_VALUES)
    if rest[:1] == ["compose"]:
        name, rest = "docker-compose", _skip_options(rest[1:], _DOCKER_VALUES)
    waited = _value(rest, "--exit-code-from")
    if name == "docker-compose" and rest[:1] == ["up"] and waited:
        return ["compose-service", waited]
    if rest[:1] not in (["run"], ["exec"]):
        return None
    inner = _skip_options(rest[1:], _DOCKER_VALUES)
    if name == "docker-compose" and len(inner) == 1:
        return ["compose-service", inner[0]]
    return inner[1:] or None


def _has(args: list[str], *options: str) -> bool:
    return any(arg == option or arg.startswith(option + "=") for arg in args for option in options)


def _value(args: list[str], *options: str) -> str | None:
    for place, arg in enumerate(args):
        for option in options:
            if arg == option:
                return args[place + 1] if place + 1 < len(args) else ""
            if arg.startswith(option + "="):
                return arg[len(option) + 1 :]
    return None


def _subcommand(args: list[str], *known: str) -> str:
    return next((arg for arg in args if arg in known), "")


# Tool to kind, for tools that always check; the second group needs one of the given words among its arguments.
_PLAIN = {
    "pytest": CODE,
    "py.test": CODE,
    "nose2": CODE,
    "nosetests": CODE,
    "jest": CODE,
    "vitest": CODE,
    "bats": CODE,
    "ctest": CODE,
    "trial": CODE,
    "flake8": LINT,
    "pylint": LINT,
    "mypy": LINT,
    "pyright": LINT,
    "basedpyright": LINT,
    "pyflakes": LINT,
    "pycodestyle": LINT,
    "pydocstyle": LINT,
    "yamllint": LINT,
    "shellcheck": LINT,
    "actionlint": LINT,
    "eslint": LINT,
    "tsc": LINT,
    "codespell": LINT,
    "interrogate": LINT,
    "vulture": LINT,
    "markdownlint": LINT,
    "hadolint": LINT,
    "tflint": LINT,
    "cfn-lint": LINT,
    "kubeconform": LINT,
    "kubeval": LINT,
    "kube-linter": LINT,
    "check-jsonschema": LINT,
    "commitlint": LINT,
    "dbt-bouncer": LINT,
    "nbqa": LINT,
    "ansible-lint": LINT,
    "import-linter": LINT,
    "lint-imports": LINT,
    "deptry": LINT,
    "mdformat": LINT,
    "docformatter": LINT,
    "bandit": SECURITY,
    "pip-audit": SECURITY,
    "safety": SECURITY,
    "tfsec": SECURITY,
    "checkov": SECURITY,
    "terrascan": SECURITY,
    "zizmor": SECURITY,
    "detect-secrets-hook": SECURITY,
    "ggshield": SECURITY,
    "snyk": SECURITY,
    "grype": SECURITY,
    "osv-scanner": SECURITY,
    "poutine": SECURITY,
}
_WITH = {
    "soda": (DATA, ("scan", "verify")),
    "great_expectations": (DATA, ("checkpoint",)),
    "gx": (DATA, ("checkpoint",)),
    "sqlmesh": (DATA, ("test", "audit")),
    "datacontract": (DATA, ("test",)),
    "dataform": (COMPILE, ("compile", "test")),
    "sqlfluff": (LINT, ("lint", "parse")),
    "ruff": (LINT, ("check", ".")),
    "dbt-score": (LINT, ("lint",)),
    "helm": (LINT, ("lint", "template")),
    "ty": (LINT, ("check",)),
    "gitleaks": (SECURITY, ("detect", "protect", "git", "dir", "directory")),
    "promtool": (CODE, ("check", "test")),
    "conftest": (SECURITY, ("test", "verify")),
    "opa": (CODE, ("test",)),
    "dagster": (COMPILE, ("validate",)),
    "astro": (CODE, ("pytest", "parse")),
    "go": (CODE, ("test", "vet")),
    "cargo": (CODE, ("test", "clippy", "check")),
    "mvn": (CODE, ("test", "verify", "package", "install")),
    "mvnw": (CODE, ("test", "verify", "package", "install")),
    "gradle": (CODE, ("test", "check", "build")),
    "gradlew": (CODE, ("test", "check", "build")),
    "sbt": (CODE, ("test",)),
    "golangci-lint": (LINT, ("run",)),
    "airflow": (COMPILE, ("list-import-errors",)),
    "pip": (COMPILE, ("check",)),
    "uv": (COMPILE, ()),
    "poetry": (COMPILE, ()),
    "cruft": (LINT, ("check",)),
    "lightdash": (COMPILE, ("validate",)),
    "rill": (COMPILE, ("validate",)),
    "cdk": (COMPILE, ("synth", "diff")),
    "pulumi": (COMPILE, ("preview",)),
    "kubectl": (COMPILE, ("diff",)),
    "spectacles": (DATA, ("sql", "assert", "content")),
}
_ONLY_CHECKING = {  # formatters: a check only with one of these
    "black": ("--check",),
    "isort": ("--check", "--check-only", "-c"),
    "prettier": ("--check", "-c", "-l", "--list-different"),
    "autopep8": ("--exit-code",),
    "yapf": ("--diff", "-d"),
    "sqlfmt": ("--check", "--diff"),
    "mdformat": ("--check",),
    "docformatter": ("--check", "-c"),
    "shfmt": ("-d",),
    "gofmt": ("-d",),
    "nbstripout": ("--verify",),
    "jupytext": ("--test", "--test-strict"),
}
_NEVER_FAIL = {
    "flake8": ("--exit-zero",),
    "pylint": ("--exit-zero",),
    "ruff": ("--exit-zero", "-e"),
    "bandit": ("--exit-zero",),
    "sqlfluff": ("--nofail",),
    "checkov": ("--soft-fail", "-s"),
    "tfsec": ("--soft-fail", "-s"),
    "hadolint": ("--no-fail",),
    "terrascan": ("--non-recursive-never",),
    "pytest": ("--collect-only", "--co"),
    "dbt": (),
    "zizmor": ("--no-exit-codes",),
    "ggshield": ("--exit-zero",),
    "safety": ("--continue-on-error",),
    "tflint": ("--force",),
    "jest": ("--passWithNoTests-only",),
    "snyk": (),
    "yamllint": (),
    "codespell": (),
    "interrogate": (),
    "markdownlint": (),
}


_LENIENT = (
    "--exit-zero",
    "--warn-only",
    "--no-fail",
    "--nofail",
    "--soft-fail",
    "--no-exit-code",
    "--exit-code=0",
    "--no-error-on-findings",
)


def identify(words: list[str]) -> Check | None:
    """The check that an unwrapped command is, or None for everything else."""
    check = _identified(words)
    option = next((word for word in words[1:] if word in _LENIENT), None) if check and not check.mask else None
    return replace(check, mask=f"{option} makes {check.tool} end well whatever it finds") if option else check


def _identified(words: list[str]) -> Check | None:
    if not words:
        return None
    name, args = base(words[0]), words[1:]
    if args[:1] in (["--version"], ["--help"], ["-V"]) or (_has(args, "--version", "--help") and len(args) <= 2):
        return None
    if name == "python-module":
        return Check("unittest", CODE)
    special = _SPECIAL.get(name)
    if special is not None:
        return special(args)
    if name in _ONLY_CHECKING:
        return Check(name, LINT) if _has(args, *_ONLY_CHECKING[name]) else None
    kind = _PLAIN.get(name)
    if kind is None and name in _WITH and set(args) & set(_WITH[name][1]):
        kind = _WITH[name][0]
    if kind is None:
        return None
    option = next((one for one in _NEVER_FAIL.get(name, ()) if _has(args, one)), None)
    return Check(name, kind, f"{option} makes {name} end well whatever it finds" if option else None)


def _dbt(args: list[str]) -> Check | None:
    what = _subcommand(
        args,
        "build",
        "test",
        "run",
        "compile",
        "parse",
        "source",
        "docs",
        "seed",
        "snapshot",
        "ls",
        "list",
        "deps",
        "debug",
        "clone",
        "retry",
    )
    if what in ("build", "test"):
        kinds = _value(args, "--resource-type", "--resource-types") or ""
        no_tests = _has(args, "--empty") or "test" in (
            _value(args, "--exclude-resource-type", "--exclude-resource-types") or ""
        )
        if no_tests or (what == "build" and kinds and "test" not in kinds):
            return Check(f"dbt {what}", COMPILE)
        return Check(f"dbt {what}", DATA)
    if what in ("run", "compile", "parse") or (what == "docs" and "generate" in args):
        return Check(f"dbt {what}", COMPILE)
    return Check("dbt source freshness", DATA) if what == "source" and "freshness" in args else None


def _ruff(args: list[str]) -> Check | None:
    if "format" in args[:2]:
        return Check("ruff format", LINT) if _has(args, "--check", "--diff") else None
    if (
        (
            args
            and args[0] not in ("check", "rule", "config", "linter", "clean", "version", "server")
            and not args[0].startswith("-")
        )
        or "check" in args[:2]
        or args == []
    ):
        masked = next((one for one in ("--exit-zero", "-e") if _has(args, one)), None)
        return Check("ruff", LINT, f"{masked} makes ruff end well whatever it finds" if masked else None)
    return None


def _terraform(args: list[str]) -> Check | None:
    what = _subcommand(args, "validate", "plan", "fmt", "test", "validate-all", "plan-all")
    if what == "fmt":
        return Check("terraform fmt", LINT) if _has(args, "-check", "--check") else None
    return Check(f"terraform {what}", CODE if what == "test" else COMPILE) if what else None


def _trivy(args: list[str]) -> Check | None:
    if not _subcommand(args, "fs", "image", "config", "repo", "filesystem", "rootfs", "conf"):
        return None
    if (_value(args, "--exit-code") or "0") == "0":
        return Check("trivy", SECURITY, "trivy ends well whatever it finds unless --exit-code 1 is given")
    return Check("trivy", SECURITY)


def _gitleaks(args: list[str]) -> Check | None:
    if not _subcommand(args, "detect", "protect", "git", "dir", "directory"):
        return None
    return Check(
        "gitleaks",
        SECURITY,
        "--exit-code 0 makes gitleaks end well whatever it finds" if _value(args, "--exit-code") == "0" else None,
    )


def _trufflehog(args: list[str]) -> Check | None:
    if not _subcommand(args, "git", "github", "filesystem", "docker"):
        return None
    return Check(
        "trufflehog",
        SECURITY,
        None if _has(args, "--fail") else "trufflehog ends well whatever it finds unless --fail is given",
    )


def _semgrep(args: list[str]) -> Check | None:
    if "ci" in args[:1]:
        return Check("semgrep", SECURITY)
    return Check(
        "semgrep", SECURITY, None if _has(args, "--error") else "semgrep ends well whatever it finds unless --error is given"
    )


def _git(args: list[str]) -> Check | None:
    return Check("git diff", LINT) if args[:1] == ["diff"] and _has(args, "--exit-code", "--quiet", "--check") else None


def _detect_secrets(args: list[str]) -> Check | None:
    return None  # `detect-secrets scan` prints and ends well; only its hook fails


def _coverage(args: list[str]) -> Check | None:
    return Check("coverage", CODE) if args[:1] == ["report"] and _has(args, "--fail-under") else None


def _strict(option: tuple[str, ...]):
    return lambda args: Check("docs", COMPILE) if _has(args, *option) else None


def _poetry(args: list[str]) -> Check | None:
    return (
        Check("lock file", LINT)
        if args[:1] in (["check"], ["lock"]) and (args[:1] == ["check"] or _has(args, "--check"))
        else None
    )


def _uv(args: list[str]) -> Check | None:
    return Check("lock file", LINT) if args[:1] == ["lock"] and _has(args, "--check", "--locked") else None


def _compileall(args: list[str]) -> Check | None:
    return Check("compileall", COMPILE)


def _sqlmesh(args: list[str]) -> Check | None:
    what = _subcommand(args, "test", "audit", "plan", "lint", "format")
    if what == "format" and not _has(args, "--check"):
        return None
    return Check(f"sqlmesh {what}", {"test": DATA, "audit": DATA, "plan": COMPILE}.get(what, LINT)) if what else None


_SPECIAL = {
    "dbt": _dbt,
    "dbtf": _dbt,
    "ruff": _ruff,
    "terraform": _terraform,
    "tofu": _terraform,
    "terragrunt": _terraform,
    "trivy": _trivy,
    "gitleaks": _gitleaks,
    "trufflehog": _trufflehog,
    "semgrep": _semgrep,
    "git": _git,
    "detect-secrets": _detect_secrets,
    "coverage": _coverage,
    "sphinx-build": _strict(("-W", "-nW", "-W --keep-going")),
    "mkdocs": _strict(("--strict", "-s")),
    "poetry": _poetry,
    "uv": _uv,
    "compileall": _compileall,
    "py_compile": _compileall,
    "sqlmesh": _sqlmesh,
}

# Ready-made actions that check, with the inputs that keep them from failing.
_ACTIONS = {
    "pre-commit/action": (LINT, {}),
    "tox-dev/action-pre-commit-uv": (LINT, {}),
    "j178/prek-action": (LINT, {}),
    "psf/black": (LINT, {}),
    "astral-sh/ruff-action": (LINT, {"args": ("--exit-zero",)}),
    "chartboost/ruff-action": (LINT, {"args": ("--exit-zero",)}),
    "hadolint/hadolint-action": (LINT, {"no-fail": ("true",)}),
    "ibiqlik/action-yamllint": (LINT, {}),
    "ludeeus/action-shellcheck": (LINT, {}),
    "raven-actions/actionlint": (LINT, {"fail-on-error": ("false",)}),
    "rhysd/actionlint": (LINT, {}),
    "jakebailey/pyright-action": (LINT, {}),
    "py-actions/flake8": (LINT, {}),
    "isort/isort-action": (LINT, {}),
    "codespell-project/actions-codespell": (LINT, {"only_warn": ("true", "1")}),
    "super-linter/super-linter": (LINT, {}),
    "github/super-linter": (LINT, {}),
    "oxsecurity/megalinter": (LINT, {}),
    "gitleaks/gitleaks-action": (SECURITY, {}),
    "zricethezav/gitleaks-action": (SECURITY, {}),
    "trufflesecurity/trufflehog": (SECURITY, {}),
    "gitguardian/ggshield-action": (SECURITY, {}),
    "bridgecrewio/checkov-action": (SECURITY, {"soft_fail": ("true",)}),
    "aquasecurity/tfsec-action": (SECURITY, {"soft_fail": ("true",)}),
    "aquasecurity/trivy-action": (SECURITY, {"exit-code": ("0",)}),
    "github/codeql-action/analyze": (SECURITY, {}),
    "actions/dependency-review-action": (SECURITY, {"warn-only": ("true",)}),
    "pypa/gh-action-pip-audit": (SECURITY, {}),
    "zizmorcore/zizmor-action": (SECURITY, {}),
    "returntocorp/semgrep-action": (SECURITY, {}),
    "amannn/action-semantic-pull-request": (LINT, {}),
    "wagoid/commitlint-github-action": (LINT, {}),
    "tobymao/sqlmesh": (DATA, {}),
    "great-expectations/great_expectations_action": (DATA, {}),
    "sodadata/soda-github-action": (DATA, {}),
    "datafold/datafold-action": (DATA, {}),
    "yokawasa/action-sqlcheck": (LINT, {}),
    "yu-iskw/action-sqlfluff": (LINT, {}),
    "terraform-linters/setup-tflint": (LINT, {"_never": ()}),
    "nox-project/nox": (CODE, {}),
    "dbt-labs/actions/parse-ci": (COMPILE, {}),
    "mwouts/dbt-action": (DATA, {}),
    "mwhitaker/dbt-action": (DATA, {}),
}


def action(uses: str, given: dict[str, str], env: dict[str, str]) -> Check | None:
    """The check that a ready-made action is, with the inputs that mask it."""
    name = uses.split("@")[0].strip().lower()
    known = _ACTIONS.get(name) or _ACTIONS.get(next((one for one in _ACTIONS if name.startswith(one + "/")), ""))
    if known is None or "_never" in known[1]:
        return None
    kind, inputs = known
    for key, bad in inputs.items():
        value = str(given.get(key, "")).strip().lower()
        if any(value == one or (one.startswith("--") and one in value.split()) for one in bad):
            return Check(name, kind, f"`{key}: {value}` keeps it from failing")
    if name == "aquasecurity/trivy-action" and "exit-code" not in given:
        report = given.get("format", "") in ("sarif", "json")
        return Check(
            name, kind, "without `exit-code: 1` it ends well whatever it finds", "possible" if report else "certain"
        )
    if name.endswith("super-linter") and str(env.get("DISABLE_ERRORS", "")).lower() == "true":
        return Check(name, kind, "`DISABLE_ERRORS: true` keeps it from failing")
    if name == "mwhitaker/dbt-action" or name == "mwouts/dbt-action":
        return _dbt(str(given.get("dbt_command", "dbt build")).split()[1:])
    return Check(name, kind)
