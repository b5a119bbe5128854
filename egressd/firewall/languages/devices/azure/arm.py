"""Azure Firewall rules as an ARM template."""

from __future__ import annotations

import json
from collections.abc import Iterator

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.devices.azure.model import (
    API_VERSION,
    DESCRIPTIONS,
    PARAMETERS,
    PRIORITY,
    Addresses,
    Collection,
    NetworkRule,
    Policy,
    PolicyRule,
    Unknown,
)
from egressd.firewall.languages.devices.azure.policy import APPLICATION, REMARKS, make_policy
from egressd.firewall.languages.language import Language

Value = str | int | bool | list["Value"] | dict[str, "Value"]

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_TYPE = "Microsoft.Network/firewallPolicies/ruleCollectionGroups"
_POLICY = "parameters('firewallPolicyName')"


def _render(asked: RuleSet) -> str:
    """Write a template to deploy into the resource group of the policy; remarks stand in its metadata."""
    policy = make_policy(asked, LANGUAGE)
    template: dict[str, Value] = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "metadata": {"comments": [_literal(line) for line in policy.lines]},
        "parameters": dict(_parameters(policy)),
        "resources": list(_resources(policy)),
    }
    return json.dumps(template, indent=2) + "\n"


def _parameters(policy: Policy) -> Iterator[tuple[str, Value]]:
    if not policy.collections:
        return
    yield "firewallPolicyName", _parameter("string", "The policy that the rules go into")
    priority = _parameter("int", "Of the rule collection group; lower numbers are judged first")
    yield "priority", priority | {"defaultValue": PRIORITY, "minValue": 100, "maxValue": 64999}
    for one in policy.unknown:
        yield PARAMETERS[one], _parameter("array", DESCRIPTIONS[one])
    if policy.tags:
        about = _parameter("bool", "Whether to allow the service tags as well: far more than the hosts")
        yield "allowServiceTags", about | {"defaultValue": False}


def _parameter(kind: str, about: str) -> dict[str, Value]:
    return {"type": kind, "metadata": {"description": about}}


def _resources(policy: Policy) -> Iterator[Value]:
    if policy.collections:
        yield _group(policy.group, "[parameters('priority')]", policy.collections)
    if policy.tags:
        before = f"[resourceId('{_TYPE}', {_POLICY}, '{policy.group}')]"
        extra: dict[str, Value] = {"condition": "[parameters('allowServiceTags')]", "dependsOn": [before]}
        yield extra | _group(policy.tag_group, "[add(parameters('priority'), 1)]", (policy.tags,))


def _group(name: str, priority: str, collections: tuple[Collection, ...]) -> dict[str, Value]:
    return {
        "type": _TYPE,
        "apiVersion": API_VERSION,
        "name": f"[concat({_POLICY}, '/{name}')]",
        "properties": {"priority": priority, "ruleCollections": [_collection(one) for one in collections]},
    }


def _collection(one: Collection) -> Value:
    return {
        "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
        "name": one.name,
        "priority": one.priority,
        "action": {"type": "Allow"},
        "rules": [_rule(rule) for rule in one.rules],
    }


def _rule(rule: PolicyRule) -> Value:
    common: dict[str, Value] = {
        "ruleType": "NetworkRule" if isinstance(rule, NetworkRule) else "ApplicationRule",
        "name": rule.name,
        "description": _literal(rule.description),
        "sourceAddresses": _addresses(rule.sources),
    }
    if not isinstance(rule, NetworkRule):
        web: list[Value] = [{"protocolType": kind, "port": port} for kind, port in rule.protocols]
        off: dict[str, Value] = {"terminateTLS": False} if rule.uninspected else {}
        return common | {"protocols": web, "targetFqdns": [*rule.fqdns]} | off
    to: dict[str, Value] = {"destinationFqdns": [*rule.fqdns]}
    if not rule.fqdns:
        to = {"destinationAddresses": _addresses(rule.addresses)}
    return common | {"ipProtocols": [rule.transport], "destinationPorts": [*rule.ports]} | to


def _addresses(some: Addresses) -> Value:
    return f"[parameters('{PARAMETERS[some]}')]" if isinstance(some, Unknown) else [*some]


def _literal(text: str) -> str:
    """Return a text that is not evaluated: one in brackets would be an expression."""
    return f"[{text}" if text.startswith("[") else text


LANGUAGE = Language(
    name="azure-firewall",
    title="an Azure Firewall policy, as an ARM template",
    suffix=".json",
    comment="",
    wildcards=APPLICATION,
    document=f"the template reference of {_TYPE} {API_VERSION} and the Azure Firewall FAQ of 2022-09-12",
    tried="",
    render=_render,
    remarks=REMARKS,
)
