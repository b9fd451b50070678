"""dbt projects (and their cousins): tests that are defined and can fail, contracts, freshness, targets, hard-coded names."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import Any

from dataops_audit import sql, yamllines
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree
from dataops_audit.yamllines import Map, child, is_false, is_true, items, line_of, words

ENOUGH, FEW = 0.6, 0.3
"""Shares of models with a test: from the first the coverage is good, below the second it is a gap."""
_GENERIC = frozenset(("unique", "not_null", "relationships", "accepted_values"))
_NEVER = re.compile(r"^\(?\s*(?:false|1\s*=\s*0|0\s*=\s*1|1\s*=\s*2|1\s*<>\s*1|1\s*!=\s*1)\s*\)?$", re.IGNORECASE)
_ALWAYS = re.compile(r"^\(?\s*(?:true|1\s*=\s*1|1|0\s*=\s*0)\s*\)?$", re.IGNORECASE)
_COMMENTED_TEST = re.compile(
    r"^\s*#\s*(?:-\s*(?:unique|not_null|relationships|accepted_values|dbt_utils\.\w+|"
    r"dbt_expectations\.\w+)\b\s*:?\s*$|(?:data_)?tests\s*:)"
)


@dataclass
class _Project:
    """One dbt project: where it is, its settings, and what its files say."""

    folder: str
    config: Map
    path: str
    models: dict[str, str] = field(default_factory=dict)
    tested: set[str] = field(default_factory=set)
    described: set[str] = field(default_factory=set)
    keyed: int = 0
    tests: int = 0

    def paths(self, name: str, default: list[str]) -> list[str]:
        """The folders of a kind, from the root of the tree."""
        given = (
            words(self.config.get(name))
            or words(self.config.get({"model-paths": "source-paths", "seed-paths": "data-paths"}.get(name, name)))
            or default
        )
        return [f"{self.folder}/{one}".strip("/") + "/" for one in given]


def read(tree: Tree, seen: Seen) -> None:
    """Every project, every profile, then files that look like dbt without a project around them."""
    for path in tree.named("dbt_project.yml", "dbt_project.yaml"):
        config = _loaded(tree, seen, path)
        if isinstance(config, dict):
            folder = path.rsplit("/", 1)[0] if "/" in path else ""
            _project(tree, seen, _Project(folder, config, path))
    if not tree.named("dbt_project.yml"):
        _loose(tree, seen)
    for path in tree.named("profiles.yml", "profiles.yaml"):
        _profiles(tree, seen, path)
    for path in tree.named("packages.yml", "dependencies.yml"):
        _packages(tree, seen, path)
    _cousins(tree, seen)
    _by_hand(tree, seen)
    _grants(tree, seen)


def _loaded(tree: Tree, seen: Seen, path: str) -> Any:
    try:
        return yamllines.first(tree.text(path) or "")
    except yamllines.BrokenYaml as error:
        seen.skipped.append((path, f"YAML that cannot be read: {error} (line {error.line})"))
        return None


def _below(tree: Tree, folders: list[str], *ends: str) -> list[str]:
    paths = tree.ending(*ends)
    if folders == ["/"]:
        return paths
    return sorted({path for folder in folders for path in _in_folder(paths, folder)})


def _in_folder(paths: list[str], folder: str) -> list[str]:
    """Those of sorted paths that begin with a folder: they stand together."""
    return paths[bisect_left(paths, folder) : bisect_left(paths, folder + chr(0x10FFFF))]


def _project(tree: Tree, seen: Seen, project: _Project) -> None:
    models, tests = project.paths("model-paths", ["models"]), project.paths("test-paths", ["tests"])
    for path in _below(tree, models, ".sql", ".py"):
        project.models[path.rsplit("/", 1)[-1].rsplit(".", 1)[0]] = path
        if path.endswith(".sql"):
            _model(tree, seen, path)
    if project.models:
        seen.add("vc.logic", project.path, 1, f"{len(project.models)} models of a dbt project are kept in Git")
    _project_settings(seen, project)
    folders = models + project.paths("snapshot-paths", ["snapshots"]) + project.paths("seed-paths", ["seeds"]) + tests
    for path in _below(tree, folders, ".yml", ".yaml"):
        _properties(tree, seen, project, path)
    generic = [folder + "generic/" for folder in tests]
    for path in _below(tree, tests, ".sql"):
        if not path.startswith(tuple(generic)):
            _singular(tree, seen, project, path)
    macros = _below(tree, project.paths("macro-paths", ["macros"]), ".sql")
    for path in macros:
        text = sql.without_comments(tree.text(path) or "")
        if re.search(r"macro\s+generate_(schema|database)_name\b", text):
            seen.add("env.schema-per-target", path, 1, "A macro keeps the schemas of targets apart")
    _measure(seen, project)


def _loose(tree: Tree, seen: Seen) -> None:
    """Property files outside a project: judged for their tests, not for coverage."""
    project = _Project("", Map(), "")
    for path in tree.ending(".yml", ".yaml"):
        text = tree.text(path) or ""
        if re.search(r"^(models|sources|unit_tests|snapshots)\s*:", text, re.MULTILINE) and not path.startswith("."):
            _properties(tree, seen, project, path)
    for path in tree.ending(".sql"):
        if re.search(r"\{\{\s*(ref|source|config)\(", tree.text(path) or ""):
            if re.search(r"(^|/)tests?/", path):
                _singular(tree, seen, project, path)
            else:
                _model(tree, seen, path)


def _project_settings(seen: Seen, project: _Project) -> None:
    for key in ("tests", "data_tests"):
        node = project.config.get(key)
        for path, one in yamllines.walk(node) if isinstance(node, dict) else []:
            name = path[-1].lstrip("+") if path else ""
            if name == "enabled" and is_false(one):
                seen.add(
                    "tests.disabled",
                    project.path,
                    line_of(one),
                    f"dbt_project.yml switches off the tests below {'.'.join((key, *path[:-1]))}",
                )
            elif name == "severity" and str(one).lower() == "warn":
                seen.add(
                    "tests.only-warn",
                    project.path,
                    line_of(one),
                    f"dbt_project.yml lets the tests below {'.'.join((key, *path[:-1]))} only warn",
                )


def _model(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    code = sql.without_comments(text)
    for line, name, parts in sql.relations(text)[:3]:
        sure = "certain" if parts >= 3 else "likely"
        seen.add("env.hard-coded", path, line, f"The model reads {name} by its own name, past ref() and source()", sure)
    config = re.search(r"config\((.*?)\)\s*-?\}\}", code, re.DOTALL)
    if config and re.search(r"materialized\s*=\s*['\"]incremental", config[1]):
        line = code.count("\n", 0, config.start()) + 1
        if re.search(r"unique_key|insert_overwrite|delete\+insert|microbatch|replace_where", config[1]):
            seen.add(
                "run.idempotent",
                path,
                line,
                "The incremental model replaces rows by key, so a second run does not double them",
            )
        else:
            seen.add(
                "run.appends",
                path,
                line,
                "The incremental model has no unique_key: what is loaded twice stands there twice",
                "possible",
            )


def _properties(tree: Tree, seen: Seen, project: _Project, path: str) -> None:
    root = _loaded(tree, seen, path)
    if not isinstance(root, dict):
        return
    before = project.tests
    for kind in ("models", "seeds", "snapshots"):
        for one in items(root.get(kind)):
            if isinstance(one, dict):
                _resource(seen, project, path, one)
    for source in items(root.get("sources")):
        _source(seen, project, path, source)
    for one in items(root.get("unit_tests")):
        if is_false(child(one, "config", "enabled")):
            seen.add("tests.disabled", path, line_of(one), f"The unit test {child(one, 'name')} is switched off")
        elif child(one, "expect") is not None:
            seen.add("tests.unit", path, line_of(one), f"A unit test of {child(one, 'model')}: {child(one, 'name')}")
    if root.get("exposures"):
        seen.add("obs.exposures", path, root.at("exposures"), f"{len(items(root['exposures']))} consumers are written down")
    commented = [(line, row) for line, row in enumerate(tree.lines(path), 1) if _COMMENTED_TEST.match(row)]
    if commented and (project.tests == before or len(commented) > 2):
        seen.add(
            "tests.commented-out", path, commented[0][0], f"{len(commented)} lines with tests are commented out", "likely"
        )


def _resource(seen: Seen, project: _Project, path: str, one: Map) -> None:
    name = str(one.get("name", ""))
    live, keys = _tests_of(seen, project, path, one, name)
    if one.get("description"):
        project.described.add(name)
    for config in (one, one.get("config")):
        if is_true(child(config, "contract", "enforced")):
            seen.add("tests.contract", path, line_of(one), f"{name} has a contract")
    for column in items(one.get("columns")):
        if isinstance(column, dict):
            more, column_keys = _tests_of(seen, project, path, column, f"{name}.{column.get('name')}")
            live += more
            keys |= {"key"} if {"unique", "not_null"} <= column_keys else set()
            keys |= {"key"} if "unique" in column_keys and child(column, "constraints") else set()
    for keys, value in yamllines.walk(one):
        if keys and keys[-1] in ("policy_tags", "masking_policy") and value:
            seen.add("sec.masking", path, line_of(value), f"{name} masks personal data")
    for version in items(one.get("versions")):
        for column in items(child(version, "columns")):
            if isinstance(column, dict):
                live += _tests_of(seen, project, path, column, name)[0]
    if live:
        project.tested.add(name)
        project.keyed += "key" in keys


def _tests_of(seen: Seen, project: _Project, path: str, node: Map, where: str) -> tuple[int, set[str]]:
    """The tests of a model or column that can fail, and which keys they guard."""
    live, kinds = 0, set()
    for test in [*items(node.get("data_tests")), *items(node.get("tests"))]:
        name, settings = _test(test)
        if not name:
            continue
        kinds.add("key" if "unique_combination" in name or name == "primary_key" else name.rsplit(".", 1)[-1])
        trouble = _trouble(name, settings, node, where)
        if trouble:
            rule, what, sure = trouble
            seen.add(rule, path, line_of(test), what, sure)
            if rule != "tests.only-warn":
                continue
        live += 1
        project.tests += 1
        seen.add("tests.data", path, line_of(test), f"{where} is tested: {name}")
        if name.rsplit(".", 1)[-1] not in _GENERIC and "unique_combination" not in name:
            seen.add("tests.business", path, line_of(test), f"{where} keeps a rule of its own: {name}")
    return live, kinds


def _test(test: Any) -> tuple[str, Map]:
    if isinstance(test, str):
        return str(test), Map()
    if not isinstance(test, dict) or not test:
        return "", Map()
    named = child(test, "test_name")
    if isinstance(named, str):
        return str(named), test
    name = next((key for key in test if key not in ("name", "description", "config", "arguments")), "")
    settings = test.get(name)
    merged = Map(settings if isinstance(settings, dict) else {})
    for key in ("config", "arguments"):
        if isinstance(test.get(key), dict):
            merged.setdefault(key, test[key])
    return str(name), merged


def _trouble(name: str, settings: Map, node: Map, where: str) -> tuple[str, str, str] | None:
    """Why a test cannot fail: rule, sentence, sureness; None where it can."""
    config = {
        **{key: settings.get(key) for key in ("enabled", "severity", "where", "error_if", "warn_if", "limit")},
        **(settings.get("config") if isinstance(settings.get("config"), dict) else {}),
    }
    given = {**settings, **(settings.get("arguments") if isinstance(settings.get("arguments"), dict) else {})}
    if is_false(config.get("enabled")):
        return "tests.disabled", f"The test {name} of {where} is switched off", "certain"
    condition = str(config.get("where") or "").strip()
    column = str(node.get("name", ""))
    if condition and (
        _NEVER.match(condition)
        or (name == "not_null" and re.fullmatch(rf"{re.escape(column)}\s+is\s+not\s+null", condition, re.IGNORECASE))
    ):
        return "tests.toothless", f"The test {name} of {where} judges no row: where {condition}", "certain"
    if name.endswith("expression_is_true") and _ALWAYS.match(str(given.get("expression") or "").strip()):
        return "tests.toothless", f"The test {name} of {where} is always true", "certain"
    if str(config.get("limit") or "") == "0":
        return "tests.toothless", f"The test {name} of {where} looks at no row: limit 0", "certain"
    threshold = re.fullmatch(r">=?\s*(\d+)", str(config.get("error_if") or "").strip())
    if threshold and int(threshold[1]) >= 1_000_000:
        return "tests.toothless", f"The test {name} of {where} fails only above {threshold[1]} rows", "likely"
    if str(config.get("severity") or "").lower() == "warn":
        return "tests.only-warn", f"The test {name} of {where} only warns", "likely"
    return None


def _source(seen: Seen, project: _Project, path: str, source: Any) -> None:
    if not isinstance(source, dict):
        return
    _freshness(seen, path, source, str(source.get("name", "")), None)
    for table in items(source.get("tables")):
        if isinstance(table, dict):
            name = f"{source.get('name')}.{table.get('name')}"
            _freshness(seen, path, table, name, source)
            _tests_of(seen, project, path, table, name)
            for column in items(table.get("columns")):
                if isinstance(column, dict):
                    _tests_of(seen, project, path, column, f"{name}.{column.get('name')}")


def _freshness(seen: Seen, path: str, node: Map, name: str, above: Map | None) -> None:
    fresh = child(node, "freshness") or child(node, "config", "freshness")
    if not isinstance(fresh, dict):
        return
    places = [one for one in (node, child(node, "config"), above, child(above, "config")) if isinstance(one, dict)]
    loaded = any(one.get(key) for one in places for key in ("loaded_at_field", "loaded_at_query")) or any(
        "loaded_at_field" in table for table in items(node.get("tables")) if isinstance(table, dict)
    )
    limits = [key for key in ("warn_after", "error_after") if child(fresh, key, "count") is not None]
    if not limits:
        seen.add("obs.freshness-idle", path, line_of(fresh), f"The freshness of {name} has no limit", "likely")
    elif not loaded:
        seen.add("obs.freshness", path, line_of(fresh), f"{name} has a freshness limit", "likely")
        seen.add(
            "obs.freshness-idle",
            path,
            line_of(fresh),
            f"The freshness of {name} names no loaded_at_field: only some warehouses can tell without",
            "possible",
        )
    else:
        seen.add("obs.freshness", path, line_of(fresh), f"{name} must be fresh: {', '.join(limits)}")


def _singular(tree: Tree, seen: Seen, project: _Project, path: str) -> None:
    text = tree.text(path) or ""
    code = sql.without_comments(text)
    if re.search(r"\{%-?\s*(test|macro|data_test)\s", code):
        return
    nothing = sql.returns_nothing(text)
    config = re.search(r"config\((.*?)\)\s*-?\}\}", code, re.DOTALL)
    settings = config[1] if config else ""
    line = code.count("\n", 0, config.start()) + 1 if config else 1
    if nothing:
        rule = "tests.commented-out" if "commented" in nothing else "tests.toothless"
        seen.add(rule, path, 1, f"This test never finds a row: {nothing}")
    elif re.search(r"enabled\s*=\s*(false|False)", settings):
        seen.add("tests.disabled", path, line, "This test is switched off")
    elif code.strip():
        project.tests += 1
        seen.add("tests.data", path, 1, "A test of its own looks for rows that must not be")
        seen.add("tests.business", path, 1, "A rule of the business is tested")
        for ref in re.findall(r"ref\(\s*['\"](\w+)['\"]", code):
            project.tested.add(ref)
        if re.search(r"severity\s*=\s*['\"]warn['\"]", settings) and "error_if" not in settings:
            seen.add("tests.only-warn", path, line, "This test only warns", "likely")


MANY_WARN = 0.2
"""Share of tests that only warn from which it is a habit and no longer a choice."""


def _measure(seen: Seen, project: _Project) -> None:
    warn = [one for one in seen.findings if one.rule == "tests.only-warn" and one.sure == "likely"]
    if project.tests and len(warn) < MANY_WARN * project.tests:
        few = set(warn)
        seen.findings[:] = [replace(one, sure="possible") if one in few else one for one in seen.findings]
    count = len(project.models)
    if not count:
        return
    tested = len(project.tested & set(project.models))
    share = tested / count
    if share >= ENOUGH:
        seen.add("tests.coverage", project.path, 1, f"{tested} of {count} models have a test")
    elif project.tests and share < FEW:
        seen.add("tests.few", project.path, 1, f"Only {tested} of {count} models have a test")
    if project.keyed:
        seen.add("tests.keys", project.path, 1, f"{project.keyed} tables have a key that is tested to be unique and present")
    if project.tests and not seen.has("tests.unit"):
        seen.add("tests.no-unit", project.path, 1, "No model has a unit test")
    described = len(project.described & set(project.models))
    if described * 2 >= count:
        seen.add("obs.documented", project.path, 1, f"{described} of {count} models are described")
    if not project.tests:
        seen.add("tests.few", project.path, 1, f"None of {count} models has a test that can fail")
    if not seen.has("obs.freshness"):
        seen.add("obs.no-freshness", project.path, 1, "No source has a freshness limit")


def _profiles(tree: Tree, seen: Seen, path: str) -> None:
    root = _loaded(tree, seen, path)
    for name, profile in root.items() if isinstance(root, dict) else []:
        outputs = child(profile, "outputs")
        if not isinstance(outputs, dict) or name == "config":
            continue
        places = {
            str(
                (
                    one.get("schema"),
                    one.get("dataset"),
                    one.get("database"),
                    one.get("dbname"),
                    one.get("path"),
                    one.get("project"),
                    one.get("catalog"),
                    one.get("host"),
                )
            )
            for one in outputs.values()
            if isinstance(one, dict)
        }
        chosen = any("env_var" in place for place in places)
        default = str(profile.get("target", ""))
        names = ", ".join(outputs)
        if len(outputs) > 1 and len(places) > 1:
            seen.add("env.targets", path, line_of(outputs), f"Targets {names} write to places of their own")
        elif chosen:
            seen.add("env.targets", path, line_of(outputs), "The environment chooses where a target writes", "likely")
        elif len(outputs) > 1:
            seen.add("env.one-target", path, line_of(outputs), f"Targets {names} write to the same place")
        else:
            seen.add("env.one-target", path, line_of(outputs), f"There is one target only: {names}", "likely")
        if re.fullmatch(r"prod(uction)?|live|main", default) and len(outputs) > 1:
            seen.add("env.default-prod", path, profile.at("target"), f"The default target is {default}")
        for keys, value in yamllines.walk(outputs):
            if isinstance(value, str) and "env_var(" in value:
                seen.add("env.variables", path, line_of(value), f"{keys[-1]} comes from the environment")
            if keys and keys[-1] == "role" and isinstance(value, str) and value.upper() in ("ACCOUNTADMIN", "SECURITYADMIN"):
                seen.add("sec.full-access", path, line_of(value), f"dbt runs as {value}, who may do everything", "likely")


def _packages(tree: Tree, seen: Seen, path: str) -> None:
    root = _loaded(tree, seen, path)
    for one in items(child(root, "packages")):
        name = str(child(one, "package") or child(one, "git") or "")
        if re.search(r"elementary|re_data|monte_?carlo|dbt_observability", name):
            seen.add("obs.monitor", path, line_of(one), f"{name} keeps a history of tests and volumes")
        if child(one, "git") is not None and child(one, "revision") is None:
            seen.add("env.unlocked", path, line_of(one), f"The package {name} follows a branch", "likely")


_CHANGES = re.compile(
    (
        r"(?:^|;)\s*(?:update\s+[\w.\"`]+\s+set|delete\s+from|insert\s+into|alter\s+table|merge\s+into|"
        r"create\s+or\s+replace\s+(?:view|table)|truncate)\b"
    ),
    re.IGNORECASE,
)
_HANDMADE = re.compile(
    r"hot[-_ ]?fix|quick[-_ ]?fix|manual|ad[-_]?hoc|by[-_]hand|fix[-_]prod|prod[-_]?fix|one[-_]?off|emergency", re.IGNORECASE
)
_NOT_BY_HAND = re.compile(
    (
        r"(^|/)(models|tests?|macros|seeds|snapshots|analyses|migrations?|alembic|flyway|liquibase|"
        r"init[\w-]*|docker[\w-]*|ddl|schema|setup|fixtures?|examples?)/"
    ),
    re.IGNORECASE,
)


def _by_hand(tree: Tree, seen: Seen) -> None:
    """Statements kept beside the project that somebody runs in production."""
    for path in tree.ending(".sql"):
        if _NOT_BY_HAND.search(path):
            continue
        code = sql.without_comments(tree.text(path) or "")
        change = _CHANGES.search(code)
        if change is None or "{{" in code:
            continue
        line = code.count("\n", 0, change.start() + len(change[0]) - len(change[0].lstrip("; \n"))) + 1
        on_production = re.search(r"\b(?:prod|production|live)(?:_\w+)?\.\w", code, re.IGNORECASE)
        if _HANDMADE.search(path) or on_production:
            seen.add("env.by-hand", path, line, "Changes production by hand", "likely")


_TO_ALL = re.compile(r"\bgrant\s+(?:all(?:\s+privileges)?|ownership)\b[^;]*?\bto\s+(?:role\s+)?\"?public\b", re.IGNORECASE)
_OF_ALL = re.compile(
    r"\bgrant\s+role\s+\"?(?:accountadmin|sysadmin|securityadmin)\"?\s+to\s+(?:user|"
    r"role)\s+(?!\"?(?:sysadmin|accountadmin|securityadmin))\w"
    r"|\bgrant\s+all(?:\s+privileges)?\s+on\s+(?:account|\*\.\*)|\b(?:alter|create)\s+(?:user|"
    r"role)\s+[^;]*?\b(?<!no)superuser\b",
    re.IGNORECASE,
)


def _grants(tree: Tree, seen: Seen) -> None:
    """Rights that are handed out in SQL."""
    for path in tree.ending(".sql"):
        text = tree.text(path) or ""
        if "grant" not in text.lower() and "superuser" not in text.lower():
            continue
        code = sql.without_comments(text)
        for pattern, rule, what in (
            (_OF_ALL, "sec.full-access", "Hands out every right"),
            (_TO_ALL, "sec.broad-access", "Gives every right to everybody"),
        ):
            if hit := pattern.search(code):
                shown = re.sub(r"\s+", " ", hit[0])[:70]
                seen.add(rule, path, code.count("\n", 0, hit.start()) + 1, f"{what}: {shown}", "likely")


def _cousins(tree: Tree, seen: Seen) -> None:
    """SQLMesh and Dataform."""
    for path in tree.ending(".sql"):
        text = tree.text(path) or ""
        head = re.search(r"^\s*MODEL\s*\(", sql.without_comments(text), re.MULTILINE)
        if head:
            seen.add("vc.logic", path, 1, "Models of SQLMesh are kept in Git")
            body = sql.without_comments(text)[head.end() : head.end() + 3_000]
            if audits := re.search(r"\baudits\s*\(?\s*(\w[^;]*)", body):
                seen.add("tests.data", path, 1, f"The model is audited: {audits[1][:40].strip()}")
            if re.search(r"kind\s+INCREMENTAL_BY", body):
                seen.add("run.idempotent", path, 1, "The incremental model replaces its interval")
        elif re.match(r"\s*AUDIT\s*\(", sql.without_comments(text)):
            seen.add("tests.business", path, 1, "An audit of its own")
    for path in tree.ending(".sqlx"):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", tree.text(path) or "", flags=re.DOTALL)
        seen.add("vc.logic", path, 1, "Models of Dataform are kept in Git")
        if re.search(r"\bassertions\s*:\s*\{|type\s*:\s*[\"']assertion", text):
            seen.add("tests.data", path, 1, "The model has assertions")
