"""The firewall rules to request: complete, merged, safe in a spreadsheet, and without guesses."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from egressd.catalog import load_catalog
from egressd.catalog.export import FORMATS, export_rules, firewall_rules
from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud, Endpoint, Inspection, Need, Protocol, Role
from egressd.model.settings import Override, Resolver, Settings, Source

SETTINGS = Settings(region="westeurope", profiles=("machine",))


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
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names what it changes


def with_rows(catalog: Catalog, *rows: Endpoint) -> Catalog:
    return replace(catalog, endpoints=rows)


def summary(catalog: Catalog, settings: Settings) -> list[tuple[str, str, int | None, str]]:
    return [(one.role, one.destination, one.port, one.transport) for one in firewall_rules(catalog, settings)]


def test_one_rule_per_role_and_destination(catalog: Catalog) -> None:
    """Rules are grouped by role; a row for two roles is two rules."""
    assert summary(catalog, SETTINGS) == [
        ("management", "time.example", 123, "UDP"),
        ("appliance", "management.example", 443, "TCP"),
        ("appliance", "*.his.example", 443, "TCP"),
        ("machine", "time.example", 123, "UDP"),
    ]


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
        ("appliance", "10.0.0.53", 5353, "UDP"),
        ("appliance", "10.0.0.53", 5353, "TCP"),
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


def test_sources_of_the_role_are_named(catalog: Catalog) -> None:
    """The source address is part of the rule, where the operator gave it."""
    sources = (
        Source(name="a", address="10.0.0.1", roles=(Role.APPLIANCE,)),
        Source(name="b", interface="eth1", roles=(Role.APPLIANCE, Role.MACHINE)),
    )
    rules = firewall_rules(catalog, replace(SETTINGS, sources=sources))
    assert {rule.role: rule.sources for rule in rules} == {
        "management": [],
        "appliance": ["10.0.0.1", "interface eth1"],
        "machine": ["interface eth1"],
    }


def test_overrides_clouds_only_and_own_rows_count(catalog: Catalog) -> None:
    """Rules are requested for what would be probed."""
    rows = with_rows(catalog, row("a", "a.example"), row("b", "b.example", clouds=(Cloud.CHINA,)))
    own = row("own", "own.example", profile="", roles=())
    settings = replace(SETTINGS, endpoints=(own,), overrides=(Override(match="a", need=Need.OPTIONAL),))
    rules = firewall_rules(rows, settings)
    assert [(rule.destination, rule.need) for rule in rules if rule.role == "appliance"] == [
        ("a.example", Need.OPTIONAL),
        ("own.example", Need.REQUIRED),
    ]
    assert {rule.role for rule in rules if rule.destination == "own.example"} == set(Role)
    skipped = replace(settings, overrides=(Override(match="a.*", skip=True),), only=("*.example",))
    assert {rule.destination for rule in firewall_rules(rows, skipped)} == {"own.example"}


def test_csv_reads_back(catalog: Catalog) -> None:
    """The CSV is RFC 4180 with a heading, a line per rule, and the documents that ask for it."""
    text = export_rules(catalog, SETTINGS, "csv")
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.count("\r\n") == len(lines) + 1 == 5
    assert lines[2] == {
        "role": "appliance",
        "sources": "",
        "destination": "*.his.example",
        "port": "443",
        "transport": "TCP",
        "protocols": "https",
        "tls_inspection": "allowed",
        "websocket": "no",
        "subdomains": "one label",
        "need": "required",
        "condition": "",
        "services": "Identity",
        "purposes": "Identify.",
        "documents": "The list (2026-09-09)",
        "endpoints": "b-his",
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
    assert [rule["destination"] for rule in document["rules"]][1:3] == ["management.example", "*.his.example"]
    assert document["rules"][2]["documents"] == ["The list (2026-09-09)"]


def test_markdown_has_a_table_per_role(catalog: Catalog) -> None:
    """The Markdown can be pasted into a ticket; a bar in a text does not break the table."""
    own = row("own", "own.example", service="a | b")
    text = export_rules(catalog, replace(SETTINGS, profiles=(), endpoints=(own,)), "markdown")
    assert "## From: appliance\n" in text
    assert "| `own.example` | 443/TCP | allowed | no | required | a \\| b. Purpose of own. |\n" in text


@pytest.mark.parametrize("fmt", FORMATS)
def test_every_format_of_the_package_s_catalog(fmt: str) -> None:
    """The data that ships can be exported for every cloud in every format."""
    catalog = load_catalog()
    for cloud in Cloud:
        settings = Settings(cloud=cloud)
        assert "required" in export_rules(catalog, settings, fmt)  # type: ignore[arg-type]  # one of FORMATS


def test_unknown_profile(catalog: Catalog) -> None:
    """A profile that does not exist is a mistake with a suggestion."""
    with pytest.raises(UsageError, match="cannot find the profile 'machin': did you mean machine\\?"):
        firewall_rules(catalog, Settings(profiles=("machin",)))
