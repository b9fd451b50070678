"""Terraform: state, pins, encryption, public access, tags and policies, from parsed blocks; comments are not code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from dataops_audit import cloudformation, credentials, exposure, hcl, policies, yamllines
from dataops_audit.findings import Seen
from dataops_audit.hcl import Block, Call, Object, Raw, texts
from dataops_audit.policies import Statement
from dataops_audit.tree import Tree

_ENCRYPTED_BY = {
    "aws_db_instance": ("storage_encrypted",),
    "aws_rds_cluster": ("storage_encrypted",),
    "aws_docdb_cluster": ("storage_encrypted",),
    "aws_neptune_cluster": ("storage_encrypted",),
    "aws_redshift_cluster": ("encrypted",),
    "aws_ebs_volume": ("encrypted",),
    "aws_efs_file_system": ("encrypted",),
    "aws_elasticache_replication_group": ("at_rest_encryption_enabled",),
    "aws_kinesis_stream": ("encryption_type", "kms_key_id"),
}
"""Stores that lie in the clear unless one of these attributes says otherwise."""
_UNSAID = {
    "aws_s3_bucket": ("server_side_encryption_configuration",),
    "aws_dynamodb_table": ("server_side_encryption",),
    "aws_sns_topic": ("kms_master_key_id",),
    "aws_sqs_queue": ("kms_master_key_id", "sqs_managed_sse_enabled"),
    "aws_kinesis_firehose_delivery_stream": ("server_side_encryption",),
    "aws_cloudwatch_log_group": ("kms_key_id",),
    "aws_athena_workgroup": ("encryption_configuration",),
}
"""Stores whose provider encrypts by default today; saying it in the code is better."""
_ENCRYPTION_WORD = re.compile(
    r"\b(server_side_encryption\w*|storage_encrypted|encrypted|encryption_type|"
    r"kms_(?:master_)?key_id|sse_algorithm|encryption_configuration|"
    r"at_rest_encryption_enabled)\b\s*(?:=|\{)"
)
_TAGGED = re.compile(
    r"^(aws|azurerm|google)_(?!iam|caller|s3_bucket_(?!$)|route|lambda_permission|.*attachment|"
    r".*policy|.*_rule|.*association|project_)"
)
_SECRET_STORES = r"aws_secretsmanager_|google_secret_manager_|azurerm_key_vault_secret|aws_ssm_parameter|vault_"


@dataclass
class _Module:
    """A parsed file."""

    path: str
    body: Block
    comments: list[tuple[int, str]]


def read(tree: Tree, seen: Seen) -> None:
    """Terraform of the whole tree, then CloudFormation and other notations."""
    modules = _parsed(tree, seen)
    local = _locals(modules)
    resources = [(one, block) for one in modules for block in one.body.all("resource") if len(block.labels) == 2]
    for module in modules:
        for block in module.body.blocks:
            _settings(seen, module, block)
    for module, block in resources:
        if block.value("count") == 0.0:
            continue
        _encryption(seen, module, block, local)
        exposure.judge(seen, module.path, block, local)
        _fragile(seen, module, block)
    _policies(seen, modules, resources, local)
    _whole(tree, seen, modules, resources)
    _state(tree, seen)
    cloudformation.read(tree, seen)


def _parsed(tree: Tree, seen: Seen) -> list[_Module]:
    found = []
    for path in tree.ending(".tf"):
        text = tree.text(path)
        if not text:
            continue
        try:
            found.append(_Module(path, *hcl.parse(text)))
        except hcl.BrokenHcl as error:
            if not _second_opinion(text):
                seen.add("iac.broken", path, error.line, f"Terraform cannot read this file: {error}", "likely")
            else:
                seen.skipped.append((path, f"HCL that this reader does not understand: {error}"))
    return found


def _second_opinion(text: str) -> bool:
    """Whether python-hcl2 can read what our own reader could not."""
    try:
        import hcl2

        hcl2.loads(text + "\n")
    except Exception:
        return False
    return True


def _locals(modules: list[_Module]) -> dict[str, Any]:
    found = {}
    for module in modules:
        for block in module.body.all("locals"):
            found.update({f"local.{name}": one.value for name, one in block.attributes.items()})
        for block in module.body.all("variable"):
            if block.labels and "default" in block.attributes:
                found[f"var.{block.labels[0]}"] = block.value("default")
    return found


def _settings(seen: Seen, module: _Module, block: Block) -> None:
    """Backends, provider pins, modules, variables."""
    path = module.path
    if block.type == "terraform":
        for backend in [*block.all("backend"), *block.all("cloud")]:
            kind = backend.labels[0] if backend.labels else "cloud"
            if kind == "local":
                seen.add("iac.local-state", path, backend.line, "The state lies on the machine that applies")
            else:
                seen.add("iac.remote-state", path, backend.line, f"The state is kept in {kind}")
        for required in block.all("required_providers"):
            for name, one in required.attributes.items():
                version = (
                    next((item.value for item in one.value.items if item.name == "version"), None)
                    if isinstance(one.value, Object)
                    else one.value
                )
                if not isinstance(version, str) or re.match(r"^\s*>=?\s*0?(\.0)*\s*$", version):
                    seen.add("iac.unpinned", path, one.line, f"The provider {name} has no version", "certain")
                else:
                    seen.add("iac.pinned", path, one.line, f"The provider {name} is held at {version}")
    elif block.type in ("data", "resource") and re.match(_SECRET_STORES, "".join(block.labels[:1])):
        seen.add("sec.vault", path, block.line, f"Secrets are kept in a store of their own ({block.labels[0]})", "likely")
    elif block.type == "module" and block.labels:
        source = str(block.value("source") or "")
        seen.add("iac.modules", path, block.line, f"{block.labels[0]} reuses {source}")
        if re.match(r"^(git::|github\.com/)", source) and "ref=" not in source:
            seen.add("iac.unpinned", path, block.at("source"), f"The module {block.labels[0]} follows a branch", "likely")
    elif block.type == "variable" and block.labels:
        seen.add("iac.variables", path, block.line, "Values come in through variables")
        default = block.value("default")
        if (
            isinstance(default, str)
            and credentials.announces(block.labels[0])
            and credentials.judged(block.labels[0], default) in ("certain", "likely")
        ):
            seen.add("sec.secret", path, block.at("default"), f"The variable {block.labels[0]} has a secret as its default")
    elif block.type == "provider":
        if block.all("default_tags"):
            seen.add("iac.tags", path, block.line, "Every resource of the provider is tagged")
        for name in ("access_key", "secret_key", "password", "token", "client_secret"):
            value = block.value(name)
            if isinstance(value, str) and credentials.judged("secret_key", value) and not credentials.is_sample(value):
                seen.add("sec.secret", path, block.at(name), f"The provider's {name} stands in the code")


def _name(block: Block) -> str:
    return ".".join(block.labels)


_OFF = ("NONE", "FALSE", "DISABLED")


def _plain(value: Any, local: dict[str, Any]) -> Any:
    """A value with the default of the variable or the local that it names."""
    return local.get(value.text, value) if isinstance(value, Raw) else value


def _switched(block: Block, name: str, local: dict[str, Any]) -> str:
    """Whether a setting, written as an attribute or as a block, is on, off, open (only a run can tell) or absent."""
    if inner := block.all(name):
        states = [_switched(one, "enabled", local) for one in inner]
        return "off" if "off" in states else "open" if "open" in states else "on"
    value = _plain(block.value(name), local)
    if value is None or (isinstance(value, Raw) and value.text == "null"):
        return "absent"
    if value is False or (isinstance(value, str) and value.upper() in _OFF):
        return "off"
    return "open" if isinstance(value, Raw) and value.text.startswith(("var.", "local.", "each.")) else "on"


def _encryption(seen: Seen, module: _Module, block: Block, local: dict[str, Any]) -> None:
    kind, path = block.labels[0], module.path
    if kind == "aws_s3_bucket_server_side_encryption_configuration":
        seen.add("iac.encrypted", path, block.line, f"{_name(block)} encrypts its bucket")
        return
    wanted = _ENCRYPTED_BY.get(kind) or _UNSAID.get(kind)
    if not wanted:
        return
    states = {name: _switched(block, name, local) for name in wanted}
    said = [name for name, state in states.items() if state in ("on", "open")]
    off = [name for name, state in states.items() if state == "off"]
    if off:
        sure = "likely" if isinstance(block.value(off[0]), Raw) else "certain"  # a default can be overruled
        seen.add("iac.not-encrypted", path, block.at(off[0]), f"{_name(block)} switches encryption off ({off[0]})", sure)
    elif said:
        sure = "certain" if "on" in states.values() else "likely"
        seen.add("iac.encrypted", path, block.at(said[0]), f"{_name(block)} is encrypted", sure)
    elif (comment := _commented(module, block)) is not None:
        seen.add("iac.not-encrypted", path, comment, f"The encryption of {_name(block)} is commented out")
    elif kind in _ENCRYPTED_BY:
        seen.add(
            "iac.not-encrypted",
            path,
            block.line,
            f"{_name(block)} does not switch encryption on, and its default is off",
            "likely",
        )
    else:
        seen.facts.setdefault("unsaid", []).append((path, block.line, _name(block)))


def _commented(module: _Module, block: Block) -> int | None:
    """The line of a commented-out encryption setting inside a resource."""
    return next(
        (line for line, row in module.comments if block.line <= line <= block.last and _ENCRYPTION_WORD.search(row)), None
    )


def _fragile(seen: Seen, module: _Module, block: Block) -> None:
    for name, bad in (
        ("force_destroy", True),
        ("skip_final_snapshot", True),
        ("deletion_protection", False),
        ("deletion_protection_enabled", False),
    ):
        if block.value(name) is bad:
            seen.add(
                "iac.destroyable",
                module.path,
                block.at(name),
                f"{_name(block)}: one apply can delete it with its data ({name})",
                "likely",
            )


def _policies(seen: Seen, modules: list[_Module], resources: list[tuple[_Module, Block]], local: dict[str, Any]) -> None:
    keys = " ".join(
        str(getattr(block.value("policy"), "text", ""))
        for _, block in resources
        if block.labels[0] in ("aws_kms_key", "aws_kms_key_policy")
    )
    of_keys = set(re.findall(r"aws_iam_policy_document\.([\w-]+)\.", keys))
    for module in modules:
        for block in module.body.all("data"):
            if block.labels[:1] == ["aws_iam_policy_document"]:
                is_key = block.labels[-1] in of_keys
                policies.judge(seen, module.path, [_document(one, local, is_key) for one in block.all("statement")])
    for module, block in resources:
        kind = block.labels[0]
        if kind.startswith("aws_organizations_"):
            continue
        key_policy = kind in ("aws_kms_key", "aws_kms_key_policy")
        found: list[Statement] = []
        for one in [block, *block.all("inline_policy")]:
            for name in ("policy", "inline_policy", "assume_role_policy", "access_policies"):
                if name in one.attributes:
                    found += _encoded(one.attributes[name].value, one.attributes[name].line, local, key_policy)
        policies.judge(seen, module.path, found)
        for name in ("policy_arn", "managed_policy_arns", "role", "roles", "role_definition_name"):
            for text in texts(block.value(name), local):
                if "attachment" in kind or name in ("managed_policy_arns", "role", "roles") or name == "policy_arn":
                    policies.managed(seen, module.path, block.at(name), text)
                if name == "role_definition_name" and text == "Owner":
                    seen.add("sec.full-access", module.path, block.at(name), f"{_name(block)} hands out the role Owner")


def _document(block: Block, local: dict[str, Any], key_policy: bool) -> Statement:
    principals = tuple(text for one in block.all("principals") for text in texts(one.value("identifiers"), local))
    return Statement(
        block.line,
        tuple(texts(block.value("actions"), local) or texts(block.value("not_actions"), local)),
        tuple(texts(block.value("resources"), local)) or (() if "not_resources" not in block.attributes else ("*",)),
        str(block.value("effect") or "Allow") == "Allow",
        "not_actions" in block.attributes,
        principals,
        bool(block.all("condition")),
        key_policy,
    )


def _encoded(value: Any, line: int, local: dict[str, Any], key_policy: bool) -> list[Statement]:
    """Statements inside jsonencode({…}), a JSON heredoc, or a conditional of them."""
    if isinstance(value, Call):
        return [one for argument in value.arguments for one in _encoded(argument, line, local, key_policy)]
    if isinstance(value, Raw):
        if value.text in local:
            return _encoded(local[value.text], line, local, key_policy)
        return [one for part in value.parts for one in _encoded(part, line, local, key_policy)]
    if isinstance(value, list):
        return [one for part in value for one in _encoded(part, line, local, key_policy)]
    if isinstance(value, Object):
        pairs = {one.name: one for one in value.items}
        if "Effect" in pairs and ({"Action", "NotAction"} & set(pairs)):
            principal = pairs["Principal"].value if "Principal" in pairs else None
            who = (
                [
                    text
                    for one in (principal.items if isinstance(principal, Object) else [])
                    for text in texts(one.value, local)
                ]
                if isinstance(principal, Object)
                else texts(principal, local)
            )
            action = pairs.get("Action") or pairs["NotAction"]
            resource = texts(pairs["Resource"].value, local) if "Resource" in pairs else []
            return [
                Statement(
                    value.line,
                    tuple(texts(action.value, local)),
                    tuple(resource),
                    str(pairs["Effect"].value) == "Allow",
                    "Action" not in pairs,
                    tuple(who),
                    "Condition" in pairs,
                    key_policy,
                )
            ]
        return [one for item in value.items for one in _encoded(item.value, line, local, key_policy)]
    if isinstance(value, str) and '"Statement"' in value:
        return _json_policy(value, getattr(value, "line", line), key_policy)
    return []


def _json_policy(text: str, line: int, key_policy: bool) -> list[Statement]:
    tame = re.sub(r'(?<!")\$\{[^}]*\}(?!")', "computed", text)
    try:
        documents = yamllines.load(tame.expandtabs(2))
    except yamllines.BrokenYaml:
        try:
            json.loads(tame)
        except ValueError:
            return []
        return []
    found = [one for document in documents for one in policies.from_tree(document, key_policy)]
    return [Statement(**{**one.__dict__, "line": line + one.line - 1}) for one in found]


def _whole(tree: Tree, seen: Seen, modules: list[_Module], resources: list[tuple[_Module, Block]]) -> None:
    if not resources and not any(one.body.all("module") for one in modules):
        return
    first = resources[0][0].path if resources else modules[0].path
    seen.add("iac.resources", first, 1, f"{len(resources)} resources in {len(modules)} files of Terraform")
    if not seen.has("iac.remote-state", "iac.local-state"):
        seen.add("iac.local-state", first, 1, "No backend is named: the state lies on the machine that applies", "likely")
    if not seen.has("iac.pinned", "iac.unpinned") and not tree.named(".terraform.lock.hcl"):
        seen.add("iac.unpinned", first, 1, "No provider has a version", "likely")
    if locks := tree.named(".terraform.lock.hcl"):
        seen.add("iac.pinned", locks[0], 1, "Provider versions are locked")
    taggable = [block for _, block in resources if _TAGGED.match(block.labels[0])]
    tagged = [block for block in taggable if "tags" in block.attributes or "labels" in block.attributes]
    if taggable and not seen.has("iac.tags"):
        if len(tagged) * 2 >= len(taggable):
            seen.add("iac.tags", first, 1, f"{len(tagged)} of {len(taggable)} resources are tagged")
        elif not tagged:
            seen.add("iac.no-tags", first, 1, f"None of {len(taggable)} resources is tagged", "likely")
    covered = any(block.labels[0] == "aws_s3_bucket_server_side_encryption_configuration" for _, block in resources)
    for path, line, name in seen.facts.get("unsaid", []):
        if not (covered and name.startswith("aws_s3_bucket.")):
            seen.add("iac.encryption-unsaid", path, line, f"{name} does not say how it is encrypted", "possible")
    tests = tree.ending(".tftest.hcl", ".rego") or tree.named(".tflint.hcl", ".checkov.yaml", ".checkov.yml")
    if tests:
        seen.add("iac.tests", tests[0], 1, "Infrastructure has tests or policies of its own")


def _state(tree: Tree, seen: Seen) -> None:
    for path in tree.ending(".tfstate", ".tfstate.backup"):
        if tree.entries[path].tracked is not False and not re.search(r"(^|/)(tests?|testdata|fixtures?|examples?)/", path):
            seen.add(
                "iac.state-committed",
                path,
                1,
                "Terraform's state is " + ("in Git" if tree.entries[path].tracked else "in the folder"),
                "certain",
            )
