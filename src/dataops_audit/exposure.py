"""What Terraform opens to everybody: ports, buckets, databases, data sets."""

from __future__ import annotations

import re
from typing import Any

from dataops_audit.findings import Seen
from dataops_audit.hcl import Block, texts

_OPEN = ("0.0.0.0/0", "::/0", "*", "Internet", "Any")
_WEB = (80.0, 443.0)
_EVERYBODY = frozenset(("allUsers", "allAuthenticatedUsers"))
_SWITCHES = {
    "publicly_accessible": "certain",
    "allow_nested_items_to_be_public": "likely",
    "allow_blob_public_access": "likely",
    "public_network_access_enabled": "possible",
    "associate_public_ip_address": "possible",
}
_GUARDS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")


def judge(seen: Seen, path: str, block: Block, local: dict[str, Any]) -> None:
    """Adds what a resource opens to everybody."""
    for line, what, sure in [*_ports(block, local), *_stores(block), *_members(block, local)]:
        seen.add("iac.public", path, line, f"{'.'.join(block.labels)} {what}", sure)


def _ports(block: Block, local: dict[str, Any]) -> list[tuple[int, str, str]]:
    kind = block.labels[0]
    if kind == "google_compute_firewall":
        return _google_firewall(block, local)
    if (
        kind == "azurerm_network_security_rule"
        and block.value("direction") == "Inbound"
        and block.value("access") == "Allow"
    ):
        open_to = str(block.value("source_address_prefix")) in _OPEN
        web = str(block.value("destination_port_range")) in ("80", "443")
        return [(block.line, "lets the whole internet in", "certain")] if open_to and not web else []
    if kind.endswith("_firewall_rule") and block.value("start_ip_address") == "0.0.0.0":
        everybody = str(block.value("end_ip_address")).startswith("255.")
        return [(block.line, "lets the whole internet in", "certain")] if everybody else []
    rules: list[Block] = []
    if kind in ("aws_security_group", "aws_default_security_group"):
        rules = block.all("ingress")
    elif kind == "aws_vpc_security_group_ingress_rule" or (
        kind == "aws_security_group_rule" and block.value("type") == "ingress"
    ):
        rules = [block]
    return [found for rule in rules for found in _ingress(rule, local)]


def _ingress(rule: Block, local: dict[str, Any]) -> list[tuple[int, str, str]]:
    ranges = ("cidr_blocks", "ipv6_cidr_blocks", "cidr_ipv4", "cidr_ipv6")
    first = rule.value("from_port")
    last = rule.value("to_port") if "to_port" in rule.attributes else first
    if (first in _WEB and last in _WEB) or not any(
        text in _OPEN for name in ranges for text in texts(rule.value(name), local)
    ):
        return []
    if first in (None, 0.0, -1.0) and last in (None, 0.0, 65535.0, -1.0):
        what = "every port"
    else:
        what = f"port {first:g}" if isinstance(first, float) else "a port"
    return [(rule.line, f"opens {what} to the whole internet", "certain")]


def _google_firewall(block: Block, local: dict[str, Any]) -> list[tuple[int, str, str]]:
    allows = block.all("allow")
    ports = {text for allow in allows for text in texts(allow.value("ports"), local)}
    protocols = {text.lower() for allow in allows for text in texts(allow.value("protocol"), local)}
    harmless = (protocols and protocols <= {"icmp", "ipv6-icmp"}) or (ports and ports <= {"80", "443"})
    inward = str(block.value("direction") or "INGRESS") == "INGRESS"
    if harmless or not inward or not set(texts(block.value("source_ranges"), local)) & set(_OPEN):
        return []
    return [(block.line, f"opens {', '.join(sorted(ports)) or 'every port'} to the whole internet", "certain")]


def _stores(block: Block) -> list[tuple[int, str, str]]:
    kind, found = block.labels[0], []
    acl = str(block.value("acl"))
    if kind in ("aws_s3_bucket", "aws_s3_bucket_acl") and acl.startswith("public-read"):
        found.append((block.at("acl"), f"may be read by anybody ({acl})", "certain"))
    for name, sure in _SWITCHES.items():
        if block.value(name) is True:
            found.append((block.at(name), f"can be reached from the internet ({name})", sure))
    lifted = [name for name in _GUARDS if block.value(name) is False]
    if kind == "aws_s3_bucket_public_access_block" and lifted:
        found.append((block.at(lifted[0]), f"lifts the guard against public access ({lifted[0]})", "likely"))
    return found


def _members(block: Block, local: dict[str, Any]) -> list[tuple[int, str, str]]:
    kind = block.labels[0]
    if kind == "google_bigquery_dataset":
        open_ = [one.line for one in block.all("access") if str(one.value("special_group")) in _EVERYBODY]
        return [(line, "is open to everybody", "certain") for line in open_]
    members = texts(block.value("member"), local) + texts(block.value("members"), local)
    if not re.match(r"google_.*_iam_(member|binding)$", kind) or not _EVERYBODY & set(members):
        return []
    reads = re.search(r"[vV]iewer|reader", " ".join(texts(block.value("role"), local)))
    harmless = "run_service" in kind or "cloudfunctions" in kind
    return [(block.line, "is open to everybody", "possible" if harmless else "likely" if reads else "certain")]
