"""CloudFormation, SAM, serverless, plain policy files and CDK, with the tags of their YAML (!Ref, !Sub, !GetAtt)."""

from __future__ import annotations

import re
from typing import Any

from dataops_audit import policies, yamllines
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, is_false, is_true, items, line_of, walk, words

_OPEN = ("0.0.0.0/0", "::/0")
_PROPERTY = {
    "AWS::RDS::DBInstance": "StorageEncrypted",
    "AWS::RDS::DBCluster": "StorageEncrypted",
    "AWS::Redshift::Cluster": "Encrypted",
    "AWS::EC2::Volume": "Encrypted",
    "AWS::EFS::FileSystem": "Encrypted",
    "AWS::Kinesis::Stream": "StreamEncryption",
}
_UNSAID = {"AWS::S3::Bucket": "BucketEncryption", "AWS::DynamoDB::Table": "SSESpecification"}


def read(tree: Tree, seen: Seen) -> None:
    """Every template and policy file; what is broken is left to others."""
    for path in tree.ending(".yml", ".yaml", ".json", ".template"):
        text = tree.text(path)
        if not text or not re.search(r"AWS::|\"?Statement\"?\s*:|iamRoleStatements|\"?Effect\"?\s*:", text):
            continue
        try:
            root = yamllines.first(text.expandtabs(2) if path.endswith(".json") else text)
        except yamllines.BrokenYaml:
            continue
        if isinstance(root, dict):
            _template(seen, path, root, text)
    for path in tree.ending(".py"):
        text = tree.text(path) or ""
        if "PolicyStatement" in text or ('"Effect"' in text and '"Action"' in text):
            policies.judge(
                seen, path, policies.from_python(text), "certain" if not re.search(r"(^|/)tests?/", path) else "possible"
            )
    for names, what in (
        (("pulumi.yaml", "pulumi.yml"), "Pulumi"),
        (("cdk.json",), "CDK"),
        (("serverless.yml", "serverless.yaml"), "Serverless"),
    ):
        for path in tree.named(*names)[:1]:
            seen.add("iac.resources", path, 1, f"A project of {what}", "likely")
    if bicep := tree.ending(".bicep"):
        seen.add("iac.resources", bicep[0], 1, f"{len(bicep)} files of Bicep")


def _template(seen: Seen, path: str, root: Any, text: str) -> None:
    resources = root.get("Resources") if isinstance(root.get("Resources"), dict) else {}
    found = {
        str(name): one for name, one in resources.items() if str(child(one, "Type") or "").startswith(("AWS::", "Custom::"))
    }
    keys = [one for one in found.values() if child(one, "Type") == "AWS::KMS::Key"]
    of_keys = {statement for one in keys for statement in policies.from_tree(one)}
    policies.judge(seen, path, [one for one in policies.from_tree(root) if one not in of_keys])
    if not found:
        return
    seen.add("iac.resources", path, resources.line, f"{len(found)} resources in a template")
    if "Parameters" in root:
        seen.add("iac.variables", path, root.at("Parameters"), "Values come in through parameters")
    tagged = sum(child(one, "Properties", "Tags") is not None for one in found.values())
    if tagged * 2 >= len(found):
        seen.add("iac.tags", path, resources.line, f"{tagged} of {len(found)} resources are tagged")
    rows = text.split("\n")
    for name, one in found.items():
        properties = child(one, "Properties") or {}
        _encryption(seen, path, name, one, properties, rows)
        _public(seen, path, name, one, properties)
        for arn in [*words(child(properties, "ManagedPolicyArns")), *words(child(properties, "Policies"))]:
            policies.managed(seen, path, line_of(arn), str(arn))


def _encryption(seen: Seen, path: str, name: str, one: Any, properties: Any, rows: list[str]) -> None:
    kind = str(one.get("Type"))
    wanted = _PROPERTY.get(kind) or _UNSAID.get(kind)
    if wanted is None:
        return
    value = child(properties, wanted)
    if off := _switched_off(value):
        seen.add("iac.not-encrypted", path, off, f"{name} switches encryption off ({wanted})")
    elif value is not None:
        seen.add("iac.encrypted", path, properties.at(wanted), f"{name} is encrypted")
    else:
        start = one.line
        comment = next(
            (
                number
                for number in range(start, min(start + 40, len(rows)))
                if re.match(rf"\s*#\s*{wanted}\s*:", rows[number - 1])
            ),
            None,
        )
        if comment:
            seen.add("iac.not-encrypted", path, comment, f"The encryption of {name} is commented out")
        elif kind in _PROPERTY:
            seen.add(
                "iac.not-encrypted",
                path,
                one.line,
                f"{name} does not switch encryption on, and its default is off",
                "likely",
            )
        else:
            seen.add("iac.encryption-unsaid", path, one.line, f"{name} does not say how it is encrypted", "possible")


def _switched_off(value: Any) -> int | None:
    """The line on which a setting, or an `…Enabled` or `…Type` in it, switches encryption off."""
    for keys, one in walk(value):
        if is_false(one) and (not keys or keys[-1].endswith("Enabled")):
            return line_of(one)
        if isinstance(one, str) and one.upper() == "NONE" and (not keys or keys[-1].endswith("Type")):
            return line_of(one)
    return None


def _public(seen: Seen, path: str, name: str, one: Any, properties: Any) -> None:
    rules = items(child(properties, "SecurityGroupIngress")) + (
        [properties] if one.get("Type") == "AWS::EC2::SecurityGroupIngress" else []
    )
    for rule in rules:
        cidr = [str(child(rule, key) or "") for key in ("CidrIp", "CidrIpv6")]
        ports = {str(child(rule, "FromPort") or ""), str(child(rule, "ToPort") or "")}
        if set(cidr) & set(_OPEN) and not ports <= {"80", "443"}:
            seen.add(
                "iac.public",
                path,
                line_of(rule),
                f"{name} opens port {child(rule, 'FromPort') or 'any'} to the whole internet",
            )
    for key in ("PubliclyAccessible",):
        if is_true(child(properties, key)):
            seen.add("iac.public", path, properties.at(key), f"{name} can be reached from the internet")
    if str(child(properties, "AccessControl") or "").startswith("PublicRead"):
        seen.add("iac.public", path, properties.at("AccessControl"), f"{name} may be read by anybody")
