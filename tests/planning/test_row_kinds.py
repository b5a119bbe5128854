"""Rows that are more than one host and port: ranges, directions, regions, several paths, derived names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog
from egressd.model.endpoint import (
    Cloud,
    CloudTerms,
    Direction,
    Endpoint,
    Need,
    Protocol,
    Provenance,
    SampleKind,
    Samples,
)
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.planning import make_plan

Make = Callable[..., Endpoint]
HERE = Settings(region="westeurope", profiles=("bridge",))


def planned(catalog: Catalog, *rows: Endpoint, settings: Settings = HERE) -> Plan:
    return make_plan(replace(catalog, endpoints=rows), settings, label="zz")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"last_port": 10139}, "a range of ports: which of 443-10139 answers depends on the server"),
        ({"port": None, "protocol": Protocol.ICMP}, "ICMP is not probed: no program depends on its answer"),
        ({"unprobed": "nothing tells how it answers"}, "nothing tells how it answers"),
        ({"protocol": Protocol.UDP}, "UDP without a known protocol can't be verified"),
        (
            {"direction": Direction.INBOUND},
            "the connection comes from the other side: only a probe over there can prove it",
        ),
    ],
)
@pytest.mark.parametrize("pattern", ["x.example", "*.x.example"])
def test_rules_that_no_probe_can_prove(
    catalog: Catalog, row: Make, changes: dict[str, Any], why: str, pattern: str
) -> None:
    """They are listed as not probed, with the reason, even where a sample is known."""
    samples = Samples(documented=("a.x.example",), random=True) if "*" in pattern else Samples()
    made = planned(catalog, row("a", pattern, samples=samples, **changes))
    assert not made.targets
    assert [one.why for one in made.unsampled] == [why]


def test_a_row_of_both_directions_is_probed(catalog: Catalog, row: Make) -> None:
    """The half that leaves from here can be proved here."""
    made = planned(catalog, row("a", "x.example", direction=Direction.BOTH))
    assert [one.id for one in made.targets] == ["a/x.example:443"]


def test_each_path_is_a_target(catalog: Catalog, row: Make) -> None:
    """The first keeps the plain id; an override's path stands for all of them."""
    made = planned(catalog, row("a", "x.example", paths=("/one", "/two")))
    assert [(one.id, one.path) for one in made.targets] == [
        ("a/x.example:443", "/one"),
        ("a/x.example:443/two", "/two"),
    ]
    assert len(made.probes) == 2


def test_several_paths_and_one_random_label(catalog: Catalog, row: Make) -> None:
    """A rule is proved once, whatever the number of paths."""
    samples = Samples(documented=("a.x.example",), random=True)
    made = planned(catalog, row("a", "*.x.example", paths=("/one", "/two"), samples=samples))
    assert [one.id for one in made.targets] == [
        "a/a.x.example:443",
        "a/a.x.example:443/two",
        "a/*.x.example:443",
    ]


def test_rows_of_other_regions_do_not_exist(catalog: Catalog, row: Make) -> None:
    """Without a region, they are listed as waiting for one."""
    rows = (row("a", "x.example", regions=("westeurope",)), row("b", "y.example", regions=("centralus",)))
    assert [one.endpoint for one in planned(catalog, *rows).targets] == ["a"]
    without = planned(catalog, *rows, settings=replace(HERE, region=None))
    assert [(one.endpoint, one.why) for one in without.unsampled] == [
        ("a", "needs `region`"),
        ("b", "needs `region`"),
    ]


@pytest.mark.parametrize(
    ("region", "kind", "need"),
    [("westeurope", SampleKind.TEMPLATED, Need.REQUIRED), ("centralus", SampleKind.DERIVED, Need.OPTIONAL)],
)
def test_a_form_that_is_documented_for_one_region(
    catalog: Catalog, row: Make, region: str, kind: SampleKind, need: Need
) -> None:
    """Elsewhere the same name is egressd's own: it decides nothing."""
    samples = Samples(templated=("{region}.x.example",), templated_in=("westeurope",))
    made = planned(catalog, row("a", "*.x.example", samples=samples), settings=replace(HERE, region=region))
    assert [(one.host, one.sample, one.need) for one in made.targets] == [(f"{region}.x.example", kind, need)]


def test_a_documented_name_is_not_derived_as_well(catalog: Catalog, row: Make) -> None:
    """A name that a document prints keeps that standing; derived ones come after it."""
    samples = Samples(documented=("westeurope.x.example",), derived=("{region}.x.example", "zone.x.example"))
    made = planned(catalog, row("a", "*.x.example", samples=samples))
    assert [(one.host, one.sample) for one in made.targets] == [
        ("westeurope.x.example", SampleKind.DOCUMENTED),
        ("zone.x.example", SampleKind.DERIVED),
    ]


def test_terms_of_one_cloud(catalog: Catalog, row: Make) -> None:
    """Need, condition, dates and document are those of the cloud; what it leaves out is the row's."""
    gov = CloudTerms(
        cloud=Cloud.USGOV,
        need=Need.CONDITIONAL,
        condition="SQL Server is used",
        until="2026-09",
        provenance=Provenance(document="The other list"),
    )
    one = row(
        "a",
        "x.example",
        clouds=(Cloud.PUBLIC, Cloud.USGOV),
        since="2024-03",
        by_cloud=(gov,),
        provenance=Provenance(document="The list"),
    )
    assert one.in_cloud(Cloud.PUBLIC) == one
    there = one.in_cloud(Cloud.USGOV)
    assert (there.need, there.condition, there.since, there.until) == (
        Need.CONDITIONAL,
        "SQL Server is used",
        "2024-03",
        "2026-09",
    )
    assert there.provenance == Provenance(document="The other list")
    made = planned(catalog, one, settings=replace(HERE, region=None, cloud=Cloud.USGOV))
    assert [one.need for one in made.targets] == [Need.CONDITIONAL]


def test_a_cloud_that_requires_what_others_do_not(catalog: Catalog, row: Make) -> None:
    """A condition ends where the need is another one."""
    terms = CloudTerms(cloud=Cloud.USGOV, need=Need.REQUIRED)
    one = row("a", "x.example", need=Need.CONDITIONAL, condition="c", feature="f", by_cloud=(terms,))
    there = one.in_cloud(Cloud.USGOV)
    assert (there.need, there.condition, there.feature) == (Need.REQUIRED, None, None)
