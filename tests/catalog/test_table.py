"""The catalog as text: every row is there, within the width of a page."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.catalog.export import firewall_rules
from egressd.catalog.table import render_list, render_show
from egressd.errors import UsageError
from egressd.model.catalog import Catalog
from egressd.model.endpoint import (
    Cloud,
    CloudTerms,
    Direction,
    Endpoint,
    Forwarding,
    Need,
    Protocol,
    Role,
    Samples,
)
from egressd.model.settings import Settings
from egressd.planning import make_plan

SETTINGS = Settings(region="westeurope", profiles=("machine",))


@pytest.fixture
def catalog(catalog_dir: Path) -> Catalog:
    return load_catalog(catalog_dir)


def show(catalog: Catalog, settings: Settings, match: str) -> str:
    plan = make_plan(catalog, settings, label="egressd-probe-0")
    return render_show(catalog, settings, plan, match=match)


def test_list(catalog: Catalog) -> None:
    """Rows stand under their profile, an included one with its own heading."""
    assert render_list(catalog, SETTINGS) == (
        "machine: The machine\n"
        "  ID            PORT     HOST\n"
        "  conditional:\n"
        "    m-time      123 ntp  time.example\n"
        "\n"
        "bridge: The bridge\n"
        "  ID         PORT       HOST\n"
        "  required:\n"
        "    b-arm    443 https  management.example\n"
        "    b-his    443 https  *.his.example\n"
    )


def test_list_shows_the_operator_s_rows_and_applies_only(catalog: Catalog) -> None:
    """Own rows have a heading of their own; `--only` narrows the list."""
    own = replace(catalog.endpoints[0], id="own", pattern="own.example", profile="")
    text = render_list(catalog, replace(SETTINGS, endpoints=(own,), only=("own*", "m-time")))
    assert "your own endpoints\n" in text
    assert "own.example" in text
    assert "time.example" in text
    assert "management.example" not in text


def test_only_may_match_a_host_and_must_match_something(catalog: Catalog) -> None:
    """A host selects the row that covers it, in list and rules; a pattern without a match is refused."""
    host = replace(SETTINGS, only=("weu.his.example",))
    assert "b-his" in (text := render_list(catalog, host))
    assert "b-arm" not in text
    assert {rule.destination for rule in firewall_rules(catalog, host)} == {"*.his.example"}
    idle = replace(SETTINGS, only=("b-his", "nope", "x.*.example"))
    for asked in (render_list, firewall_rules):
        with pytest.raises(UsageError, match=r"cannot find an endpoint for --only nope, x\.\*\.example: "):
            asked(catalog, idle)


def test_an_empty_list_has_a_message(catalog: Catalog) -> None:
    """A cloud without rows gives a message, not an empty page."""
    assert render_list(catalog, replace(SETTINGS, cloud=Cloud.CHINA)) == "no endpoints for cloud china\n"


def test_show(catalog: Catalog) -> None:
    """A row is shown with its document, its samples, and its targets in the plan."""
    assert show(catalog, SETTINGS, "b-his") == (
        "b-his: Identity\n"
        "  profile         bridge\n"
        "  host            *.his.example\n"
        "  port            443, https\n"
        "  needed from     appliance\n"
        "  need            required\n"
        "  purpose         Identify.\n"
        "  TLS inspection  tolerated\n"
        "  documented      gbl.his.example\n"
        "  templated       {his}.his.example\n"
        "  discovered      his-region\n"
        "  random label    yes\n"
        "  clouds          public\n"
        "  document        The list, 2026-09-09\n"
        "  file            owner/repo/list.md @ 0c23bce664bc\n"
        "  probed here     gbl.his.example (documented), weu.his.example (templated),\n"
        "                  egressd-probe-0.his.example (random)\n"
        "  note            discovery his-region is called when a sweep begins\n"
    )


KINDS = Endpoint(
    id="b-kinds",
    profile="bridge",
    service="Kinds",
    pattern="*.kinds.example",
    port=10124,
    last_port=10139,
    protocol=Protocol.HTTPS,
    roles=(Role.NODE,),
    need=Need.CONDITIONAL,
    condition="it is used",
    feature="used",
    direction=Direction.BOTH,
    gateway=(("bridge", Forwarding.FORWARDED), ("machine", Forwarding.DIRECT)),
    one_of="either",
    regions=("westeurope",),
    purpose="Be of every kind.",
    paths=("/a", "/b"),
    samples=Samples(
        templated=("{region}.kinds.example",), templated_in=("eastus",), derived=("x.kinds.example",)
    ),
    clouds=(Cloud.PUBLIC, Cloud.USGOV),
    since="2024-03",
    by_cloud=(CloudTerms(cloud=Cloud.USGOV, need=Need.OPTIONAL, until="2026-09-09"),),
)


def test_show_has_every_kind_of_a_row(catalog: Catalog) -> None:
    """A range, both directions, a feature, a gateway, a group, regions, paths and derived names are shown."""
    text = show(replace(catalog, endpoints=(KINDS,)), SETTINGS, "b-kinds")
    for line in (
        "port            10124-10139, https",
        "path            /a, /b",
        "direction       both, each to the other",
        "need            conditional: it is used",
        "feature         used",
        "one of          either: one working row of the group is enough",
        "regions         westeurope",
        "Arc gateway     forwarded for bridge, direct for machine",
        "templated       {region}.kinds.example (in eastus; derived elsewhere)",
        "derived         x.kinds.example",
        "listed          since 2024-03",
    ):
        assert f"  {line}\n" in text


def test_show_is_of_the_selected_cloud(catalog: Catalog) -> None:
    """Need and dates of a row are those of the cloud that is asked for."""
    text = show(replace(catalog, endpoints=(KINDS,)), Settings(cloud=Cloud.USGOV, profiles=()), "b-kinds")
    assert "  need            optional\n" in text
    assert "  listed          since 2024-03 until 2026-09-09\n" in text


def test_a_row_without_a_port_is_listed_without_one(catalog: Catalog) -> None:
    """ICMP has no port, and none is made up."""
    icmp = replace(
        KINDS, pattern="node.example", protocol=Protocol.ICMP, port=None, last_port=None, samples=Samples()
    )
    one = replace(catalog, endpoints=(icmp,))
    assert "  port            icmp\n" in show(one, SETTINGS, "b-kinds")
    assert "    b-kinds     icmp  node.example\n" in render_list(one, SETTINGS)


def test_show_finds_rows_by_pattern_selected_or_not(catalog: Catalog) -> None:
    """Any row of the catalog can be looked up."""
    assert "  probed here     no: not selected here\n" in show(catalog, Settings(profiles=()), "management.*")


def test_show_suggests(catalog: Catalog) -> None:
    """An unknown name gets the closest ones."""
    with pytest.raises(
        UsageError, match="cannot find a row with the id or pattern 'b-hiss': did you mean b-his"
    ):
        show(catalog, SETTINGS, "b-hiss")


def test_the_package_s_catalog_fits_a_page() -> None:
    """No line of the list is wider than 100 columns."""
    catalog = load_catalog()
    for cloud in Cloud:
        text = render_list(catalog, Settings(cloud=cloud))
        assert max(map(len, text.splitlines())) <= 100
