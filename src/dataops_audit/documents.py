"""Documents and rules about running it: objectives, alerts, runbooks, postmortems, escalation; content, not titles."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataops_audit import hcl, yamllines
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, is_false, items, line_of

_DOCUMENTS = (".md", ".rst", ".adoc", ".txt", ".mdx")
_STEP = re.compile(r"^\s*(?:\d+[.)]\s+\S|[-*]\s+\S|- \[[ x]\]\s+\S)", re.MULTILINE)
_COMMAND = re.compile(r"```|^\s{4,}\S|`[^`\n]{3,}`", re.MULTILINE)
_TIME = re.compile(r"\b([01]?\d|2[0-3])[:.h][0-5]\d\b|\b\d{4}-\d\d-\d\dT\d\d")
_DATE = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b\d{1,2}\.?\s+(?:January|February|March|"
    r"April|May|June|July|August|September|October|November|December)|\b(?:Jan|Feb|Mar|Apr|May|Jun|"
    r"Jul|Aug|Sep|Oct|Nov|Dec)\w*\.?\s+\d{1,2}"
)
_FILL_IN = re.compile(
    (
        r"\bT(?:BD|ODO)\b|<[a-z][^>\n]{2,40}>|\[(?:name|date|time|owner|insert|describe|link|title|todo|"
        r"your)[^\]\n]*\]|YYYY-MM-DD|HH:MM|_{4,}|\.{4,}|lorem ipsum"
    ),
    re.IGNORECASE,
)
_NUMBER = re.compile(
    (
        r"\b\d+(?:\.\d+)?\s*(?:%|percent|minutes?|min\b|hours?|h\b|seconds?|days?)|"
        r"\bby\s+\d{1,2}(?::\d\d)?\s*(?:am|pm|UTC|CE?T|h)?|\bbefore\s+\d{1,2}:\d\d|\b[01]?\d:[0-5]\d\b"
    ),
    re.IGNORECASE,
)
_SLO_WORD = re.compile(r"\bSL[OA]s?\b|service[- ]level|error budget|\bobjectives?\b|\bpromises?\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Text:
    """A document without its code comments and empty lines, and its headings in lower case."""

    body: str
    headings: tuple[str, ...]

    @property
    def size(self) -> int:
        """Words that are no placeholder."""
        return len(re.findall(r"\w+", _FILL_IN.sub(" ", self.body)))


def read(tree: Tree, seen: Seen) -> None:
    """Every document, then rules and settings."""
    for path in tree.ending(*_DOCUMENTS):
        if not re.match(r"(license|licence|changelog|requirements|code_of_conduct)", path.rsplit("/", 1)[-1].lower()):
            text = tree.text(path)
            if text:
                _document(seen, path, text)
    for path in tree.ending(".yml", ".yaml", ".json"):
        text = tree.text(path) or ""
        lower = text.lower()
        if any(one in lower for one in ("slo", "objective", "alert", "service_level")):
            _rules(tree, seen, path, text)
    for path in tree.ending(".tf"):
        _monitors(tree, seen, path)
    _notices(tree, seen)
    _libraries(tree, seen)


def _document(seen: Seen, path: str, text: str) -> None:
    clean = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    headings = tuple(row.lstrip("# ").strip().lower() for row in clean.split("\n") if re.match(r"#{1,5}\s+\S", row))
    document = _Text(clean, headings)
    _clicked(seen, path, clean)
    about = f"{path} {' '.join(headings[:1])}".lower()
    if re.search(r"post-?mortem|incident[-_ ]?(review|report)|retrospective|/incidents?/", about):
        _postmortem(seen, path, document)
    elif re.search(r"run-?book|playbook|troubleshoot|operations|/ops/|oncall/|recovery|backfill|incident", about):
        _runbook(seen, path, document)
    rows = clean.split("\n")
    for line, row in enumerate(rows, 1):
        lower = row.lower()
        if not row.startswith("#"):
            continue
        body = _section(rows, line)
        if (
            re.search(r"\bon[- ]?call\b|escalat|who to call|contacts?\b", lower)
            and len(re.findall(r"\w+", _FILL_IN.sub("", body))) > 8
        ):
            seen.add("inc.on-call", path, line, f"Says who is called: {row.lstrip('# ').strip()}", "likely")
        if re.search(r"\broll[- ]?back\b|\brevert\b|undo a release|way back", lower) and (
            _COMMAND.search(body) or len(_STEP.findall(body)) > 1
        ):
            seen.add("inc.rollback", path, line, "The way back is written down")
            seen.add("env.rollback", path, line, "A release can be taken back by a known way")
        if re.search(r"status page|stakeholder|communicat", lower) and len(body.split()) > 12:
            seen.add("inc.status", path, line, "Says who is told what, and where", "likely")
        if (
            _SLO_WORD.search(row)
            and re.search(r"\bSL[OA]s?\b|service[- ]level|error budget|promise", row, re.IGNORECASE)
            and _NUMBER.search(_FILL_IN.sub("", body))
        ):
            seen.add("obs.slo", path, line, "An objective with a number is written down", "likely")


_CLOUD = (
    r"(?=.*\b(bucket|cluster|instance|database|warehouse|queue|topic|security group|vpc|iam|role|"
    r"virtual machine|vm|server|stream|lambda)s?\b)"
)
_CLICKED = re.compile(
    _CLOUD
    + (
        r".*\b(was|were|is|are|been|be|we|i|he|she|[A-Z][a-z]+)\s+(\w+\s+)?(creat\w+|made|make|set up|"
        r"configured?|built|click\w*|changed?)\b.*\b(by hand|manually|in the (\w+ )?console|together)\b"
    ),
    re.IGNORECASE,
)
_CLICK = re.compile(_CLOUD + r".*(\bclick(ed|s)?\b|\b(in|through|from|via) the (\w+ )?console\b)", re.IGNORECASE)
_DENIED = re.compile(r"\b(never|not|no longer|instead of|rather than|don't|nothing|without|avoid|can be)\b", re.IGNORECASE)


def _clicked(seen: Seen, path: str, text: str) -> None:
    """The confession that infrastructure was clicked together, or the instruction to do so."""
    code = False
    platform = re.search(
        r"platform|infra|set-?up|deploy|environment|handover|runbook|(^|/)(readme|notes?)\b", path, re.IGNORECASE
    )
    for line, row in enumerate(text.split("\n"), 1):
        code ^= row.lstrip().startswith("```")
        if code or len(row) > 600 or _DENIED.search(row):
            continue
        confessed = _CLICKED.match(row)
        if confessed or (platform and _CLICK.match(row)):
            sure = "likely" if confessed and not seen.has("iac.resources") else "possible"
            seen.add("iac.by-hand", path, line, f"Infrastructure is made by hand: {row.strip(' -*#>')[:80]}", sure)
            return


def _section(rows: list[str], line: int) -> str:
    """The text below a heading, up to the next heading of its level or above."""
    depth = len(rows[line - 1]) - len(rows[line - 1].lstrip("#"))
    end = line
    while end < len(rows) and not re.match(rf"#{{1,{depth}}}\s", rows[end]):
        end += 1
    return "\n".join(rows[line:end])


def _postmortem(seen: Seen, path: str, document: _Text) -> None:
    blanks = len(_FILL_IN.findall(document.body))
    told = len(_TIME.findall(document.body))
    named = " ".join(document.headings)
    causes = re.search(r"cause|why|contribut|factor|what (went|happened)", named)
    if re.search(r"template", path.lower()) or (blanks >= 4 and document.size < 150) or document.size < 40:
        rule = "inc.template" if document.headings and len(document.headings) > 2 else "inc.empty"
        seen.add(
            rule, path, 1, "A template for reviews" if rule == "inc.template" else "This review says nothing yet", "likely"
        )
        return
    if told >= 2 or (re.search(r"timeline|chronolog", named) and _DATE.search(document.body)):
        sure = "certain" if causes else "likely"
        seen.add(
            "inc.postmortem",
            path,
            1,
            "An incident was reviewed: with its timeline" + (" and its causes" if causes else ""),
            sure,
        )
    elif document.size > 80 and causes:
        seen.add("inc.postmortem", path, 1, "An incident was reviewed", "likely")
    _actions(seen, path, document)


def _actions(seen: Seen, path: str, document: _Text) -> None:
    rows = document.body.split("\n")
    for line, row in enumerate(rows, 1):
        if re.match(r"#{1,5}\s.*\b(action|follow[- ]?up|next step|remediation|prevent)", row, re.IGNORECASE):
            owned = [
                one
                for one in _section(rows, line).split("\n")
                if _DATE.search(_FILL_IN.sub("", one)) and re.search(r"@\w|\||\b[A-Z][a-z]+\b", one)
            ]
            if owned:
                seen.add("inc.actions", path, line, f"{len(owned)} actions have an owner and a date")
            return


def _runbook(seen: Seen, path: str, document: _Text) -> None:
    steps, commands = len(_STEP.findall(document.body)), len(_COMMAND.findall(document.body))
    if document.size >= 60 and steps >= 3 and commands >= 1:
        seen.add("inc.runbook", path, 1, f"A runbook with {steps} steps and the commands for them")
    elif document.size >= 60 and steps >= 4:
        seen.add("inc.runbook", path, 1, f"A runbook with {steps} steps", "likely")
    elif re.search(r"run-?book|playbook", path.lower()):
        seen.add(
            "inc.empty",
            path,
            1,
            "This runbook has no steps to follow" if document.size >= 20 else "This runbook is empty",
            "likely",
        )


def _rules(tree: Tree, seen: Seen, path: str, text: str) -> None:
    """Alert rules of Prometheus and Grafana, objectives as YAML (OpenSLO, Sloth, own)."""
    try:
        documents = yamllines.load(text.expandtabs(2))
    except yamllines.BrokenYaml:
        return
    for root in documents:
        if not isinstance(root, dict):
            continue
        for group in items(root.get("groups")) + items(child(root, "spec", "groups")):
            for rule in items(child(group, "rules")):
                if child(rule, "alert") and child(rule, "expr"):
                    seen.add("obs.alerts", path, line_of(rule), f"An alert rule: {child(rule, 'alert')}")
                elif child(rule, "grafana_alert") or (child(rule, "data") and child(rule, "title")):
                    seen.add("obs.alerts", path, line_of(rule), "An alert rule of Grafana")
        for keys, node in yamllines.walk(root):
            key = keys[-1].lower() if keys else ""
            if re.fullmatch(r"slos?|objectives?|service_level_objectives?", key) and _numbered(node):
                seen.add("obs.slo", path, line_of(node), "An objective with a number is kept as data")
            elif (
                key == "target"
                and isinstance(node, str)
                and re.fullmatch(r"0?\.9\d*|9\d(\.\d+)?%?", node)
                and re.search(r"(?i)slo|objective|openslo|sloth", text)
            ):
                seen.add("obs.slo", path, line_of(node), f"An objective of {node}")


def _numbered(node: object) -> bool:
    return any(isinstance(one, str) and re.search(r"\d", one) for _, one in yamllines.walk(node))


def _monitors(tree: Tree, seen: Seen, path: str) -> None:
    text = tree.text(path) or ""
    if not re.search(r"alarm|monitor|alert|slo", text):
        return
    try:
        body, _ = hcl.parse(text)
    except hcl.BrokenHcl:
        return
    for block in body.all("resource"):
        kind = block.labels[0] if block.labels else ""
        if (
            re.search(r"metric_alarm|_monitor$|alert_policy|alert_rule|metric_alert|uptime_check|synthetics", kind)
            and block.value("count") != 0.0
        ):
            acts = not kind.startswith("aws_cloudwatch") or "alarm_actions" in block.attributes
            seen.add(
                "obs.alerts",
                path,
                block.line,
                f"{'.'.join(block.labels)} watches" + ("" if acts else ", but calls nobody"),
                "certain" if acts else "possible",
            )
        elif re.search(r"service_level_objective|monitoring_slo", kind):
            seen.add("obs.slo", path, block.line, f"{'.'.join(block.labels)} is an objective")


_NOTIFIER = re.compile(
    (
        r"slackapi/slack-github-action|8398a7/action-slack|rtcamp/action-slack-notify|act10ns/slack|"
        r"ravsamhq/notify-slack|pagerduty|opsgenie|dawidd6/action-send-mail|"
        r"skitionek/notify-microsoft-teams|jdcargile/ms-teams"
    ),
    re.IGNORECASE,
)


def _notices(tree: Tree, seen: Seen) -> None:
    """Steps of CI that tell people about a failure."""
    for path in tree.ending(".yml", ".yaml"):
        if not path.startswith((".github/", ".gitlab", ".circleci", "azure")):
            continue
        try:
            root = yamllines.first(tree.text(path) or "")
        except yamllines.BrokenYaml:
            continue
        for _, node in yamllines.walk(root):
            if not isinstance(node, dict) or is_false(child(node, "if")):
                continue
            uses, run = str(node.get("uses") or ""), str(node.get("run") or "")
            if _NOTIFIER.search(uses) or re.search(
                r"curl[^\n]*(hooks\.slack|SLACK_WEBHOOK|webhook\.office|TEAMS_WEBHOOK|pagerduty)|slack-notify|--webhook",
                run,
                re.IGNORECASE,
            ):
                seen.add("obs.notify", path, line_of(node), "A failed run is sent to people")


_IMPORTS = (
    (
        "obs.lineage",
        re.compile(r"^\s*(?:from|import)\s+(?:openlineage|datahub|sqllineage|acryl)\b", re.MULTILINE),
        "Lineage is sent out",
    ),
    (
        "obs.metrics",
        re.compile(
            r"^\s*(?:from|import)\s+(?:prometheus_client|opentelemetry|statsd|datadog|ddtrace|sentry_sdk|logfire)\b",
            re.MULTILINE,
        ),
        "Runs are measured",
    ),
    (
        "obs.monitor",
        re.compile(
            r"^\s*(?:from|import)\s+(?:elementary|whylogs|evidently|re_data|pymontecarlo|monte_carlo|soda_core)\b",
            re.MULTILINE,
        ),
        "Data is watched over time",
    ),
)


def _libraries(tree: Tree, seen: Seen) -> None:
    for path in tree.ending(".py"):
        text = tree.text(path) or ""
        for rule, pattern, what in _IMPORTS:
            if hit := pattern.search(text):
                seen.add(
                    rule,
                    path,
                    text.count("\n", 0, hit.start()) + 1 + hit[0].startswith("\n"),
                    f"{what} ({hit[0].split()[1]})",
                    "likely",
                )
    for path in tree.named("openlineage.yml", "openlineage.yaml"):
        seen.add("obs.lineage", path, 1, "Lineage is sent out")
    for path in tree.named("prometheus.yml", "prometheus.yaml", "statsd.yaml", "otel-collector-config.yaml"):
        seen.add("obs.metrics", path, 1, "Runs are measured")
