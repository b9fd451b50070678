"""Access policies of any notation: what a statement allows, and whether that is everything, too much, or narrow."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Any

from dataops_audit import pythonruns
from dataops_audit.findings import Seen
from dataops_audit.yamllines import Map, child, items, line_of, walk, words

_ADMIN = re.compile(r"(?:^|[/:])(?:AdministratorAccess|IAMFullAccess)$")
_WIDE = re.compile(r"(?:^|[/:])(?:PowerUserAccess|Amazon\w+FullAccess|AWS\w+FullAccess|CloudWatchFullAccess)$")
_HARMLESS_EVERYWHERE = re.compile(
    r"^[\w-]+:(?:List|Describe|Get\w*(?:Caller|Authorization|Login)|BatchGet|Head|Lookup)", re.IGNORECASE
)


@dataclass(frozen=True)
class Statement:
    """One statement of a policy: what it allows on what, where it stands, and for whom it says so."""

    line: int
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    allow: bool = True
    not_actions: bool = False
    principals: tuple[str, ...] = ()
    conditional: bool = False
    key_policy: bool = False


def judge(seen: Seen, path: str, found: list[Statement], sure: str = "certain") -> None:
    """Adds what is wrong with statements, and that all are narrow where nothing is."""
    wrong = False
    for one in found:
        if not one.allow or one.key_policy:
            continue
        everything = any(resource in ("*", "arn:aws:*:*:*:*", "**") for resource in one.resources) or (
            not one.resources and not one.principals
        )
        stars = [action for action in one.actions if action in ("*", "*:*")]
        wide = [action for action in one.actions if re.fullmatch(r"[\w-]+:\*", action)]
        if "iam:*" in wide and everything:
            stars.append("iam:*")  # who may write policies may do everything a moment later
        if "*" in one.principals and not one.conditional and one.actions:
            seen.add("iac.public", path, one.line, f"Everybody may {', '.join(one.actions)[:60]}", sure)
            wrong = True
        elif (stars or one.not_actions) and everything and not one.principals:
            what = "everything but a few actions" if one.not_actions and not stars else "every action"
            seen.add(
                "sec.full-access",
                path,
                one.line,
                f"Allows {what} on every resource",
                sure if not one.not_actions else "likely",
            )
            wrong = True
        elif stars or (wide and everything and not one.principals):
            seen.add(
                "sec.broad-access",
                path,
                one.line,
                f"Allows {', '.join(stars or wide)[:80]} on {', '.join(one.resources)[:80]}",
                "likely",
            )
            wrong = True
        elif (
            one.actions
            and any(resource == "*" for resource in one.resources)
            and not all(_HARMLESS_EVERYWHERE.match(action) for action in one.actions)
        ):
            writes = [
                action
                for action in one.actions
                if re.search(r":(?:\*|Put|Delete|Create|Update|Write|PassRole|AssumeRole|Attach)", action)
            ]
            if any(re.search(r"iam:PassRole|sts:AssumeRole|iam:(?:Attach|Put|Create)", action) for action in writes):
                seen.add("sec.broad-access", path, one.line, f"Allows {', '.join(writes)[:80]} on every resource", "likely")
                wrong = True
            elif writes:
                seen.add(
                    "sec.broad-access", path, one.line, f"Allows {', '.join(writes)[:80]} on every resource", "possible"
                )
    if found and not wrong:
        seen.add("sec.narrow", path, found[0].line, "The policy names what it allows on what", "likely")


def managed(seen: Seen, path: str, line: int, name: str) -> None:
    """A ready-made policy or role by its name."""
    if _ADMIN.search(name) or name in ("roles/owner",):
        seen.add("sec.full-access", path, line, f"{name.rsplit('/', 1)[-1]} may do everything")
    elif _WIDE.search(name) or name == "roles/editor":
        seen.add("sec.broad-access", path, line, f"{name.rsplit('/', 1)[-1]} may do far more than one job needs", "likely")


def from_tree(node: Any, key_policy: bool = False) -> list[Statement]:
    """The statements in a YAML or JSON tree, at any depth."""
    found = []
    for _, one in walk(node):
        if isinstance(one, dict) and "Effect" in one and ({"Action", "NotAction"} & set(one)):
            actions = words(one.get("Action")) or words(one.get("NotAction"))
            principal = one.get("Principal")
            principals = words(principal) + [
                word for value in (principal.values() if isinstance(principal, dict) else []) for word in words(value)
            ]
            if isinstance(principal, dict) and not principals:
                principals = ["(computed)"]
            resources = [_resource(value) for value in items(one.get("Resource"))]
            found.append(
                Statement(
                    line_of(one),
                    tuple(map(str, actions)),
                    tuple(resources),
                    str(one.get("Effect")) == "Allow",
                    "NotAction" in one,
                    tuple(map(str, principals)),
                    "Condition" in one,
                    key_policy,
                )
            )
    return found


def _resource(value: Any) -> str:
    """A resource as text; what CloudFormation computes (!GetAtt, Fn::Sub) counts as named."""
    if isinstance(value, str):
        return f"!{value}" if getattr(value, "tag", None) in ("!Ref", "!GetAtt", "!ImportValue") else str(value)
    return "(computed)"


def from_python(text: str) -> list[Statement]:
    """Statements of CDK (`PolicyStatement(actions=…, resources=…)`) and of policies written as dictionaries."""
    tree = pythonruns.parsed(text)
    found = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Call) and pythonruns.dotted(node.func).endswith("PolicyStatement"):
            effect = (
                pythonruns.dotted(pythonruns.keyword(node, "effect") or ast.Name(""))
                if pythonruns.keyword(node, "effect")
                else "ALLOW"
            )
            actions, resources = _texts(pythonruns.keyword(node, "actions")), _texts(pythonruns.keyword(node, "resources"))
            principals = ("(computed)",) if pythonruns.keyword(node, "principals") is not None else ()
            found.append(
                Statement(node.lineno, actions, resources or ("(computed)",), not effect.endswith("DENY"), False, principals)
            )
        elif isinstance(node, ast.Dict):
            pairs = {
                pythonruns.constant(key): value for key, value in zip(node.keys, node.values, strict=True) if key is not None
            }
            if "Effect" in pairs and "Action" in pairs:
                principal = _texts(pairs.get("Principal")) or (("(computed)",) if "Principal" in pairs else ())
                found.append(
                    Statement(
                        node.lineno,
                        _texts(pairs["Action"]),
                        _texts(pairs.get("Resource")) or ("(computed)",),
                        pythonruns.constant(pairs["Effect"]) == "Allow",
                        False,
                        principal,
                    )
                )
    return found


def _texts(node: ast.AST | None) -> tuple[str, ...]:
    if isinstance(node, ast.Constant):
        return (str(node.value),)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return tuple(str(one.value) if isinstance(one, ast.Constant) else "(computed)" for one in node.elts)
    return ()


def cluster_role(seen: Seen, path: str, node: Map) -> None:
    """Kubernetes' RBAC."""
    kind = str(node.get("kind", ""))
    if kind in ("ClusterRole", "Role"):
        for rule in items(node.get("rules")):
            if "*" in words(child(rule, "verbs")) and "*" in words(child(rule, "resources")):
                seen.add("sec.full-access", path, line_of(rule), f"This {kind} may do everything with every object")
    elif kind in ("ClusterRoleBinding", "RoleBinding") and child(node, "roleRef", "name") == "cluster-admin":
        seen.add("sec.full-access", path, line_of(node), "cluster-admin is handed out")
