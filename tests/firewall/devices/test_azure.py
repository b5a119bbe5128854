"""Azure Firewall policies: three languages, read by parsers of theirs, say the same allowed connections."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import hcl2
import jsonschema  # type: ignore[import-untyped]  # ships no types
import pycep
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH, ONE_LABEL, Action, FirewallRule, Leg
from egressd.model.endpoint import Direction, Need
from tests.firewall.devices.asked import PROXY, TWO, asked, hostile_rules, rule, rules_of_every_kind, web

KINDS = pytest.mark.parametrize(
    "rules", [rules_of_every_kind(), hostile_rules(), ()], ids=["every-kind", "hostile", "none"]
)
ADDRESSES = {"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]}
STRINGS = {"type": "array", "items": {"type": "string", "maxLength": 254}, "minItems": 1, "maxItems": 100}
NAME = {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$"}
RULE = {
    "type": "object",
    "required": ["ruleType", "name", "sourceAddresses"],
    "properties": {
        "ruleType": {"enum": ["ApplicationRule", "NetworkRule"]},
        "name": NAME,
        "description": {"type": "string", "minLength": 1, "pattern": r"^[^\[]"},
        "sourceAddresses": ADDRESSES,
        "protocols": {
            "items": {
                "required": ["protocolType", "port"],
                "properties": {
                    "protocolType": {"enum": ["Http", "Https"]},
                    "port": {"type": "integer", "minimum": 1, "maximum": 64000},
                },
                "additionalProperties": False,
            },
            "minItems": 1,
        },
        "targetFqdns": STRINGS,
        "terminateTLS": {"const": False},
        "ipProtocols": {"items": {"enum": ["TCP", "UDP", "ICMP"]}, "minItems": 1},
        "destinationPorts": {"items": {"pattern": r"^(\*|\d+(-\d+)?)$"}, "minItems": 1},
        "destinationAddresses": ADDRESSES,
        "destinationFqdns": STRINGS,
    },
    "additionalProperties": False,
    "if": {"properties": {"ruleType": {"const": "ApplicationRule"}}},
    "then": {"required": ["protocols", "targetFqdns"]},
    "else": {"required": ["ipProtocols", "destinationPorts"]},
}
COLLECTION = {
    "type": "object",
    "required": ["ruleCollectionType", "name", "priority", "action", "rules"],
    "properties": {
        "ruleCollectionType": {"const": "FirewallPolicyFilterRuleCollection"},
        "name": NAME,
        "priority": {"type": "integer", "minimum": 100, "maximum": 65000},
        "action": {"const": {"type": "Allow"}},
        "rules": {"type": "array", "items": RULE, "minItems": 1},
    },
    "additionalProperties": False,
}
"""What the template reference says of the objects that are written."""


def template(*rules: FirewallRule) -> dict[str, Any]:
    """Return the ARM template for rules."""
    found: dict[str, Any] = json.loads(LANGUAGES["azure-firewall"].render(asked(rules)))
    return found


def collections_of(*rules: FirewallRule) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each resource and each of its collections."""
    for resource in template(*rules)["resources"]:
        for collection in resource["properties"]["ruleCollections"]:
            yield resource, collection


def written(*rules: FirewallRule, kind: str = "") -> list[dict[str, Any]]:
    """Return the rules of the group that is always deployed, of one kind or all."""
    return [
        one
        for resource, collection in collections_of(*rules)
        for one in collection["rules"]
        if "condition" not in resource and kind in one["ruleType"]
    ]


@KINDS
def test_template_is_what_the_reference_describes(rules: tuple[FirewallRule, ...]) -> None:
    """Collections have rules of one kind and priorities of their own; names are unique in a collection."""
    document = template(*rules)
    assert document["contentVersion"] == "1.0.0.0"
    assert all(one["metadata"]["description"] for one in document["parameters"].values())
    used = set(re.findall(r"parameters\('(\w+)'\)", json.dumps(document["resources"])))
    assert used == set(document["parameters"])
    for resource in document["resources"]:
        assert resource["type"] == "Microsoft.Network/firewallPolicies/ruleCollectionGroups"
        collections = resource["properties"]["ruleCollections"]
        assert len({one["priority"] for one in collections}) == len(collections)
        for one in collections:
            jsonschema.validate(one, COLLECTION)
            assert len({rule["ruleType"] for rule in one["rules"]}) == 1
            assert len({rule["name"] for rule in one["rules"]}) == len(one["rules"])


@KINDS
def test_no_text_of_a_rule_is_evaluated(rules: tuple[FirewallRule, ...]) -> None:
    """Only what the language itself writes stands in brackets; everything else is a literal."""
    policy = r"parameters\('firewallPolicyName'\)"
    own = re.compile(
        r"\[(parameters\('\w+'\)|add\(parameters\('priority'\), 1\)"
        rf"|concat\({policy}, '/egressd-[\w-]+'\)|resourceId\('[\w./]+', {policy}, 'egressd-[\w-]+'\))\]"
    )
    for text in _texts(template(*rules)):
        assert not text.startswith("[") or text.startswith("[[") or own.fullmatch(text)


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from (text for one in value.values() for text in _texts(one))
        case list():
            yield from (text for one in value for text in _texts(one))


def _bicep(text: str) -> Mapping[str, list[object]]:
    """Return the collections of each group that a Bicep file has, as the template's."""
    found = {}
    for one in _unescaped(pycep.BicepParser().parse(text=text)["resources"]).values():
        config = one["config"].get("config", one["config"])
        if not one["existing"]:
            found[config["name"]] = config["properties"]["ruleCollections"]
    return found


def _unescaped(value: Any) -> Any:
    """Take the escapes of Bicep off, which its parser leaves."""
    match value:
        case bool() | int() | None:
            return value
        case str():
            return re.sub(r"\\(.)", r"\1", value)
        case dict():
            return {key: _unescaped(one) for key, one in value.items()}
        case _:
            return [_unescaped(one) for one in value]


def _unquoted(value: Any) -> Any:
    """Take the quotes and escapes of HCL off, and the marks of its parser."""
    if isinstance(value, str):
        plain = value.removeprefix('"').removesuffix('"')
        return json.loads(f'"{plain}"').replace("$${", "${").replace("%%{", "%{") if value != plain else value
    if isinstance(value, list):
        return [_unquoted(one) for one in value]
    if isinstance(value, dict):
        return {_unquoted(key): _unquoted(one) for key, one in value.items() if not key.startswith("__")}
    return value


def _terraform(text: str) -> Mapping[str, list[dict[str, Any]]]:
    """Return the collections of each group that a Terraform file has, in the words of the template."""
    found = {}
    for resource in _unquoted(hcl2.loads(text)).get("resource", []):
        (group,) = resource["azurerm_firewall_policy_rule_collection_group"].values()
        kinds = ("network", "application")
        blocks = [one for kind in kinds for one in group.get(f"{kind}_rule_collection", [])]
        found[group["name"]] = [_collection(one) for one in sorted(blocks, key=lambda one: one["priority"])]
    return found


def _collection(block: dict[str, Any]) -> dict[str, Any]:
    return {
        "ruleCollectionType": "FirewallPolicyFilterRuleCollection",
        "name": block["name"],
        "priority": block["priority"],
        "action": {"type": block["action"]},
        "rules": [_rule(one) for one in block["rule"]],
    }


def _rule(block: dict[str, Any]) -> dict[str, Any]:
    network = "destination_ports" in block
    names = {"name": "name", "description": "description", "source_addresses": "sourceAddresses"}
    names |= {"destination_fqdns": "destinationFqdns" if network else "targetFqdns"}
    names |= {"destination_addresses": "destinationAddresses", "destination_ports": "destinationPorts"}
    names |= {"terminate_tls": "terminateTLS"}
    found = {names[key]: value for key, value in block.items() if key in names}
    if network:
        return {"ruleType": "NetworkRule"} | found | {"ipProtocols": block["protocols"]}
    ports = [{"protocolType": one["type"], "port": one["port"]} for one in block["protocols"]]
    return {"ruleType": "ApplicationRule"} | found | {"protocols": ports}


def _plain(value: Any) -> Any:
    """Write every reference to a parameter alike."""
    text = json.dumps(value)
    for name, plain in (("host", "HOSTS"), ("proxy", "PROXY")):
        for spelling in (
            f"[parameters('{name}Addresses')]",
            f"{name}Addresses",
            f"${{var.egressd_{name}_addresses}}",
        ):
            text = text.replace(f'"{spelling}"', f'"{plain}"')
    return json.loads(text)


@KINDS
def test_three_languages_say_the_same(rules: tuple[FirewallRule, ...]) -> None:
    """A parser of Bicep and one of HCL read the collections that the template has, texts included."""
    arm: dict[str, list[object]] = {}
    for resource, collection in collections_of(*rules):
        name = re.findall(r"'/([\w-]+)'", resource["name"])[0]
        arm.setdefault(name, []).append(collection)
    bicep = _bicep(LANGUAGES["bicep"].render(asked(rules))) if rules else {}
    terraform = _terraform(LANGUAGES["terraform"].render(asked(rules)))
    assert _plain(bicep) == _plain(arm)
    assert _plain(terraform) == _plain(arm)


@KINDS
def test_terraform_lays_it_out_no_other_way(rules: tuple[FirewallRule, ...]) -> None:
    """`terraform fmt`, where it is installed, parses the file and changes nothing."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    text = LANGUAGES["terraform"].render(asked(rules))
    done = subprocess.run(
        [program, "fmt", "-"], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == text


def test_protocols_decide_the_kind_of_rule() -> None:
    """What carries a name is an application rule; proxies, addresses, UDP and what is inbound are not."""
    application = written(
        web("a.example.net"),
        web("b.example.net", protocols=["wss", "https"]),
        web("c.example.net", protocols=["http"], port=80),
        web("d.example.net", protocols=["tls"], port=9000, last_port=9002),
    )
    assert {one["ruleType"] for one in application} == {"ApplicationRule"}
    ports = [[port["port"] for port in one["protocols"]] for one in application]
    assert ports == [[443], [80], [9000, 9001, 9002]]
    network = written(
        rule("proxy.corp.example", port=443, protocols=["https"], leg=Leg.TO_PROXY, proxy=PROXY),
        web("198.51.100.7"),
        rule("t.example.net", port=123, transport="UDP", protocols=["ntp"]),
        web("wide.example.net", protocols=["tls"], port=49152, last_port=65535),
        web("high.example.net", port=65000),
        web("mixed.example.net", protocols=["https", "tcp"]),
        rule("10.4.4.4", port=22, protocols=["tcp"], direction=Direction.INBOUND),
    )
    assert {one["ruleType"] for one in network} == {"NetworkRule"}
    inbound = next(one for one in network if one["sourceAddresses"] == ["10.4.4.4"])
    assert inbound["destinationAddresses"] == TWO


def test_service_tags_never_stand_alone() -> None:
    """Tags are network rules of a group that is off by default, each beside the rule with the host."""
    rules = (
        web("a.example.net", service_tags=["AzureArcInfrastructure", "Storage.WestEurope"]),
        web("b.example.net", service_tags=["Not a tag", "x'"]),
        web("c.example.net", service_tags=["Storage"], action=Action.EXEMPT),
        rule("proxy.corp.example", port=3128, leg=Leg.TO_PROXY, service_tags=["Storage"], protocols=["http"]),
    )
    tagged = [(resource, one) for resource, one in collections_of(*rules) if "condition" in resource]
    ((resource, collection),) = tagged
    assert resource["condition"] == "[parameters('allowServiceTags')]"
    assert template(*rules)["parameters"]["allowServiceTags"]["defaultValue"] is False
    (found,) = collection["rules"]
    assert found["destinationAddresses"] == ["AzureArcInfrastructure", "Storage.WestEurope"]
    assert found["destinationPorts"] == ["443"]
    assert "a.example.net" in json.dumps(written(*rules))
    assert "AzureArc" not in json.dumps(written(*rules))


def test_each_report_has_a_group_of_its_own() -> None:
    """What is deployed for one report replaces nothing of another; a plan replaces the last plan."""
    names = []
    for run in ("run-1", "run-2", "x' ]", None):
        document = asked((web("a.example.net", service_tags=["Storage"]),))
        document = replace(document, origin=replace(document.origin, run=run))
        text = LANGUAGES["azure-firewall"].render(document)
        names += re.findall(r"/(egressd[\w-]*)'", text)
        assert set(_bicep(LANGUAGES["bicep"].render(document))) == set(names[-2:])
        assert set(_terraform(LANGUAGES["terraform"].render(document))) == set(names[-2:])
    assert len(set(names)) == 8
    assert names[:2] == ["egressd-run-1", "egressd-run-1-tags"]
    assert names[6:] == ["egressd", "egressd-tags"]


def test_ipv6_and_unknown_sources_are_said() -> None:
    """A source that a policy can't have is named; one that is not known is a parameter without a value."""
    document = template(
        web("a.example.net", sources=["10.0.0.1", "2001:db8::1"]),
        web("b.example.net", sources=["2001:db8::1"]),
        web("c.example.net", sources=["10.0.0.1", "interface eth1"]),
        web("d.example.net", leg=Leg.FROM_PROXY, proxy=PROXY, sources=["proxy.corp.example"]),
    )
    remarks = " ".join(document["metadata"]["comments"])
    assert "b.example.net tcp/443: left out" in remarks
    assert "2001:db8::1 is left out" in remarks
    assert "interface eth1 is no address" in remarks
    assert "defaultValue" not in document["parameters"]["hostAddresses"]
    by_source = {json.dumps(one["sourceAddresses"]): one["targetFqdns"] for one in _rules_of(document)}
    assert by_source == {
        '["10.0.0.1"]': ["a.example.net", "c.example.net"],
        "\"[parameters('hostAddresses')]\"": ["c.example.net"],
        "\"[parameters('proxyAddresses')]\"": ["d.example.net"],
    }


def _rules_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    groups = (one["properties"]["ruleCollections"] for one in document["resources"])
    return [rule for some in groups for one in some for rule in one["rules"]]


def test_very_many_hosts_are_several_rules() -> None:
    """No rule has more than a hundred hosts, and each host is in one."""
    hosts = [f"h{number}.example.net" for number in range(250)]
    rules = written(*(web(host) for host in hosts))
    assert [len(one["targetFqdns"]) for one in rules] == [100, 100, 50]
    assert [host for one in rules for host in one["targetFqdns"]] == hosts
    assert len({one["name"] for one in rules}) == 3


def _covers(fqdn: str, host: str) -> bool:
    """Match as an application rule does: a leading star is any number of labels, or part of one."""
    return host.endswith(fqdn[1:]) and host != fqdn[1:].removeprefix(".") if fqdn[:1] == "*" else fqdn == host


@given(
    labels=st.lists(st.sampled_from(["a", "b", "cc", "x-y"]), min_size=1, max_size=4),
    pattern=st.sampled_from(["*.x.example", "*end.x.example", "mid*.x.example", "y.x.example"]),
    depth=st.sampled_from([ONE_LABEL, ANY_DEPTH]),
)
def test_what_passes_beside_a_pattern_is_said(labels: list[str], pattern: str, depth: str) -> None:
    """A host that a written rule covers and the asked pattern does not is announced as passing."""
    host = ".".join([*labels, "x.example"])
    asked_for = web(pattern, subdomains=depth if "*" in pattern else "", need=Need.REQUIRED)
    document = template(asked_for)
    (found,) = _rules_of(document)
    covered = any(_covers(one, host) for one in found["targetFqdns"])
    first, _, rest = pattern.partition(".")
    exact = re.escape(first).replace(r"\*", "[^.]*" if depth == ONE_LABEL or first[:1] != "*" else ".*")
    meant = re.fullmatch(f"{exact}\\.{re.escape(rest)}", host) is not None and not host.startswith(".")
    said = any(part in " ".join(document["metadata"]["comments"]) for part in ("pass as well", "passes."))
    assert not meant or covered
    assert not covered or meant or said
