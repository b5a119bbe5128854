"""Policies for Cilium and Calico: YAML that their definitions accept, and that allows what is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from egressd.firewall.languages import LANGUAGES
from egressd.firewall.rule import ANY_DEPTH, FirewallRule
from tests.firewall.devices.asked import asked, hostile_rules, rules_of_every_kind, web

LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
OBJECT_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
MATCH_NAME = re.compile(r"(?=.{1,255}$)([-a-zA-Z0-9_]+[.]?)+")
MATCH_PATTERN = re.compile(r"(?=.{1,255}$)([-a-zA-Z0-9_*]+[.]?)+")
CILIUM_PORT = {"TCP", "UDP", "ANY"}
SIDES = {"toFQDNs", "toCIDR", "toEndpoints", "fromCIDR"}


def documents(name: str, *rules: FirewallRule) -> list[dict[str, Any]]:
    """Return the policies that a language writes."""
    return list(yaml.safe_load_all(LANGUAGES[name].render(asked(rules))))


def cilium_rules(*rules: FirewallRule) -> Iterator[dict[str, Any]]:
    """Yield every rule of the Cilium policies."""
    for document in documents("cilium", *rules):
        yield from document["spec"].get("egress", [])
        yield from document["spec"].get("ingress", [])


@pytest.mark.parametrize("rules", [rules_of_every_kind(), hostile_rules()], ids=["every-kind", "hostile"])
def test_cilium_policies_have_the_fields_of_the_definition(rules: tuple[FirewallRule, ...]) -> None:
    """Patterns, ports and labels are what the custom resource's schema takes; one kind of far side a rule."""
    found = documents("cilium", *rules)
    assert len({one["metadata"]["name"] for one in found}) == len(found)
    for one in found:
        assert (one["apiVersion"], one["kind"]) == ("cilium.io/v2", "CiliumClusterwideNetworkPolicy")
        assert OBJECT_NAME.fullmatch(one["metadata"]["name"])
        (expression,) = one["spec"]["endpointSelector"]["matchExpressions"]
        assert all(LABEL_VALUE.fullmatch(value) for value in expression.get("values", []))
        assert ("values" in expression) is (expression["operator"] == "In")
    for rule in cilium_rules(*rules):
        assert len(SIDES & set(rule)) == 1
        for selector in rule.get("toFQDNs", []):
            assert len(selector) == 1
            assert MATCH_NAME.fullmatch(selector.get("matchName", "x"))
            assert MATCH_PATTERN.fullmatch(selector.get("matchPattern", "x"))
        for port in (port for some in rule.get("toPorts", []) for port in some["ports"]):
            assert port["protocol"] in CILIUM_PORT
            assert int(port["port"]) <= port.get("endPort", 65535)


def _matches(selector: dict[str, str], host: str, *, release: str) -> bool:
    """Match as Cilium does: `*` within a label, `**.` as a prefix any number of labels, one before 1.19."""
    if "matchName" in selector:
        return selector["matchName"] == host
    pattern = selector["matchPattern"]
    expression = re.escape(pattern).replace(r"\*", "[a-z0-9_-]*")
    if pattern.startswith("**."):
        rest = re.escape(pattern[3:]).replace(r"\*", "[a-z0-9_-]*")
        depth = "+" if release >= "1.19" else ""
        expression = rf"([a-z0-9_-]+\.){depth}{rest}"
    return re.fullmatch(expression, host) is not None


@pytest.mark.parametrize(
    ("destination", "reach", "passes", "waits_for", "never"),
    [
        ("*.one.example", "one label", ["a.one.example"], [], ["one.example", "a.b.one.example"]),
        ("ab*.one.example", "one label", ["abc.one.example"], [], ["b.one.example", "abc.d.one.example"]),
        (
            "*.deep.example",
            ANY_DEPTH,
            ["a.deep.example", "a.b.deep.example", "a.b.c.deep.example"],
            ["a.b.c.d.deep.example", "a.b.c.d.e.deep.example"],
            ["deep.example", "xdeep.example"],
        ),
        (
            "*end.deep.example",
            ANY_DEPTH,
            ["end.deep.example", "xend.deep.example", "a.b.xend.deep.example"],
            ["a.b.c.d.e.xend.deep.example"],
            ["deep.example", "x.deep.example"],
        ),
    ],
)
def test_cilium_patterns_reach_what_is_asked_for(
    destination: str, reach: str, passes: list[str], waits_for: list[str], never: list[str]
) -> None:
    """From 1.19 on exactly that; before, up to three labels, which the text says."""
    rule = web(destination, subdomains=reach)
    selectors = [one for some in cilium_rules(rule) for one in some.get("toFQDNs", [])]
    for release, hosts, wanted in (
        ("1.19", [*passes, *waits_for], True),
        ("1.18", passes, True),
        ("1.18", waits_for, False),
        ("1.19", never, False),
        ("1.18", never, False),
    ):
        for host in hosts:
            assert any(_matches(one, host, release=release) for one in selectors) is wanted, (host, release)
    text = LANGUAGES["cilium"].render(asked((rule,)))
    assert ("Before Cilium 1.19" in text or "before Cilium 1.19" in text) is bool(waits_for)


@pytest.mark.parametrize("rules", [rules_of_every_kind(), hostile_rules()], ids=["every-kind", "hostile"])
def test_calico_policies_have_the_fields_of_the_reference(rules: tuple[FirewallRule, ...]) -> None:
    """Domains have one star, a whole label; they stand in what goes out only; ports are numbers or a:b."""
    found = documents("calico", *rules)
    assert len({one["metadata"]["name"] for one in found}) == len(found)
    for one in found:
        assert (one["apiVersion"], one["kind"]) == ("projectcalico.org/v3", "GlobalNetworkPolicy")
        spec = one["spec"]
        assert re.fullmatch(
            r"has\(egressd-source\)|egressd-source in \{ ('[a-z0-9.-]+'(, )?)+ \}", spec["selector"]
        )
        assert [side.lower() for side in spec["types"]] == [
            key for key in spec if key in ("ingress", "egress")
        ]
        for rule in (*spec.get("ingress", []), *spec.get("egress", [])):
            assert rule["action"] == "Allow"
            assert rule["protocol"] in ("TCP", "UDP", "ICMP", "ICMPv6")
            for port in rule.get("destination", {}).get("ports", []):
                assert isinstance(port, int) or re.fullmatch(r"\d+:\d+", port)
            for domain in rule.get("destination", {}).get("domains", []):
                assert re.fullmatch(r"(\*|[a-z0-9_-]+)(\.[a-z0-9_-]+)*", domain)
        assert all("domains" not in rule["source"] for rule in spec.get("ingress", []))


@pytest.mark.parametrize(
    ("destination", "reach", "host", "wanted", "says"),
    [
        ("*.x.example", ANY_DEPTH, "a.b.x.example", True, False),
        ("*.x.example", "one label", "a.b.x.example", True, True),
        ("*.x.example", "one label", "x.example", False, True),
        ("az*.x.example", "one label", "other.x.example", True, True),
        ("h.x.example", "", "a.h.x.example", False, False),
    ],
)
def test_what_passes_beside_a_domain_of_calico_is_said(
    destination: str, reach: str, host: str, *, wanted: bool, says: bool
) -> None:
    """A star is one label or more, and not the name behind it; what that is wider by stands in the text."""
    rule = web(destination, subdomains=reach)
    policies = documents("calico", rule)[1:]
    (domain,) = policies[0]["spec"]["egress"][0]["destination"]["domains"]
    expression = re.escape(domain).replace(r"\*", r"[a-z0-9-]+(\.[a-z0-9-]+)*")
    assert (re.fullmatch(expression, host) is not None) is wanted
    text = " ".join(LANGUAGES["calico"].render(asked((rule,))).split())
    assert ("pass as well" in text or "passes." in text) is says


def test_pods_of_each_source_are_told_apart() -> None:
    """Addresses that look alike without their colons have labels of their own; each rule goes to its pods."""
    sources = ("2001:db8::1:1", "2001:db8:1::1", "10.0.0.1", "interface eth0")
    rules = [web(f"h{number}.example.net", sources=[one]) for number, one in enumerate(sources)]
    for name in ("cilium", "calico"):
        policies = documents(name, *rules)[1:]
        texts = [str(one["spec"].get("endpointSelector", one["spec"].get("selector"))) for one in policies]
        assert len(set(texts)) == len(sources)
        for number, one in enumerate(policies):
            assert f"h{number}.example.net" in str(one)


def test_dns_is_allowed_where_names_are() -> None:
    """Names are learnt from DNS answers: a policy with names brings one for DNS, one without does not."""
    for name in ("cilium", "calico"):
        assert documents(name, web("a.example.net"))[0]["metadata"]["name"] == "egressd-dns"
        assert [one["metadata"]["name"] for one in documents(name, web("192.0.2.7"))] != ["egressd-dns"]


def test_a_later_report_replaces_no_earlier_policy() -> None:
    """What is applied for another report is another object, unless it is the same policy."""
    for name in ("cilium", "calico"):
        found = [
            documents(name, web(host))[1]["metadata"]["name"]
            for host in ("a.example", "b.example", "a.example")
        ]
        assert found[0] == found[2] != found[1]
