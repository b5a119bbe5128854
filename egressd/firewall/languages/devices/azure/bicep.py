"""Azure Firewall rules as a Bicep file."""

from __future__ import annotations

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
from egressd.firewall.languages.devices.comments import as_comments
from egressd.firewall.languages.language import Language

_TYPE = f"Microsoft.Network/firewallPolicies/ruleCollectionGroups@{API_VERSION}"
_ESCAPES = {"\\": "\\\\", "'": "\\'", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _render(asked: RuleSet) -> str:
    """Write a file to deploy into the resource group of the policy."""
    policy = make_policy(asked, LANGUAGE)
    lines = [*as_comments("//", policy.lines)]
    if policy.collections:
        lines += ["", *_parameters(policy), *_policy(), *_group(policy)]
    if policy.tags:
        lines += _tag_group(policy.tag_group, policy.tags)
    return "\n".join(lines) + "\n"


def _parameters(policy: Policy) -> Iterator[str]:
    yield from (_about("The policy that the rules go into"), "param firewallPolicyName string", "")
    yield from (_about("Of the rule collection group; lower numbers are judged first"), "@minValue(100)")
    yield from ("@maxValue(64999)", f"param priority int = {PRIORITY}", "")
    for one in policy.unknown:
        yield from (_about(DESCRIPTIONS[one]), f"param {PARAMETERS[one]} array", "")
    if policy.tags:
        yield _about("Whether to allow the service tags as well: far more than the hosts")
        yield from ("param allowServiceTags bool = false", "")


def _about(text: str) -> str:
    return f"@description({_quoted(text)})"


def _policy() -> Iterator[str]:
    yield f"resource policy 'Microsoft.Network/firewallPolicies@{API_VERSION}' existing = {{"
    yield from ("  name: firewallPolicyName", "}", "")


def _group(policy: Policy) -> Iterator[str]:
    yield f"resource egressd '{_TYPE}' = {{"
    yield from (
        "  parent: policy",
        f"  name: {_quoted(policy.group)}",
        "  properties: {",
        "    priority: priority",
    )
    yield from _collections(policy.collections)


def _tag_group(name: str, tags: Collection) -> Iterator[str]:
    yield from ("", f"resource egressdServiceTags '{_TYPE}' = if (allowServiceTags) {{", "  parent: policy")
    yield from (f"  name: {_quoted(name)}", "  dependsOn: [", "    egressd", "  ]")
    yield from ("  properties: {", "    priority: priority + 1")
    yield from _collections((tags,))


def _collections(collections: tuple[Collection, ...]) -> Iterator[str]:
    yield "    ruleCollections: ["
    for one in collections:
        yield from ("      {", "        ruleCollectionType: 'FirewallPolicyFilterRuleCollection'")
        yield from (f"        name: {_quoted(one.name)}", f"        priority: {one.priority}")
        yield from ("        action: {", "          type: 'Allow'", "        }", "        rules: [")
        for rule in one.rules:
            yield from (f"          {line}" for line in _rule(rule))
        yield from ("        ]", "      }")
    yield from ("    ]", "  }", "}")


def _rule(rule: PolicyRule) -> Iterator[str]:
    kind = "NetworkRule" if isinstance(rule, NetworkRule) else "ApplicationRule"
    yield from ("{", f"  ruleType: '{kind}'", f"  name: {_quoted(rule.name)}")
    yield f"  description: {_quoted(rule.description)}"
    yield from _list("sourceAddresses", rule.sources)
    if isinstance(rule, NetworkRule):
        yield from _list("ipProtocols", (rule.transport,))
        yield from _list("destinationPorts", rule.ports)
        if rule.fqdns:
            yield from _list("destinationFqdns", rule.fqdns)
        else:
            yield from _list("destinationAddresses", rule.addresses)
    else:
        yield "  protocols: ["
        for name, port in rule.protocols:
            yield from ("    {", f"      protocolType: '{name}'", f"      port: {port}", "    }")
        yield "  ]"
        yield from _list("targetFqdns", rule.fqdns)
        if rule.uninspected:
            yield "  terminateTLS: false"
    yield "}"


def _list(key: str, values: Addresses) -> Iterator[str]:
    if isinstance(values, Unknown):
        yield f"  {key}: {PARAMETERS[values]}"
        return
    yield f"  {key}: ["
    yield from (f"    {_quoted(one)}" for one in values)
    yield "  ]"


def _quoted(text: str) -> str:
    """Return a Bicep string: nothing in it is interpolated."""
    return "'" + "".join(_ESCAPES.get(one, one) for one in text) + "'"


LANGUAGE = Language(
    name="bicep",
    title="an Azure Firewall policy, as Bicep",
    suffix=".bicep",
    comment="//",
    wildcards=APPLICATION,
    document=f"the Bicep reference of {_TYPE} and the Azure Firewall FAQ of 2022-09-12",
    tried="",
    render=_render,
    remarks=REMARKS,
)
