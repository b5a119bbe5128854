"""Azure Firewall rules for Terraform, provider azurerm."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.azure.model import (
    DESCRIPTIONS,
    PRIORITY,
    Addresses,
    Collection,
    NetworkRule,
    Policy,
    PolicyRule,
    Unknown,
)
from egressd.firewall.languages.devices.azure.policy import APPLICATION, REMARKS, make_policy
from egressd.firewall.languages.devices.comments import as_comments
from egressd.firewall.languages.language import Language

_RESOURCE = "azurerm_firewall_policy_rule_collection_group"
_VARIABLES = {Unknown.HOSTS: "egressd_host_addresses", Unknown.PROXY: "egressd_proxy_addresses"}
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_INDENT = "  "
_ON_A_LINE = 4


def _render(asked: RuleSet) -> str:
    """Write variables and one or two resources, as `terraform fmt` lays them out."""
    policy = make_policy(asked, LANGUAGE)
    lines = [*as_comments("#", policy.lines)]
    if policy.collections:
        lines += [*_variables(policy), *_group(policy)]
    if policy.tags:
        lines += _tag_group(policy.tag_group, policy.tags)
    return "\n".join(lines) + "\n"


def _variables(policy: Policy) -> Iterator[str]:
    yield from _variable(
        "egressd_firewall_policy_id", "string", "The id of the policy that the rules go into"
    )
    about = "Of the rule collection group; lower numbers are judged first"
    yield from _variable("egressd_priority", "number", about, default=str(PRIORITY))
    for one in policy.unknown:
        yield from _variable(_VARIABLES[one], "list(string)", DESCRIPTIONS[one])
    if policy.tags:
        about = "Whether to allow the service tags as well: far more than the hosts"
        yield from _variable("egressd_allow_service_tags", "bool", about, default="false")


def _variable(name: str, kind: str, about: str, *, default: str = "") -> Iterator[str]:
    facts = {"type": kind, "description": _quoted(about)} | ({"default": default} if default else {})
    yield from ("", f'variable "{name}" {{', *_aligned(facts), "}")


def _group(policy: Policy) -> Iterator[str]:
    yield from ("", f'resource "{_RESOURCE}" "egressd" {{')
    yield from _aligned(_place(policy.group, "var.egressd_priority"))
    for one in policy.collections:
        yield from _collection(one)
    yield "}"


def _tag_group(name: str, tags: Collection) -> Iterator[str]:
    yield from ("", f'resource "{_RESOURCE}" "egressd_service_tags" {{')
    yield from ("  count = var.egressd_allow_service_tags ? 1 : 0", "")
    yield from _aligned(_place(name, "var.egressd_priority + 1"))
    yield from _collection(tags)
    yield from ("", f"  depends_on = [{_RESOURCE}.egressd]", "}")


def _place(name: str, priority: str) -> dict[str, str]:
    return {
        "name": _quoted(name),
        "firewall_policy_id": "var.egressd_firewall_policy_id",
        "priority": priority,
    }


def _collection(one: Collection) -> Iterator[str]:
    kind = "network" if one.is_network else "application"
    facts = {"name": _quoted(one.name), "priority": str(one.priority), "action": '"Allow"'}
    yield from ("", f"  {kind}_rule_collection {{", *_aligned(facts, depth=2))
    for rule in one.rules:
        yield from ("", "    rule {", *_rule(rule), "    }")
    yield "  }"


def _rule(rule: PolicyRule) -> Iterator[str]:
    facts = {
        "name": _quoted(rule.name),
        "description": _quoted(rule.description),
        "source_addresses": _list(rule.sources),
    }
    if isinstance(rule, NetworkRule):
        key, to = ("fqdns", rule.fqdns) if rule.fqdns else ("addresses", rule.addresses)
        facts |= {"protocols": _list((rule.transport,)), "destination_ports": _list(rule.ports)}
        yield from _aligned(facts | {f"destination_{key}": _list(to)}, depth=3)
        return
    off = {"terminate_tls": "false"} if rule.uninspected else {}
    yield from _aligned(facts | {"destination_fqdns": _list(rule.fqdns)} | off, depth=3)
    for kind, port in rule.protocols:
        yield from ("", "      protocols {", *_aligned({"type": _quoted(kind), "port": str(port)}, depth=4))
        yield "      }"


def _aligned(facts: dict[str, str], *, depth: int = 1) -> Iterator[str]:
    """Yield arguments with their values in one column, but for long ones, as `terraform fmt` has them."""
    for is_long, some in groupby(facts.items(), key=lambda fact: "\n" in fact[1]):
        part = dict(some)
        width = 0 if is_long else max(map(len, part))
        yield from (f"{_INDENT * depth}{key.ljust(width)} = {value}" for key, value in part.items())


def _list(values: Addresses, *, depth: int = 3) -> str:
    if isinstance(values, Unknown):
        return f"var.{_VARIABLES[values]}"
    if len(values) <= _ON_A_LINE:
        return f"[{', '.join(_quoted(one) for one in values)}]"
    lines = "".join(f"\n{_INDENT * (depth + 1)}{_quoted(one)}," for one in values)
    return f"[{lines}\n{_INDENT * depth}]"


def _quoted(text: str) -> str:
    """Return an HCL string: nothing in it is a template."""
    plain = "".join(_ESCAPES.get(one, one) for one in text)
    return '"' + plain.replace("${", "$${").replace("%{", "%%{") + '"'


LANGUAGE = Language(
    name="terraform",
    title="an Azure Firewall policy, for Terraform (azurerm)",
    suffix=".tf",
    comment="#",
    wildcards=APPLICATION,
    document=f"the azurerm page of {_RESOURCE} (API 2024-05-01) and the Azure Firewall FAQ of 2022-09-12",
    tried="",
    render=_render,
    remarks=REMARKS,
)
