"""Laws of comparing sites, held against many fleets: what may change no verdict, and what only one way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.fleet import FleetReport, FleetVerdictKind, Onset, SiteState, SiteTarget
from egressd.model.endpoint import Need, Protocol
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Confidence, Outcome, Suspect
from tests.fleet.worlds import SERVICE, judged, minute

FAR_END = {Blame.AZURE_SERVICE, Blame.ENDPOINT_OWNER, Blame.PKI_ENDPOINT}
PARTIES = {
    "tcp_refused": (Blame.FIREWALL_L3L4, Blame.AZURE_SERVICE, Blame.LOCAL_HOST),
    "tls_reset_after_hello": (Blame.FIREWALL_L7, Blame.AZURE_SERVICE, Blame.TLS_INSPECTION),
    "tcp_admin_prohibited": (Blame.FIREWALL_L3L4, Blame.UNKNOWN_MIDDLEBOX),
}
ADDRESSES = ("192.88.99.10", "192.88.99.11")
PLACES = (SERVICE, "login.microsoftonline.com")


def target(
    host: str, *, seen: float, address: str, reason: str | None, since: float, worked: bool
) -> SiteTarget:
    """Return a result that fails by a reason since a minute, or works."""
    working = SiteTarget(
        target=f"row/{host}:443",
        endpoint="row",
        host=host,
        port=443,
        protocol=Protocol.HTTPS,
        need=Need.REQUIRED,
        outcome=Outcome.OK,
        seen=minute(seen),
        addresses=(address,),
    )
    if reason is None:
        return working
    parties = PARTIES[reason]
    return replace(
        working,
        outcome=Outcome.BLOCKED,
        phase=Phase.TLS if reason.startswith("tls") else Phase.TCP,
        reason=reason,
        confidence=Confidence.HIGH,
        blame=parties[0],
        blame_confidence=Confidence.LOW,
        suspects=tuple(Suspect(blame=one, decided_by="its log") for one in parties),
        onset=Onset(by=minute(min(since, seen)), after=minute(min(since, seen) - 1) if worked else None),
    )


TARGETS = st.builds(
    target,
    st.sampled_from(PLACES),
    seen=st.sampled_from([40.0, 55.0, 58.0, 60.0]),
    address=st.sampled_from(ADDRESSES),
    reason=st.sampled_from([None, *PARTIES]),
    since=st.sampled_from([0.0, 20.0, 21.0, 30.0, 40.0]),
    worked=st.booleans(),
)


def site(name: str, targets: tuple[SiteTarget, ...], *, interval: float | None = None) -> SiteState:
    """Return a site that was heard of now."""
    return SiteState(
        site=name, hosts=(name,), seen=minute(60), origin=name, targets=targets, interval_seconds=interval
    )


@st.composite
def fleets(draw: st.DrawFn) -> list[SiteState]:
    """Return up to seven sites with up to two places."""
    several = draw(st.lists(st.lists(TARGETS, max_size=2, unique_by=lambda one: one.target), max_size=7))
    return [site(f"s{number}", tuple(one)) for number, one in enumerate(several)]


def accused(report: FleetReport) -> set[str]:
    """Return the sites at which the far end is accused."""
    return {
        state.site for state in report.sites for one in state.targets if one.fails and one.blame in FAR_END
    }


def left_at(report: FleetReport, name: str) -> set[Blame]:
    """Return who is left at a site."""
    state = next(one for one in report.sites if one.site == name)
    return {suspect.blame for one in state.targets for suspect in one.suspects}


@settings(deadline=None)
@given(fleets(), st.randoms(use_true_random=False))
def test_the_order_of_sites_and_targets_changes_nothing(sites: list[SiteState], dice: object) -> None:
    """Any order gives the same report."""
    mixed = [replace(one, targets=tuple(reversed(one.targets))) for one in sites]
    dice.shuffle(mixed)  # type: ignore[attr-defined]  # hypothesis' random
    first, second = judged(sites), judged(mixed)
    assert first.verdicts == second.verdicts
    assert first.rows == second.rows
    assert {one.site: set(one.targets) for one in first.sites} == {
        one.site: set(one.targets) for one in second.sites
    }


@settings(deadline=None)
@given(fleets(), st.integers(1, 3))
def test_sites_that_are_well_never_accuse_the_service(sites: list[SiteState], more: int) -> None:
    """That another site reaches a place is no reason to blame the place."""
    well = [
        site(
            f"w{number}",
            tuple(
                target(host, seen=60, address=ADDRESSES[0], reason=None, since=0, worked=True)
                for host in PLACES
            ),
        )
        for number in range(more)
    ]
    assert accused(judged([*sites, *well])) <= accused(judged(sites))


@settings(deadline=None)
@given(st.integers(3, 6), st.integers(1, 3), st.sampled_from(sorted(PARTIES)))
def test_a_site_that_fails_alike_never_clears_the_service(sites: int, more: int, reason: str) -> None:
    """Where most sites accuse the service, those that join them do not clear it."""

    def failing(name: str) -> SiteState:
        one = target(SERVICE, seen=60, address=ADDRESSES[0], reason=reason, since=30, worked=True)
        return site(name, (one,))

    before = judged(failing(f"s{number}") for number in range(sites))
    after = judged(failing(f"s{number}") for number in range(sites + more))
    assert accused(before) <= accused(after)
    assert left_at(before, "s0") & FAR_END == left_at(after, "s0") & FAR_END


@settings(deadline=None)
@given(st.integers(3, 6), st.booleans())
def test_one_of_unknown_onset_never_clears_the_service(sites: int, worked: bool) -> None:
    """A site of which only one report is known fails alike: it speaks for the outage, or not at all."""
    states = [
        site(
            f"s{number}",
            (target(SERVICE, seen=60, address=ADDRESSES[0], reason="tcp_refused", since=30, worked=True),),
        )
        for number in range(sites)
    ]
    late = target(SERVICE, seen=60, address=ADDRESSES[0], reason="tcp_refused", since=60, worked=False)
    report = judged([*states, site("late", (late,))])
    kinds = {one.kind for one in report.verdicts}
    assert FleetVerdictKind.SERVICE_DOWN in kinds
    assert accused(report) >= {one.site for one in states}


@settings(deadline=None)
@given(fleets())
def test_comparing_sites_never_confirms(sites: list[SiteState]) -> None:
    """No party is surer than high that did not show itself; the world here has none that does."""
    for verdict in judged(sites).verdicts:
        assert verdict.blame_confidence is not Confidence.CONFIRMED


@settings(deadline=None)
@given(fleets())
def test_every_failing_result_is_explained_once(sites: list[SiteState]) -> None:
    """Each failing place of each site is in exactly one verdict."""
    report = judged(sites)
    failing = [
        (state.site, one.host) for state in report.sites for one in state.targets if one.fails and one.decides
    ]
    said = [
        (name, place.rpartition(":")[0])
        for verdict in report.verdicts
        for name in verdict.sites
        for place in verdict.targets
    ]
    assert sorted(failing) == sorted(said)
