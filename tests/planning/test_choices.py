"""Choices: of rows that are ways to the same hosts, each host must offer one."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from egressd.model.catalog import Catalog
from egressd.model.endpoint import Endpoint
from egressd.model.plan import Plan
from egressd.model.settings import Settings
from egressd.model.verdict import Outcome, deciding_outcomes
from egressd.planning import make_plan

Make = Callable[..., Endpoint]
SERVERS = (("wsus", "a.example"), ("wsus", "b.example"))


def planned(catalog: Catalog, *rows: Endpoint, values: tuple[tuple[str, str], ...] = SERVERS) -> Plan:
    settings = Settings(region="westeurope", profiles=("bridge",), values=values)
    return make_plan(replace(catalog, endpoints=rows), settings, label="zz")


def two_ports(row: Make) -> tuple[Endpoint, Endpoint]:
    return row("new", "{wsus}", port=8530, one_of="server"), row("old", "{wsus}", port=8443, one_of="server")


def decided(plan: Plan, *working: str) -> dict[str, Outcome]:
    """Return the outcomes that count, where all but these targets are blocked."""
    outcomes = {
        (one.id, "default"): Outcome.OK if one.id in working else Outcome.BLOCKED for one in plan.targets
    }
    return {name: one for (name, _), one in deciding_outcomes(plan.targets, (), outcomes).items()}


def test_one_server_is_one_choice(catalog: Catalog, row: Make) -> None:
    """Its name is the group's alone."""
    plan = planned(catalog, *two_ports(row), values=SERVERS[:1])
    assert {one.one_of for one in plan.targets} == {"bridge/server"}


def test_each_of_two_servers_is_a_choice(catalog: Catalog, row: Make) -> None:
    """A server that works does not excuse one that does not."""
    plan = planned(catalog, *two_ports(row))
    assert {one.one_of for one in plan.targets} == {
        "bridge/server at a.example",
        "bridge/server at b.example",
    }
    found = decided(plan, "new/a.example:8530")
    assert found.keys() == {"new/a.example:8530", "new/b.example:8530", "old/b.example:8443"}
    assert Outcome.BLOCKED in found.values()


def test_servers_may_differ_in_what_they_offer(catalog: Catalog, row: Make) -> None:
    """One answers at the one port and one at the other: nothing is missing."""
    found = decided(planned(catalog, *two_ports(row)), "new/a.example:8530", "old/b.example:8443")
    assert set(found.values()) == {Outcome.OK}


def test_rows_of_different_hosts_stay_one_choice(catalog: Catalog, row: Make) -> None:
    """Two names for one service: either is enough, however many values one of them has."""
    plan = planned(
        catalog, row("own", "{wsus}", one_of="registry"), row("public", "mcr.example", one_of="registry")
    )
    assert {one.one_of for one in plan.targets} == {"bridge/registry"}
    assert set(decided(plan, "public/mcr.example:443").values()) == {Outcome.OK}


def test_a_range_beside_each_server_is_unknown(catalog: Catalog, row: Make) -> None:
    """An alternative that can't be probed leaves open whether a server can be reached."""
    probed = row("one", "{wsus}", one_of="server")
    ranged = row("many", "{wsus}", port=10124, last_port=10139, one_of="server")
    plan = planned(catalog, probed, ranged)
    outcomes = {(one.id, "default"): Outcome.BLOCKED for one in plan.targets}
    found = deciding_outcomes(plan.targets, plan.unsampled, outcomes)
    assert set(found.values()) == {Outcome.UNKNOWN}
