"""Dockerfiles, Compose files and Kubernetes manifests: bases, users, secrets, health, limits, privileges."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from dataops_audit import credentials, policies, yamllines
from dataops_audit.findings import Seen
from dataops_audit.linters import dockerfiles
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, is_true, items, line_of, walk

_ROOT = re.compile(r"^(root|0)(:.*)?$")
_NON_ROOT_BASE = re.compile(
    r"nonroot|apache/airflow|jupyter/|quay\.io/jupyter|astronomer|astrocrpublic|bitnami|"
    r"mambaorg/micromamba|chainguard|quay\.io/astronomer|spark-operator|apache/superset|grafana/|"
    r"dagster/"
)
_SECRET_FILE = re.compile(
    r"(?:^|/)(?:\.env(?!\.?(?:example|sample|template))[\w.]*|id_rsa|id_ed25519|\.aws(?:/\S*)?|"
    r"\.ssh(?:/\S*)?|credentials(?:\.json)?|service[-_]?account\S*\.json|\S+\.pem|\S+\.p12|\.pgpass|"
    r"\.netrc|\.snowflake\S*)/?$"
)
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "ReplicaSet")


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile: name, what follows, first line."""

    name: str
    text: str
    line: int


def read(tree: Tree, seen: Seen) -> None:
    """Every image, stack and manifest."""
    for path in dockerfiles(tree):
        text = tree.text(path)
        if text:
            _image(tree, seen, path, instructions(text))
    for path in tree.ending(".yml", ".yaml"):
        name = path.rsplit("/", 1)[-1].lower()
        text = tree.text(path) or ""
        compose = is_stack(name, text)
        if not compose and not ("apiVersion" in text and "kind" in text):
            continue
        try:
            documents = yamllines.load(text)
        except yamllines.BrokenYaml as error:
            if "{{" not in text:
                seen.skipped.append((path, f"YAML that cannot be read: {error} (line {error.line})"))
            continue
        for document in documents:
            if compose and isinstance(child(document, "services"), dict):
                _stack(seen, path, document["services"])
            elif isinstance(document, dict) and "apiVersion" in document:
                _object(seen, path, document)
    if charts := tree.named("chart.yaml"):
        seen.add("box.cluster", charts[0], 1, "A Helm chart says how it runs")


def is_stack(name: str, text: str) -> bool:
    """Whether a file is a Compose file, by its name or by what it holds."""
    named = re.fullmatch(r"(docker-)?compose[\w.-]*\.ya?ml", name) is not None
    return named or (
        re.search(r"^services:\s*$", text, re.MULTILINE) is not None
        and re.search(r"^ {2,8}(image|build):", text, re.MULTILINE) is not None
        and "apiVersion" not in text
    )


def instructions(text: str) -> list[Instruction]:
    """The instructions of a Dockerfile; comments left out, continuations and here-documents joined."""
    found: list[Instruction] = []
    rows = text.split("\n")
    at = 0
    while at < len(rows):
        row, start = rows[at], at + 1
        at += 1
        if not row.strip() or row.lstrip().startswith("#"):
            continue
        while row.rstrip().endswith("\\") and at < len(rows):
            after = rows[at]
            at += 1
            if not after.lstrip().startswith("#"):
                row = row.rstrip()[:-1] + " " + after
            elif not row.rstrip().endswith("\\"):
                row += "\\"
        if not (match := re.match(r"\s*([A-Za-z]+)\s+(.*)$", row, re.DOTALL)):
            continue
        if heredoc := re.search(r"<<-?[\"']?(\w+)[\"']?", match[2]):
            while at < len(rows) and rows[at].strip() != heredoc[1]:
                at += 1
            at += 1
        found.append(Instruction(match[1].upper(), match[2].strip(), start))
    return found


def _image(tree: Tree, seen: Seen, path: str, found: list[Instruction]) -> None:
    bases = [one for one in found if one.name == "FROM"]
    if not bases:
        return
    seen.add("box.image", path, bases[0].line, "The image is described in a file")
    arguments = {
        name: value.strip("\"'")
        for one in found
        if one.name == "ARG" and "=" in one.text
        for name, value in [one.text.split("=", 1)]
    }
    stages: set[str] = set()
    for base in bases:
        _base(seen, path, base, arguments, stages)
    if len(bases) > 1 and any(one.name == "COPY" and "--from=" in one.text for one in found):
        seen.add("box.small", path, bases[-1].line, "Built in stages: what only the build needs stays behind")
    elif re.search(r"slim|alpine|distroless", bases[-1].text):
        seen.add("box.small", path, bases[-1].line, "The base is a small one")
    last = [one for one in found if one.line >= bases[-1].line]
    users = [one for one in last if one.name == "USER"]
    if users and not _ROOT.match(users[-1].text.strip("\"'")):
        seen.add("box.user", path, users[-1].line, f"Runs as {users[-1].text}")
    elif users or (not _NON_ROOT_BASE.search(bases[-1].text) and bases[-1].text.split()[0] not in _user_stages(found)):
        seen.add(
            "box.root",
            path,
            users[-1].line if users else bases[-1].line,
            "The container runs as root",
        )
    if any(one.name == "HEALTHCHECK" and not one.text.upper().startswith("NONE") for one in last):
        seen.add(
            "box.health",
            path,
            next(one.line for one in last if one.name == "HEALTHCHECK"),
            "The image says how to tell that it is healthy",
        )
    _secrets(seen, path, found)
    _layers(seen, path, last)
    folder = path.rsplit("/", 1)[0] + "/" if "/" in path else ""
    if ignore := next(
        (one for one in (f"{folder}.dockerignore", ".dockerignore", f"{path}.dockerignore") if one in tree.entries), None
    ):
        seen.add("box.ignore", ignore, 1, "What does not belong in the image is left out")


def _user_stages(found: list[Instruction]) -> set[str]:
    """Stages of the file that already run as an ordinary user: what is built on them does too."""
    safe, name, user = set(), "", False
    for one in [*found, Instruction("FROM", "end", 0)]:
        if one.name == "FROM":
            if user and name:
                safe.add(name)
            parts = one.text.split()
            user = bool(parts) and (parts[0] in safe or bool(_NON_ROOT_BASE.search(parts[0])))
            name = parts[-1] if len(parts) > 2 and parts[-2].lower() == "as" else ""
        elif one.name == "USER":
            user = not _ROOT.match(one.text.strip("\"'"))
    return safe


def _base(seen: Seen, path: str, base: Instruction, arguments: dict[str, str], stages: set[str]) -> None:
    parts = [part for part in base.text.split() if not part.startswith("--")]
    image = (
        re.sub(r"\$\{?(\w+)(?::?-([^}]*))?\}?", lambda match: arguments.get(match[1], match[2] or "$"), parts[0])
        if parts
        else ""
    )
    if len(parts) > 2 and parts[1].lower() == "as":
        stages.add(parts[2])
    if image in stages or image == "scratch" or "$" in image:
        return
    tag = image.rsplit("/", 1)[-1].partition(":")[2]
    if "@sha256:" in image:
        seen.add("box.pinned", path, base.line, "The base is named by its digest")
    elif not tag or tag.startswith("latest") or tag in ("edge", "nightly", "master", "main", "dev"):
        seen.add("box.latest", path, base.line, f"The base {image} is whatever it is today")
    elif re.search(r"\d", tag):
        seen.add("box.pinned", path, base.line, f"The base is {image}")


def _secrets(seen: Seen, path: str, found: list[Instruction]) -> None:
    for one in found:
        if one.name in ("ENV", "ARG"):
            for name, value in re.findall(r"([\w.-]+)[=\s]+(\"[^\"]*\"|'[^']*'|\S+)", one.text):
                if credentials.announces(name) and (verdict := credentials.judged(name, value)):
                    if verdict == "throw-away":
                        seen.add(
                            "sec.default-password", path, one.line, f"{name} has a throw-away value in the image", "possible"
                        )
                    else:
                        seen.add("box.secret", path, one.line, f"{name} is baked into the image ({one.name})", verdict)
        elif one.name in ("COPY", "ADD"):
            parts = _parts(one.text)
            for source in parts[:-1]:
                if _SECRET_FILE.search(source.strip("\"'")):
                    seen.add(
                        "box.secret",
                        path,
                        one.line,
                        f"{source} is copied into the image",
                        "likely" if source.endswith(".pem") else "certain",
                    )
            if one.name == "ADD" and any(re.match(r"https?://", part) for part in parts) and "--checksum" not in one.text:
                seen.add("box.lint", path, one.line, "ADD fetches from the network without a checksum", "likely")
        elif (
            one.name == "RUN"
            and (hit := re.search(r"https?://[^\s:/@$]+:([^\s@/$]{6,})@", one.text))
            and not credentials.is_placeholder(hit[1])
        ):
            seen.add("box.secret", path, one.line, "An address with a password stays in the layer's history", "certain")


def _parts(text: str) -> list[str]:
    if text.startswith("["):
        try:
            return [str(one) for one in json.loads(text)]
        except ValueError:
            return []
    return [part for part in text.split() if not part.startswith("--")]


def _layers(seen: Seen, path: str, found: list[Instruction]) -> None:
    """Dependencies first, code afterwards: a change of code then reuses the layer."""
    install = next(
        (
            at
            for at, one in enumerate(found)
            if one.name == "RUN"
            and re.search(
                r"\b(pip3? install|uv (pip|sync)|poetry install|npm (ci|install)|pipenv|conda (env|install))", one.text
            )
        ),
        None,
    )
    everything = next(
        (at for at, one in enumerate(found) if one.name in ("COPY", "ADD") and _parts(one.text)[:1] in (["."], ["./"])), None
    )
    if install is not None and (everything is None or everything > install):
        seen.add("box.layers", path, found[install].line, "Dependencies are installed before the code is copied")


def _stack(seen: Seen, path: str, services: Any) -> None:
    seen.add("box.stack", path, line_of(services), f"{len(services)} services start together")
    for name, service in services.items():
        if not isinstance(service, dict):
            continue
        if "healthcheck" in service and not is_true(child(service, "healthcheck", "disable")):
            seen.add("box.health", path, service.at("healthcheck"), f"{name} says how to tell that it is healthy")
        if is_true(service.get("privileged")):
            seen.add("box.privileged", path, service.at("privileged"), f"{name} is the host (privileged)")
        for volume in items(service.get("volumes")):
            source = str(volume).split(":")[0] if isinstance(volume, str) else str(child(volume, "source") or "")
            if source.endswith("docker.sock"):
                seen.add("box.privileged", path, line_of(volume), f"{name} may steer the host's Docker", "possible")
        if child(service, "deploy", "resources", "limits") is not None or "mem_limit" in service:
            seen.add("box.limits", path, line_of(service), f"{name} has limits")
        image = str(service.get("image") or "")
        if image.endswith(":latest") or (
            image and ":" not in image.rsplit("/", 1)[-1] and "$" not in image and "@" not in image
        ):
            seen.add("box.latest", path, service.at("image"), f"{name} runs whatever {image} is today", "likely")


def _object(seen: Seen, path: str, node: Any) -> None:
    kind = str(node.get("kind", ""))
    policies.cluster_role(seen, path, node)
    if kind == "Secret":
        for key in ("stringData", "data"):
            for name, value in (node.get(key) or {}).items() if isinstance(node.get(key), dict) else []:
                if (
                    isinstance(value, str)
                    and len(value) > 3
                    and not credentials.is_reference(value)
                    and not credentials.is_placeholder(_plain(value, key))
                ):
                    sure = (
                        "likely"
                        if credentials.judged("password", _plain(value, key)) in ("certain", "likely")
                        else "possible"
                    )
                    seen.add(
                        "sec.secret",
                        path,
                        line_of(value),
                        f"The Secret {child(node, 'metadata', 'name')} holds {name} in plain text or base64",
                        sure,
                    )
    if kind not in _WORKLOADS:
        return
    seen.add("box.cluster", path, line_of(node), f"A {kind} says how it runs")
    if kind == "CronJob":
        seen.add("run.schedule", path, line_of(node), f"A CronJob starts it: {child(node, 'spec', 'schedule')}")
    for keys, one in walk(node):
        if keys and keys[-1] in ("containers", "initContainers") and isinstance(one, list):
            for container in one:
                _container(seen, path, container, keys[-1], kind)
        elif keys and keys[-1] in ("hostNetwork", "hostPID") and is_true(one):
            seen.add("box.privileged", path, line_of(one), f"The pod shares the host's {keys[-1][4:].lower()}", "likely")


def _plain(value: str, key: str) -> str:
    if key != "data":
        return value
    import base64
    import binascii

    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return value


def _container(seen: Seen, path: str, container: Any, where: str, kind: str) -> None:
    if not isinstance(container, dict):
        return
    name = container.get("name", "container")
    if child(container, "resources", "limits"):
        seen.add("box.limits", path, line_of(child(container, "resources")), f"{name} has limits")
    elif where == "containers":
        seen.add("box.no-limits", path, line_of(container), f"{name} has no limits", "likely")
    if {"livenessProbe", "readinessProbe", "startupProbe"} & set(container):
        seen.add("box.health", path, line_of(container), f"{name} has probes")
    if is_true(child(container, "securityContext", "privileged")):
        seen.add("box.privileged", path, line_of(child(container, "securityContext")), f"{name} is privileged")
    image = str(container.get("image", ""))
    if image and (
        image.endswith(":latest")
        or (":" not in image.rsplit("/", 1)[-1] and "@" not in image and "{" not in image and "$" not in image)
    ):
        seen.add("box.latest", path, container.at("image"), f"{name} runs whatever {image} is today", "likely")
    for one in items(container.get("env")):
        variable, value = str(child(one, "name") or ""), child(one, "value")
        if isinstance(value, str) and credentials.announces(variable) and (verdict := credentials.judged(variable, value)):
            if verdict == "throw-away":
                seen.add("sec.default-password", path, line_of(value), f"{variable} has a throw-away value", "possible")
            else:
                seen.add("sec.secret", path, line_of(value), f"{variable} is given its value in the manifest", verdict)
