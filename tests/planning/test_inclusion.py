"""A profile that another one needs only where a feature is in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from egressd.model.catalog import Catalog, Inclusion, Profile
from egressd.model.endpoint import Endpoint, Need
from egressd.model.settings import Settings
from egressd.planning.select import select

Make = Callable[..., Endpoint]
WAN = Inclusion(profile="wan", feature="wan", condition="the machine is far away")
CLOCKS = Inclusion(profile="clocks", feature="clocks", condition="it keeps time")


def profile(name: str, *includes: str, conditions: tuple[Inclusion, ...] = ()) -> Profile:
    return Profile(name=name, title=name, summary="", includes=includes, include_conditions=conditions)


PROFILES = (
    profile("machine", "wan", conditions=(WAN,)),
    profile("wan", "clocks", "lines", conditions=(CLOCKS,)),
    profile("site", "wan"),
    profile("clocks"),
    profile("lines"),
)


@pytest.fixture
def offices(catalog: Catalog, row: Make) -> Catalog:
    """`machine` includes `wan` where that is in use, and `wan` two others."""
    rows = (
        row("w-hub", "hub.example", profile="wan"),
        row("w-extra", "extra.example", profile="wan", need=Need.OPTIONAL),
        row("w-tax", "tax.example", profile="wan", need=Need.CONDITIONAL, condition="taxed", feature="tax"),
        row("c-time", "time.example", profile="clocks"),
        row("l-line", "line.example", profile="lines"),
    )
    return replace(catalog, profiles=PROFILES, endpoints=rows)


def needs(catalog: Catalog, *profiles: str) -> dict[str, tuple[str, str | None, str | None]]:
    rows = select(catalog, Settings(profiles=profiles))
    return {
        one.endpoint.id: (one.endpoint.need.value, one.endpoint.condition, one.endpoint.feature)
        for one in rows
    }


def test_required_rows_become_conditional(offices: Catalog) -> None:
    """So do those that come along with the profile; what is optional or has a condition of its own stays."""
    far = ("conditional", "the machine is far away", "wan")
    assert needs(offices, "machine") == {
        "w-hub": far,
        "w-extra": ("optional", None, None),
        "w-tax": ("conditional", "taxed", "tax"),
        "c-time": ("conditional", "it keeps time", "clocks"),
        "l-line": far,
    }


@pytest.mark.parametrize("profiles", [("machine", "wan"), ("wan", "machine"), ("machine", "site"), ("site",)])
def test_one_way_without_a_condition_is_enough(offices: Catalog, profiles: tuple[str, ...]) -> None:
    """A profile that is selected itself, or included by another one for good, is required."""
    found = needs(offices, *profiles)
    assert found["w-hub"] == found["l-line"] == ("required", None, None)
    assert found["c-time"] == ("conditional", "it keeps time", "clocks")
