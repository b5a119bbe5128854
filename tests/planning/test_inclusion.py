"""A profile that another one needs only where a feature is in use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.model.catalog import Catalog, Feature, Inclusion, Profile
from egressd.model.endpoint import Endpoint, Need
from egressd.model.settings import Override, Settings
from egressd.planning import make_plan
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
    features = tuple(Feature(name=name, title=name) for name in ("wan", "tax", "clocks"))
    return replace(catalog, profiles=PROFILES, endpoints=rows, features=features)


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


def probed(catalog: Catalog, *features: str, overrides: tuple[Override, ...] = ()) -> dict[str, Need]:
    settings = Settings(profiles=("machine",), features=features, overrides=overrides)
    return {one.endpoint: one.need for one in make_plan(catalog, settings, label="zz").targets}


def test_in_use_they_are_required(offices: Catalog) -> None:
    """What the included profile has of other features still waits for those."""
    assert probed(offices, "wan") == {
        "w-hub": Need.REQUIRED,
        "w-extra": Need.OPTIONAL,
        "l-line": Need.REQUIRED,
    }
    assert probed(offices, "wan", "tax")["w-tax"] is Need.REQUIRED


def test_out_of_use_nothing_of_the_profile_is_probed(offices: Catalog) -> None:
    """Neither its optional rows nor those of features in use elsewhere; each says for what it waits."""
    assert probed(offices, "tax") == {}
    made = make_plan(offices, Settings(profiles=("machine",), features=("tax",)), label="zz")
    assert {one.endpoint: one.feature for one in made.unsampled} == {
        "w-hub": "wan",
        "w-extra": "wan",
        "w-tax": "wan",
        "c-time": "clocks",
        "l-line": "wan",
    }


def test_an_override_puts_a_row_in_use(offices: Catalog) -> None:
    """The operator knows better."""
    found = probed(offices, "tax", overrides=(Override(match="w-extra", need=Need.REQUIRED),))
    assert found == {"w-extra": Need.REQUIRED}


def test_a_feature_in_use_makes_a_row_one_to_probe(offices: Catalog, row: Make) -> None:
    """A server that answers some networks only is asked where the operator says that this is one."""
    one = row(
        "w-own",
        "own.example",
        profile="wan",
        need=Need.CONDITIONAL,
        condition="x",
        feature="tax",
        unprobed="it answers addresses of its own network only",
    )
    few = replace(offices, endpoints=(one,))
    assert probed(few, "wan", "tax") == {"w-own": Need.REQUIRED}
    made = make_plan(few, Settings(profiles=("wan",)), label="zz")
    assert [one.why for one in made.unsampled] == ["it answers addresses of its own network only"]
