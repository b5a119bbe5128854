"""The rules of a report, added to the firewall that blocked, let the next sweep pass and open no more."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.catalog import load_catalog
from egressd.catalog.export import firewall_rules
from egressd.errors import ExitCode
from egressd.firewall import Asks
from egressd.model.endpoint import Role
from egressd.model.plan import Plan
from egressd.model.settings import Family, Limits, Resolver, Settings, Source, Trust
from egressd.model.verdict import Outcome, Sweep
from egressd.planning import make_plan
from egressd.report.summary import exit_code
from tests.attribution.recordings import PUBLIC_NETWORKS
from tests.firewall.simulated import Firewall, Manner, Policy, sweep_through

FIRST, SECOND = "10.20.0.11", "10.20.0.12"
SETTINGS = Settings(
    region="westeurope",
    sources=(
        Source(name="appliance-1", address=FIRST, roles=tuple(Role)),
        Source(name="appliance-2", address=SECOND, roles=(Role.APPLIANCE, Role.CONTROL_PLANE)),
    ),
    resolvers=(Resolver(name="10.0.0.53", address="10.0.0.53"),),
    limits=Limits(families=(Family.IPV4,)),
    trust=Trust(public_networks=PUBLIC_NETWORKS),
)
PROFILES = ("resource-bridge", "connected-machine", "scvmm", "azure-local", "windows-update", "defender")


@cache
def planned(profiles: tuple[str, ...]) -> tuple[Plan, frozenset[tuple[str, str, int | None, str]]]:
    """Return a plan, and what the catalog lists for each of its addresses."""
    chosen = replace(SETTINGS, profiles=profiles)
    catalog = load_catalog()
    plan = make_plan(catalog, chosen, label="egressd-probe-0011")
    listed = {
        (source, rule.destination, rule.port, rule.transport)
        for rule in firewall_rules(catalog, chosen)
        for source in rule.sources
    }
    return plan, frozenset(listed)


@st.composite
def policies(draw: st.DrawFn, plan: Plan) -> tuple[Policy, ...]:
    """Draw what a firewall blocks: hosts, whole zones, ports or everything, from one address or both."""
    hosts = sorted({one.host for one in plan.targets})
    zones = sorted({f"*.{one.split('.', 1)[1]}" for one in hosts if one.count(".") > 1})
    globs = (
        st.sampled_from(hosts) | st.sampled_from(zones) | st.sampled_from(["*", "*.com", "*.microsoft.com"])
    )
    return tuple(
        Policy(
            hosts=draw(globs),
            ports=draw(st.sampled_from([frozenset({443}), frozenset({80}), frozenset({80, 123, 443})])),
            sources=draw(
                st.sampled_from([frozenset({FIRST}), frozenset({SECOND}), frozenset({FIRST, SECOND})])
            ),
            manner=draw(st.sampled_from(Manner)),
        )
        for _ in range(draw(st.integers(1, 4)))
    )


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), profiles=st.lists(st.sampled_from(PROFILES), min_size=1, max_size=2, unique=True))
def test_what_a_report_asks_for_mends_it_and_opens_nothing_else(
    data: st.DataObject, profiles: list[str]
) -> None:
    """Policies that overlap show themselves one behind the other: each sweep's rules mend what it saw."""
    plan, listed = planned(tuple(profiles))
    firewall = Firewall(data.draw(policies(plan)))
    for _ in range(len(firewall.policies)):
        sweep = judge(sweep_through(firewall, plan))
        if not _blocked(sweep):
            break
        rules = Asks(sweep).rules()
        assert {
            (one, rule.destination, rule.port, rule.transport) for rule in rules for one in rule.sources
        } <= listed
        firewall.added += rules
    last = judge(sweep_through(firewall, plan))
    assert not _blocked(last)
    assert exit_code(last) in (ExitCode.OK, ExitCode.UNKNOWN)


def _blocked(sweep: Sweep) -> list[tuple[str, str, str | None]]:
    bad = (Outcome.BLOCKED, Outcome.DOWN)
    return [
        (one.target, by.source, by.verdict.reason)
        for one in sweep.verdicts
        for by in one.by_source
        if by.verdict.outcome in bad
    ]


def test_nothing_is_asked_for_where_nothing_blocks() -> None:
    """The simulated Internet itself is as it should be."""
    for profile in PROFILES:
        plan, _ = planned((profile,))
        sweep = judge(sweep_through(Firewall(()), plan))
        assert Asks(sweep).rules() == ()
        assert not _blocked(sweep)
