"""The firewall rules to request: complete, merged, safe in a spreadsheet, and without guesses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.export import RuleFilter, firewall_rules, planned_rules
from egressd.errors import UsageError
from egressd.firewall import Leg
from egressd.firewall.languages import LANGUAGES
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Direction, Endpoint, Forwarding, Inspection, Need, Protocol, Role
from egressd.model.settings import ArcGateway, Override, Proxy, Resolver, Settings, Source

SETTINGS = Settings(region="westeurope", profiles=("machine",))


def export_rules(catalog: Catalog, settings: Settings, fmt: str) -> str:
    """Return the rules of a plan in a language."""
    return LANGUAGES[fmt].render(planned_rules(catalog, settings))


@pytest.fixture
def catalog(catalog_dir: Path) -> Catalog:
    return load_catalog(catalog_dir)


def row(name: str, pattern: str, **changes: object) -> Endpoint:
    plain = Endpoint(
        id=name,
        profile="bridge",
        service=f"Service of {name}",
        pattern=pattern,
        port=443,
        protocol=Protocol.HTTPS,
        roles=(Role.APPLIANCE,),
        need=Need.REQUIRED,
        purpose=f"Purpose of {name}.",
    )
    return replace(plain, **changes)


def with_rows(catalog: Catalog, *rows: Endpoint) -> Catalog:
    return replace(catalog, endpoints=rows)


def summary(catalog: Catalog, settings: Settings) -> list[tuple[str, str, str, str]]:
    return [
        (" ".join(one.roles), one.destination, one.ports, one.transport)
        for one in firewall_rules(catalog, settings)
    ]


def test_one_rule_per_destination(catalog: Catalog) -> None:
    """A row for two roles is one rule; the strictest needs come first."""
    assert summary(catalog, SETTINGS) == [
        ("appliance", "management.example", "443", "TCP"),
        ("appliance", "*.his.example", "443", "TCP"),
        ("management machine", "time.example", "123", "UDP"),
    ]


def test_roles_of_several_rows_are_merged(catalog: Catalog) -> None:
    """Each role that needs the destination is named once, in the order of rows."""
    rows = (
        row("a", "x.example", roles=(Role.MACHINE,)),
        row("b", "x.example", roles=(Role.APPLIANCE, Role.MACHINE)),
    )
    assert summary(with_rows(catalog, *rows), SETTINGS) == [("machine appliance", "x.example", "443", "TCP")]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (RuleFilter(roles=(Role.MACHINE,)), [("machine", "time.example")]),
        (
            RuleFilter(needs=(Need.REQUIRED,)),
            [("appliance", "management.example"), ("appliance", "*.his.example")],
        ),
        (RuleFilter(roles=(Role.NODE,)), []),
    ],
)
def test_rules_of_some_roles_and_needs(
    catalog: Catalog, wanted: RuleFilter, expected: list[tuple[str, str]]
) -> None:
    """A rule names the roles that were asked for, and no others."""
    rules = firewall_rules(catalog, SETTINGS, wanted)
    assert [(" ".join(one.roles), one.destination) for one in rules] == expected


def test_ranges_directions_and_icmp(catalog: Catalog) -> None:
    """What no probe can prove is a rule all the same; both directions are two rules."""
    rows = (
        row("range", "x.example", port=10124, last_port=10139, protocol=Protocol.TLS),
        row("ping", "y.example", port=None, protocol=Protocol.ICMP, direction=Direction.INBOUND),
        row("both", "z.example", port=22, protocol=Protocol.TCP, direction=Direction.BOTH),
    )
    found = firewall_rules(with_rows(catalog, *rows), SETTINGS)
    assert [(one.destination, one.ports, one.transport, one.direction.value) for one in found] == [
        ("x.example", "10124-10139", "TCP", "outbound"),
        ("y.example", "", "ICMP", "inbound"),
        ("z.example", "22", "TCP", "outbound"),
        ("z.example", "22", "TCP", "inbound"),
    ]
    text = export_rules(with_rows(catalog, *rows), SETTINGS, "markdown")
    assert "## To: appliance\n\nDestinations: not given\n\n| source |" in text


PROXIED = Proxy(url="http://proxy.corp.example:3128", bypass=("y.example",))


def test_a_proxy_makes_three_lists(catalog: Catalog) -> None:
    """Hosts reach the proxy, it lets them, and reaches the world; what bypasses it, and UDP, stays direct."""
    rows = (
        row("a", "x.example"),
        row("b", "*.w.example", need=Need.OPTIONAL),
        row("c", "y.example"),
        row("d", "time.example", port=123, protocol=Protocol.NTP),
    )
    source = Source(name="a", address="10.0.0.1")
    settings = replace(SETTINGS, proxy=PROXIED, sources=(source,))
    found = firewall_rules(with_rows(catalog, *rows), settings)
    assert [(one.leg.value, one.sources, one.destination, one.ports, one.need.value) for one in found] == [
        ("direct", ["10.0.0.1"], "y.example", "443", "required"),
        ("direct", ["10.0.0.1"], "time.example", "123", "required"),
        ("to-proxy", ["10.0.0.1"], "proxy.corp.example", "3128", "required"),
        ("at-proxy", ["10.0.0.1"], "x.example", "443", "required"),
        ("at-proxy", ["10.0.0.1"], "*.w.example", "443", "optional"),
        ("from-proxy", ["proxy.corp.example"], "x.example", "443", "required"),
        ("from-proxy", ["proxy.corp.example"], "*.w.example", "443", "optional"),
    ]
    text = export_rules(with_rows(catalog, *rows), settings, "markdown")
    assert "## From the proxy http://proxy.corp.example:3128\n\nSources: proxy.corp.example\n" in text


def test_what_a_gateway_forwards_needs_no_rule(catalog: Catalog) -> None:
    """It comes last and says so; what is not forwarded says why, and the gateway's own URL is required."""
    rows = (
        row("f", "x.example", gateway=(("bridge", Forwarding.FORWARDED),)),
        row("d", "y.example", gateway=(("bridge", Forwarding.DIRECT),)),
        row("u", "z.example"),
        row("p", "x.example", port=80, protocol=Protocol.HTTP, gateway=(("bridge", Forwarding.FORWARDED),)),
    )
    settings = replace(SETTINGS, profiles=("bridge",), arc_gateway=ArcGateway(prefix="contoso"))
    found = firewall_rules(with_rows(catalog, *rows), settings)
    url = "https://contoso.gw.arc.azure.com"
    assert [(one.leg.value, one.proxy, one.destination, one.ports, one.gateway) for one in found] == [
        ("direct", "", "y.example", "443", ["direct: bridge must reach this without it"]),
        ("direct", "", "z.example", "443", ["no document says whether it forwards this for bridge"]),
        ("direct", "", "x.example", "80", ["direct: it forwards no plain HTTP to this host"]),
        ("direct", "", "contoso.gw.arc.azure.com", "443", ["direct: it is the gateway"]),
        ("by-gateway", url, "x.example", "443", ["forwarded: documented for bridge"]),
    ]
    text = export_rules(with_rows(catalog, *rows), settings, "markdown")
    forwarded = text.partition(f"## Forwarded by the Azure Arc gateway {url}: no rule is needed")[2]
    assert "`x.example`" in forwarded
    assert "y.example" not in forwarded
    elsewhere = replace(settings, arc_gateway=ArcGateway(prefix="contoso", proxy="http://10.0.0.9:40343"))
    (leg,) = (one for one in firewall_rules(with_rows(catalog, *rows), elsewhere) if one.leg is Leg.TO_PROXY)
    assert (leg.destination, leg.ports) == ("10.0.0.9", "40343")


def test_a_gateway_stands_behind_a_proxy(catalog: Catalog) -> None:
    """The proxy before the gateway gets a rule to the gateway, and none to what that forwards."""
    rows = (row("f", "x.example", gateway=(("bridge", Forwarding.FORWARDED),)), row("u", "z.example"))
    settings = replace(
        SETTINGS, profiles=("bridge",), proxy=PROXIED, arc_gateway=ArcGateway(prefix="contoso")
    )
    found = firewall_rules(with_rows(catalog, *rows), settings)
    assert [(one.leg.value, one.destination) for one in found] == [
        ("to-proxy", "proxy.corp.example"),
        ("at-proxy", "z.example"),
        ("at-proxy", "contoso.gw.arc.azure.com"),
        ("from-proxy", "z.example"),
        ("from-proxy", "contoso.gw.arc.azure.com"),
        ("by-gateway", "x.example"),
    ]


def test_a_proxy_s_credentials_are_in_no_rule(catalog: Catalog) -> None:
    """Rules go to other people."""
    proxy = replace(PROXIED, username="svc", password="hunter2-secret")
    for fmt in LANGUAGES:
        text = export_rules(catalog, replace(SETTINGS, proxy=proxy, profiles=("bridge",)), fmt)
        assert "hunter2" not in text
        assert "svc" not in text


def test_paths_tags_features_and_alternatives(catalog: Catalog) -> None:
    """A rule says what is probed and which tags cover it; what is pasted into a device is the whole host."""
    one = row(
        "a",
        "x.example",
        paths=("/one", "/two"),
        service_tags=("AzureMonitor",),
        need=Need.CONDITIONAL,
        condition="SQL is used",
        feature="sql",
        one_of="ways",
    )
    (rule,) = firewall_rules(with_rows(catalog, one), SETTINGS)
    assert (rule.paths, rule.service_tags, rule.features) == (["/one", "/two"], ["AzureMonitor"], ["sql"])
    assert rule.one_of == ["bridge: ways"]
    text = export_rules(with_rows(catalog, one), SETTINGS, "markdown")
    assert "| `x.example` | 443/TCP" in text
    assert "(one of bridge: ways is enough)" in text
    (whole,) = firewall_rules(with_rows(catalog, one, row("b", "x.example")), SETTINGS)
    assert (whole.paths, whole.features) == (["/one", "/two"], [])


def test_rows_with_the_same_destination_become_one_rule(catalog: Catalog) -> None:
    """The strictest demand wins: required, not inspected, WebSocket; services are all named."""
    rows = (
        row("a", "*.x.example", need=Need.CONDITIONAL, condition="SSH is used"),
        row("b", "*.x.example", protocol=Protocol.WSS, inspection=Inspection.FORBIDDEN, deep=True),
        row("c", "*.x.example", need=Need.OPTIONAL),
    )
    (rule,) = firewall_rules(with_rows(catalog, *rows), SETTINGS)
    assert (rule.need, rule.conditions, rule.tls_inspection) == (Need.REQUIRED, [], "forbidden")
    assert (rule.websocket, rule.subdomains, rule.protocols) == (True, "any depth", ["https", "wss"])
    assert rule.endpoints == ["a", "b", "c"]
    assert rule.services == ["Service of a", "Service of b", "Service of c"]


def test_conditions_are_kept_if_no_row_is_required(catalog: Catalog) -> None:
    """A rule of conditional rows only lists their conditions."""
    rows = (
        row("a", "x.example", need=Need.CONDITIONAL, condition="SSH is used"),
        row("b", "x.example", need=Need.CONDITIONAL, condition="SQL is used"),
    )
    (rule,) = firewall_rules(with_rows(catalog, *rows), SETTINGS)
    assert (rule.need, rule.conditions) == (Need.CONDITIONAL, ["SSH is used", "SQL is used"])


def test_dns_rules_have_both_transports_and_the_configured_servers(catalog: Catalog) -> None:
    """DNS needs TCP as well, and the servers are those of the configuration, at their ports."""
    dns = with_rows(catalog, row("dns", "{resolver}", port=53, protocol=Protocol.DNS))
    given = replace(SETTINGS, resolvers=(Resolver(name="10.0.0.53:5353", address="10.0.0.53", port=5353),))
    assert summary(dns, given) == [
        ("appliance", "10.0.0.53", "5353", "UDP"),
        ("appliance", "10.0.0.53", "5353", "TCP"),
    ]
    assert {destination for _, destination, _, _ in summary(dns, SETTINGS)} == {"<your DNS servers>"}


def test_placeholders_are_filled_or_left_open(catalog: Catalog) -> None:
    """A known region is written out; an unknown value stays `<name>`."""
    rows = with_rows(catalog, row("a", "*.{region}.x.example"), row("b", "{vault}.x.example"))
    assert [place for _, place, _, _ in summary(rows, SETTINGS)] == [
        "*.westeurope.x.example",
        "<vault>.x.example",
    ]
    values = (("vault", "v1"), ("vault", "v2"))
    known = replace(SETTINGS, region=None, values=values)
    assert [place for _, place, _, _ in summary(rows, known)] == [
        "*.<region>.x.example",
        "v1.x.example",
        "v2.x.example",
    ]


def test_sources_of_the_roles_are_named(catalog: Catalog) -> None:
    """Every source that has one of the roles is part of the rule, where the operator gave an address."""
    sources = (
        Source(name="a", address="10.0.0.1", roles=(Role.APPLIANCE,)),
        Source(name="b", interface="eth1", roles=(Role.APPLIANCE, Role.MACHINE)),
    )
    rules = firewall_rules(catalog, replace(SETTINGS, sources=sources))
    assert {rule.destination: rule.sources for rule in rules} == {
        "management.example": ["10.0.0.1", "interface eth1"],
        "*.his.example": ["10.0.0.1", "interface eth1"],
        "time.example": ["interface eth1"],
    }


def test_overrides_clouds_only_and_own_rows_count(catalog: Catalog) -> None:
    """Rules are requested for what would be probed."""
    rows = with_rows(catalog, row("a", "a.example"), row("b", "b.example", clouds=(Cloud.CHINA,)))
    own = row("own", "own.example", profile="", roles=())
    settings = replace(SETTINGS, endpoints=(own,), overrides=(Override(match="a", need=Need.OPTIONAL),))
    rules = firewall_rules(rows, settings)
    assert [(rule.destination, rule.need) for rule in rules if "appliance" in rule.roles] == [
        ("own.example", Need.REQUIRED),
        ("a.example", Need.OPTIONAL),
    ]
    assert [set(rule.roles) for rule in rules if rule.destination == "own.example"] == [set(Role)]
    skipped = replace(settings, overrides=(Override(match="a.*", skip=True),), only=("*.example",))
    assert {rule.destination for rule in firewall_rules(rows, skipped)} == {"own.example"}


def test_csv_reads_back(catalog: Catalog) -> None:
    """The CSV is RFC 4180 with a heading, a line per rule, and the documents that ask for it."""
    text = export_rules(catalog, SETTINGS, "csv")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.count("\r\n") == len(lines) + 1 == 4
    assert lines[1] == {
        "leg": "direct",
        "proxy": "",
        "roles": "appliance",
        "sources": "",
        "direction": "outbound",
        "destination": "*.his.example",
        "port": "443",
        "transport": "TCP",
        "protocols": "https",
        "paths": "",
        "tls_inspection": "allowed",
        "websocket": "no",
        "subdomains": "one label",
        "need": "required",
        "condition": "",
        "features": "",
        "one_of": "",
        "gateway": "",
        "service_tags": "",
        "services": "Identity",
        "purposes": "Identify.",
        "documents": "The list (2026-09-09)",
        "endpoints": "b-his",
        "action": "allow",
        "team": "firewall",
        "confidence": "",
        "targets": "",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_csv_cell_starts_a_formula(catalog: Catalog, start: str) -> None:
    """A cell with the operator's text is never a formula in a spreadsheet."""
    own = row("own", "own.example", service=f"{start}HYPERLINK(1)", purpose=f"{start}1")
    text = export_rules(catalog, replace(SETTINGS, profiles=(), endpoints=(own,)), "csv")
    (line,) = list(csv.DictReader(io.StringIO(text, newline="")))
    assert line["services"] == f"'{start}HYPERLINK(1)"
    assert line["purposes"] == f"'{start}1"
    assert not any(cell.startswith(tuple("=+-@\t\r\n")) for cell in line.values())


def test_json_names_schema_catalog_and_selection(catalog: Catalog) -> None:
    """The JSON names its schema, catalog and selection, and holds the rules unflattened."""
    document = json.loads(export_rules(catalog, SETTINGS, "json"))
    assert document["schema"] == "egressd.rules/1"
    assert document["catalog"] == {"revision": "2026-11-20", "digest": catalog.digest}
    assert (document["cloud"], document["region"], document["profiles"]) == (
        "public",
        "westeurope",
        ["machine"],
    )
    assert [rule["destination"] for rule in document["rules"]][:2] == ["management.example", "*.his.example"]
    assert document["rules"][1]["documents"] == ["The list (2026-09-09)"]


def test_markdown_has_a_table_per_group_of_roles(catalog: Catalog) -> None:
    """The Markdown can be pasted into a ticket; a bar in a text does not break the table."""
    own = row("own", "own.example", service="a | b")
    text = export_rules(catalog, replace(SETTINGS, profiles=(), endpoints=(own,)), "markdown")
    assert "## From: appliance\n" in text
    assert "| `own.example` | 443/TCP | allowed | no | required |  | a \\| b. Purpose of own. |\n" in text


@pytest.mark.parametrize("fmt", LANGUAGES)
def test_every_format_of_the_package_s_catalog(fmt: str) -> None:
    """The data that ships can be exported for every cloud in every format."""
    catalog = load_catalog()
    for cloud in Cloud:
        settings = Settings(cloud=cloud)
        assert "guestnotificationservice" in export_rules(catalog, settings, fmt)


def test_unknown_profile(catalog: Catalog) -> None:
    """A profile that does not exist is a mistake with a suggestion."""
    with pytest.raises(UsageError, match="cannot find the profile 'machin': did you mean machine\\?"):
        firewall_rules(catalog, Settings(profiles=("machin",)))
