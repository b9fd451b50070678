"""Workflows as code (Airflow, Dagster, Prefect, plain ones) by their syntax tree: what is declared, not what is mentioned."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from dataops_audit import checks, pythonruns, shell, yamllines
from dataops_audit.findings import Seen
from dataops_audit.pythonruns import constant, dotted, keyword
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, items, line_of

_LIBRARIES = (
    "airflow",
    "dagster",
    "prefect",
    "luigi",
    "mage_ai",
    "kedro",
    "flytekit",
    "metaflow",
    "cosmos",
    "temporalio",
    "hamilton",
)
_ALERTING = frozenset(
    (
        "on_failure_callback",
        "on_retry_callback",
        "sla_miss_callback",
        "on_failure",
        "on_crashed",
        "email_on_failure",
        "on_execute_callback",
        "deadline",
    )
)
_SENSOR = re.compile(r"Sensor$|^sensor$|run_status_sensor|run_failure_sensor|asset_sensor")
_INSERTS = re.compile(r"\binsert\s+into\b", re.IGNORECASE)
_REPLACES = re.compile(
    (
        r"\bon\s+conflict\b|\bmerge\s+into\b|\bdelete\s+from\b|\binsert\s+overwrite\b|"
        r"\binsert\s+or\s+(replace|ignore)|\btruncate\b|\bcreate\s+or\s+replace\b|"
        r"\bon\s+duplicate\s+key\b|not\s+exists"
    ),
    re.IGNORECASE,
)
_CONNECTS = frozenset(
    (
        "connect",
        "create_engine",
        "read_sql",
        "read_csv",
        "get",
        "execute",
        "Session",
        "Client",
        "get_records",
        "get_pandas_df",
    )
)
_IMPORT_WORK = re.compile(
    r"^(psycopg2\.connect|snowflake\.connector\.connect|duckdb\.connect|requests\.(get|post)|"
    r"pd\.read_\w+|pandas\.read_\w+|boto3\.client\(|Variable\.get|sqlalchemy\.create_engine)$"
)


@dataclass
class _Facts:
    """What a file declares, with the line of each."""

    schedule: int = 0
    retries: int = 0
    timeout: int = 0
    alert: int = 0
    catchup: int = 0
    dependencies: int = 0
    tasks: int = 0
    dag: int = 0
    sensors: int = 0
    none_schedule: bool = False
    retries_zero: bool = False
    named: set[str] = field(default_factory=set)


def read(tree: Tree, seen: Seen) -> None:
    """Every Python file that imports an orchestrator, then schedules that are written elsewhere."""
    for path in tree.ending(".py"):
        text = tree.text(path) or ""
        if re.search(r"(^|/)(tests?|docs?|snippets)/", path) or path.rsplit("/", 1)[-1].startswith("test_"):
            continue
        if any(name in text for name in _LIBRARIES) or re.search(r"^RETRIES\b", text, re.MULTILINE):
            _file(seen, path, text)
    _elsewhere(tree, seen)
    _scripts(tree, seen)
    _notice_gaps(seen)


def _imports(module: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _file(seen: Seen, path: str, text: str) -> None:
    module = pythonruns.parsed(text)
    if module is None:
        if not re.search(r"(^|/)[\w-]*templates?/|\{\{|\{%|^\s*\$\{|= ?\$\{", f"{path}\n{text}", re.MULTILINE) and re.search(
            r"^(from|import) (airflow|dagster|prefect)\b", text, re.MULTILINE
        ):
            seen.add(
                "run.broken",
                path,
                _broken_line(text),
                "Python cannot parse this file, so its workflow never runs",
                "likely" if "print " in text else "certain",
            )
        return
    used = _imports(module) & set(_LIBRARIES)
    if not used:
        _plain(seen, path, module)
        return
    facts = _Facts()
    for node in ast.walk(module):
        _node(facts, node, used)
    if not (facts.dag or facts.tasks):
        return
    if facts.dag:
        seen.add("run.workflow", path, facts.dag, f"A workflow of {', '.join(sorted(used))}")
    for rule, line, what in (
        ("run.schedule", facts.schedule, "It starts by itself"),
        ("run.retries", facts.retries, "Failed tasks are tried again"),
        ("run.timeout", facts.timeout, "Tasks have a time limit"),
        ("run.alert", facts.alert, "A failure calls somebody"),
        ("run.catchup", facts.catchup, "Catch-up was decided"),
        ("run.dependencies", facts.dependencies, "Tasks wait for each other"),
    ):
        if line:
            seen.add(rule, path, line, what)
    _troubles(seen, path, module, used, text)


def _broken_line(text: str) -> int:
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError):
        pass
    return 1


def _node(facts: _Facts, node: ast.AST, used: set[str]) -> None:
    if isinstance(node, ast.Call):
        _call(facts, node)
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            _setting(facts, str(constant(key) or ""), value)
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for decorator in node.decorator_list:
            name = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator).rsplit(".", 1)[-1]
            if name in ("dag", "flow", "job", "asset", "multi_asset", "graph", "dbt_assets", "workflow", "schedule"):
                facts.dag = facts.dag or node.lineno
            if name in ("task", "op", "asset", "multi_asset", "dbt_assets", "step"):
                facts.tasks += 1
                if (
                    name in ("asset", "multi_asset")
                    and node.args.args
                    and any(arg.arg not in ("context", "self") for arg in node.args.args)
                ):
                    facts.dependencies = facts.dependencies or node.lineno
    elif isinstance(node, ast.ClassDef) and any(
        dotted(base).rsplit(".", 1)[-1] in ("Task", "FlowSpec", "WrapperTask") for base in node.bases
    ):
        facts.dag = facts.dag or node.lineno
        facts.tasks += 1
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.RShift | ast.LShift):
        facts.dependencies = facts.dependencies or node.lineno
    elif isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "default_args" for target in node.targets
    ):
        pass


def _call(facts: _Facts, node: ast.Call) -> None:
    name = dotted(node.func).rsplit(".", 1)[-1] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    if name in ("DAG", "DbtDag", "Definitions", "define_asset_job", "load_assets_from_modules", "flow", "dag"):
        facts.dag = facts.dag or node.lineno
    if name.endswith(("Operator", "Sensor")) or name == "DbtTaskGroup":
        facts.tasks += 1
        facts.sensors += name.endswith("Sensor")
    if name in (
        "ScheduleDefinition",
        "build_schedule_from_partitioned_job",
        "CronSchedule",
        "IntervalSchedule",
        "AutomationCondition",
        "build_sensor_for_freshness_checks",
    ):
        facts.schedule = facts.schedule or node.lineno
    if name in ("set_downstream", "set_upstream", "chain", "cross_downstream", "submit", "map", "expand"):
        facts.dependencies = facts.dependencies or node.lineno
    if name in ("RetryPolicy", "exponential_backoff"):
        facts.retries = facts.retries or node.lineno
    if name in (
        "make_slack_on_run_failure_sensor",
        "make_email_on_run_failure_sensor",
        "run_failure_sensor",
        "SlackNotifier",
        "PagerdutyNotifier",
        "make_teams_on_run_failure_sensor",
    ):
        facts.alert = facts.alert or node.lineno
    for one in node.keywords:
        _setting(facts, one.arg or "", one.value)


def _setting(facts: _Facts, name: str, value: ast.AST) -> None:
    line = getattr(value, "lineno", 1)
    known = constant(value)
    unset = isinstance(value, ast.Constant) and known in (None, False, 0, "", "@once")
    if name in ("schedule", "schedule_interval", "cron_schedule", "cron", "automation_condition", "timetable"):
        facts.none_schedule |= unset
        facts.schedule = facts.schedule or (0 if unset else line)
    elif name in ("retries", "max_retries", "retry_policy"):
        facts.retries_zero |= unset
        facts.retries = facts.retries or (0 if unset else line)
    elif name in ("execution_timeout", "dagrun_timeout", "timeout_seconds", "timeout", "max_runtime", "dagster/max_runtime"):
        facts.timeout = facts.timeout or (0 if unset else line)
    elif name in _ALERTING:
        empty = isinstance(value, ast.List) and not value.elts
        facts.alert = facts.alert or (0 if unset or empty else line)
    elif name == "catchup":
        facts.catchup = facts.catchup or line
    elif name in ("deps", "ins", "wait_for") and not unset:
        facts.dependencies = facts.dependencies or line


def _troubles(seen: Seen, path: str, module: ast.Module, used: set[str], text: str) -> None:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            _bash(seen, path, node)
            for one in node.keywords:
                _moving(seen, path, one.arg, one.value)
                if one.arg == "trigger_rule" and str(
                    constant(one.value) or dotted(one.value).rsplit(".", 1)[-1]
                ).lower() in ("all_done", "always", "one_done", "dummy"):
                    task = str(constant(keyword(node, "task_id")) or "")
                    if re.search(
                        r"publish|swap|promot|deploy|load|export|refresh|expose|release|write", task, re.IGNORECASE
                    ):
                        seen.add(
                            "run.publishes-anyway",
                            path,
                            one.value.lineno,
                            f"{task} runs although what stands before it failed",
                            "likely",
                        )
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                _moving(seen, path, constant(key), value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _swallowing(seen, path, node)
            _inserting(seen, path, node)
    if "airflow" in used:
        _import_work(seen, path, module)


def _bash(seen: Seen, path: str, node: ast.Call) -> None:
    """A task that runs a check in a shell which hides its failure: green whatever the data is."""
    for name in ("bash_command", "command", "commands", "cmds", "arguments"):
        value = keyword(node, name)
        for text in _shell_texts(value):
            for run in shell.runs(text):
                check = checks.identify(checks.unwrapped(run.words))
                if check is not None and (run.mask or check.mask):
                    seen.add(
                        "run.swallowed",
                        path,
                        getattr(value, "lineno", node.lineno),
                        f"The task's `{run.text[:60]}` cannot fail it: {run.mask or check.mask}",
                    )


def _shell_texts(value: ast.AST | None) -> list[str]:
    """The scripts in a text, an f-string (what is put in becomes a word), or `["bash", "-c", script]`."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return [value.value]
    if isinstance(value, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else "placed" for part in value.values)]
    if isinstance(value, ast.List | ast.Tuple):
        parts = [text for one in value.elts for text in _shell_texts(one)]
        return parts[-1:] if any(part in ("-c", "-lc", "-ec") for part in parts) else []
    return []


def _scripts(tree: Tree, seen: Seen) -> None:
    """Shell scripts of the daily run whose data tests cannot fail them; scripts that CI reaches are judged there."""
    reached = {run.executed.file for run in seen.checks}
    for path in tree.ending(".sh"):
        text = tree.text(path) or ""
        if (
            path in reached
            or ("dbt" not in text and "soda" not in text)
            or re.search(r"(^|/)(tests?|docs?|examples?|demo)/|demo|example", path)
        ):
            continue
        first = text.split("\n", 1)[0]
        for run in shell.runs(text, errexit=bool(re.match(r"#!.*\s-\w*e", first))):
            check = checks.identify(checks.unwrapped(run.words))
            if check is not None and check.kind == checks.DATA and (run.mask or check.mask):
                why = run.mask or check.mask or ""
                seen.add(
                    "run.swallowed",
                    path,
                    run.line,
                    f"`{run.text[:60]}` cannot fail the run: {why}",
                    "likely" if why.startswith("`||") else "possible",
                )


def _moving(seen: Seen, path: str, name: object, value: ast.AST) -> None:
    if name != "start_date":
        return
    for one in ast.walk(value):
        if isinstance(one, ast.Call) and dotted(one.func).rsplit(".", 1)[-1] in ("now", "today", "utcnow", "days_ago"):
            seen.add("run.moving-start", path, one.lineno, f"start_date moves: {dotted(one.func)}()")


def _swallowing(seen: Seen, path: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """A function whose whole work stands in a try whose except neither raises nor returns."""
    body = [one for one in function.body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
    for node in body:
        if (
            not isinstance(node, ast.Try)
            or len(body) > 4
            or (len(node.body) < 2 and not any(isinstance(one, ast.Call) for one in ast.walk(node)))
        ):
            continue
        for handler in node.handlers:
            broad = handler.type is None or dotted(handler.type) in ("Exception", "BaseException", "AirflowException")
            quiet = not any(
                isinstance(one, ast.Raise | ast.Return | ast.Continue | ast.Break)
                or (isinstance(one, ast.Call) and re.search(r"exit$|fail$|skip$|abort$", dotted(one.func)))
                for one in ast.walk(handler)
            )
            if broad and quiet and body[-1] is node:
                seen.add(
                    "run.swallowed",
                    path,
                    handler.lineno,
                    f"{function.name} hides every error: it ends well whatever happened",
                    "likely",
                )


def _inserting(seen: Seen, path: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    strings = [one.value for one in ast.walk(function) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    everything = " ".join(strings)
    if _REPLACES.search(everything):
        seen.add("run.idempotent", path, function.lineno, f"{function.name} replaces or merges what it writes", "likely")
    elif _INSERTS.search(everything):
        seen.add(
            "run.appends",
            path,
            function.lineno,
            f"{function.name} inserts without deleting or merging: a second run doubles the rows",
            "possible",
        )
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and constant(keyword(node, "write_disposition")) in ("merge", "replace"):
            seen.add(
                "run.idempotent",
                path,
                node.lineno,
                f"{function.name} loads by {constant(keyword(node, 'write_disposition'))}",
            )
        elif isinstance(node, ast.Call) and constant(keyword(node, "if_exists")) == "append":
            seen.add("run.appends", path, node.lineno, f"{function.name} appends: a second run doubles the rows", "possible")


def _import_work(seen: Seen, path: str, module: ast.Module) -> None:
    for node in module.body:
        if isinstance(node, ast.Assign | ast.Expr | ast.AnnAssign) and node.value is not None:
            for one in ast.walk(node.value):
                if isinstance(one, ast.Lambda):
                    break
                if isinstance(one, ast.Call) and _IMPORT_WORK.match(dotted(one.func)):
                    seen.add(
                        "run.import-work",
                        path,
                        one.lineno,
                        f"{dotted(one.func)}() runs at every parse of the file",
                        "likely",
                    )


def _plain(seen: Seen, path: str, module: ast.Module) -> None:
    """A workflow without a library: named steps with retries of their own."""
    names = {
        target.id: node
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if "RETRIES" in names and isinstance(names["RETRIES"].value, ast.Dict) and len(functions) > 2:
        steps = [str(constant(key)) for key in names["RETRIES"].value.keys]
        seen.add(
            "run.workflow", path, names["RETRIES"].lineno, f"A workflow of {len(steps)} steps: {', '.join(steps)}", "likely"
        )
        seen.add("run.dependencies", path, names["RETRIES"].lineno, "Steps run in order", "likely")
        seen.add("run.retries", path, names["RETRIES"].lineno, "Failed steps are tried again")
        for function in functions:
            _inserting(seen, path, function)


def _elsewhere(tree: Tree, seen: Seen) -> None:
    """Schedules of CI, crontabs, and workflow files of other tools."""
    for path in tree.paths:
        name = path.rsplit("/", 1)[-1].lower()
        if re.fullmatch(r"crontab(\..*)?|.*\.cron", name) and any(re.match(r"\s*[\d*@]", row) for row in tree.lines(path)):
            seen.add("run.schedule", path, 1, "A crontab starts it")
        elif re.fullmatch(
            r"prefect\.ya?ml|dagster\.ya?ml|kestra\.ya?ml|databricks\.ya?ml|meltano\.ya?ml|workspace\.ya?ml", name
        ) and tree.text(path):
            _configured(tree, seen, path)
    for path in tree.ending(".yml", ".yaml"):
        if not re.match(r"\.github/workflows/[^/]+$", path):
            continue
        try:
            root = yamllines.first(tree.text(path) or "")
        except yamllines.BrokenYaml:
            continue
        on = child(root, "on")
        for one in items(child(on, "schedule")):
            steps = str(child(root, "jobs"))
            if re.search(r"\bdbt\b|\bpython\b|ingest|load|etl|elt|sync|\bdlt\b|meltano|extract|sqlmesh", steps):
                seen.add("run.schedule", path, line_of(one), f"CI starts it: {child(one, 'cron')}", "likely")


def _configured(tree: Tree, seen: Seen, path: str) -> None:
    try:
        root = yamllines.first(tree.text(path) or "")
    except yamllines.BrokenYaml:
        return
    for keys, node in yamllines.walk(root):
        if (
            keys
            and keys[-1] in ("cron", "cron_schedule", "schedule", "schedules", "quartz_cron_expression", "interval")
            and node
        ):
            seen.add("run.schedule", path, line_of(node), f"{path.rsplit('/', 1)[-1]} starts it")
            seen.add("run.workflow", path, 1, f"A workflow is set up in {path.rsplit('/', 1)[-1]}", "likely")
            return


def _notice_gaps(seen: Seen) -> None:
    flow = next((one for one in seen.findings if one.rule == "run.workflow"), None)
    if flow is None:
        return
    for rule, cure, what in (
        ("run.no-retries", "run.retries", "No task is tried again"),
        ("run.no-timeout", "run.timeout", "No task has a time limit"),
        ("run.no-alert", "run.alert", "A failure calls nobody"),
    ):
        if not seen.has(cure) and not (cure == "run.alert" and seen.has("obs.notify")):
            seen.add(rule, flow.file, flow.line, what, "likely")
