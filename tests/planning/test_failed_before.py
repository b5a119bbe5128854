"""A plan of what failed before: its targets, rows without one, its choices, and the controls beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from egressd.errors import UsageError
from egressd.model.catalog import Catalog, Discovery
from egressd.model.endpoint import Endpoint
from egressd.model.plan import ControlKind, Plan
from egressd.model.settings import FailedBefore, Resolver, Settings, Source
from egressd.planning import calls_needed, make_plan

Make = Callable[..., Endpoint]

BOTH = Settings(region="westeurope", profiles=("bridge", "machine"))
HIS = "b-his/weu.his.example:443"
ARM = ("management.example", 443)


def failed(
    *targets: str, unprobed: tuple[str, ...] = (), worked: tuple[tuple[str, int], ...] = ()
) -> FailedBefore:
    return FailedBefore(
        started="2026-11-30T12:00:00.000Z",
        place="cloud public, region northeurope",
        targets=frozenset(targets),
        unprobed=frozenset(unprobed),
        endpoints=frozenset((*unprobed, *(one.partition("/")[0] for one in targets))),
        worked=frozenset(worked),
    )


def planned(catalog: Catalog, before: FailedBefore, settings: Settings = BOTH, **more: object) -> Plan:
    local = (Resolver(name="10.0.0.53", address="10.0.0.53"),)
    return make_plan(
        catalog,
        replace(settings, only_failed=before),
        label="zz",
        nameservers=local,
        **more,  # type: ignore[arg-type]
    )


def known_good(plan: Plan) -> list[tuple[str, str]]:
    return [(one.source, one.host) for one in plan.controls if one.kind is ControlKind.KNOWN_GOOD]


def test_only_what_failed_is_probed(catalog: Catalog) -> None:
    """Other hosts of the same row are left out, and so is the random label."""
    plan = planned(catalog, failed(HIS))
    assert [one.id for one in plan.targets] == [HIS]
    assert [one.host for one in plan.probes] == ["weu.his.example"]
    assert {one.endpoint for one in plan.coverage} == {"b-his"}
    assert plan.unsampled == ()
    assert plan.notes[0].startswith(
        "only what failed in the report of 2026-11-30T12:00:00.000Z is probed: 1 of "
    )


def test_a_random_label_that_failed_is_probed_at_its_siblings(catalog: Catalog) -> None:
    """Its host is another one each time; the addresses are those of hosts that need not have failed."""
    plan = planned(catalog, failed("b-his/*.his.example:443"))
    (probe,) = plan.probes
    assert probe.host == "zz.his.example"
    assert set(probe.siblings) >= {"gbl.his.example"}


def test_a_required_row_without_target_is_probed_once_it_can_be(catalog: Catalog) -> None:
    """What lacked a region then has one now; what lacks it still is told."""
    assert {one.endpoint for one in planned(catalog, failed(unprobed=("b-obo",))).targets} == {"b-obo"}
    still = planned(catalog, failed(HIS, unprobed=("b-obo",)), replace(BOTH, region=None))
    assert [one.endpoint for one in still.unsampled] == ["b-obo"]
    assert "failed then and not in this plan: b-his/weu.his.example:443" in still.notes


def test_hosts_of_a_discovery_call_are_asked_for_only_where_one_failed(catalog: Catalog) -> None:
    """A host that the call gave and that failed is known again after the call."""
    relay = failed("m-relay/azgnrelay-eus-l1.bus.example:443")
    assert {one.name for one in calls_needed(catalog, replace(BOTH, only_failed=relay))} == {"relays"}
    assert calls_needed(catalog, replace(BOTH, only_failed=failed("b-arm/management.example:443"))) == ()
    before = planned(catalog, relay)
    assert (before.targets, [one.endpoint for one in before.unsampled]) == ((), ["m-relay"])
    found = Discovery(name="relays", hosts=("azgnrelay-eus-l1.bus.example", "azgnrelay-eus-l2.bus.example"))
    assert [one.host for one in planned(catalog, relay, discoveries=(found,)).targets] == [found.hosts[0]]


def test_a_choice_is_probed_whole(catalog: Catalog, row: Make) -> None:
    """One alternative that works is enough, so none may be left out."""
    rows = (
        row("new", "new.example", one_of="server"),
        row("old", "old.example", one_of="server"),
        row("x", "x.example"),
    )
    plan = planned(
        replace(catalog, endpoints=rows), failed("new/new.example:443"), replace(BOTH, profiles=("bridge",))
    )
    assert [one.endpoint for one in plan.targets] == ["new", "old"]


def test_what_worked_is_a_control_from_each_source(catalog: Catalog) -> None:
    """It decides nothing, and stands for the ways on which something failed: here HTTPS, not NTP."""
    settings = replace(
        BOTH, sources=(Source(name="a", address="10.0.0.1"), Source(name="b", address="10.0.0.2"))
    )
    plan = planned(catalog, failed(HIS, worked=(ARM, ("time.example", 123))), settings)
    assert known_good(plan) == [("a", "management.example"), ("b", "management.example")]
    assert [one.id for one in plan.targets] == [HIS]


def test_where_nothing_worked_on_the_way_another_one_will_do(catalog: Catalog) -> None:
    """A host that answers on another port still shows a line that is not dead."""
    plan = planned(catalog, failed(HIS, worked=(("time.example", 123),)))
    assert known_good(plan) == [("default", "time.example")]


def test_few_controls_however_much_worked(catalog: Catalog, row: Make) -> None:
    """Two for each way are enough to tell a dead line."""
    rows = tuple(row(f"r{number}", f"r{number}.example") for number in range(50))
    good = tuple((f"r{number}.example", 443) for number in range(1, 50))
    plan = planned(
        replace(catalog, endpoints=rows),
        failed("r0/r0.example:443", worked=good),
        replace(BOTH, profiles=("bridge",)),
    )
    assert [host for _, host in known_good(plan)] == ["r1.example", "r2.example"]


def test_a_report_of_another_plan_is_refused(catalog: Catalog) -> None:
    """The message has both places, so that the wrong option is seen."""
    with pytest.raises(
        UsageError, match="cloud public, region northeurope, and this is cloud public, region westeurope"
    ):
        planned(catalog, failed("v-server/vmm.example:443"))
