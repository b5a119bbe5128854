"""What looks like an outage, a rollout or one site's fault, and is none."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.fleet import FleetVerdictKind, Onset, SiteState, SiteTarget, site_state
from egressd.model.endpoint import Need, Protocol
from egressd.model.verdict import Blame, Confidence, Outcome
from tests.fleet.worlds import (
    ADDRESS,
    SERVICE,
    cell,
    healthy,
    judged,
    kinds,
    minute,
    once,
    only,
    reports,
    said,
    sweep,
    trails_of,
)

K = FleetVerdictKind
FAR_END = {Blame.AZURE_SERVICE, Blame.ENDPOINT_OWNER, Blame.PKI_ENDPOINT}
FIREWALLS = {Blame.FIREWALL_L3L4, Blame.FIREWALL_L7}
HEALTHY = ("h1", "h2", "h3")
FIVE = tuple(f"s{number}" for number in range(5))


def left(verdict: object) -> set[Blame]:
    """Return who is left."""
    return {one.blame for one in verdict.suspects}  # type: ignore[attr-defined]  # of a verdict or a cell


def changed(state: SiteState, **more: object) -> SiteState:
    """Return a site whose targets differ in some fields."""
    return replace(state, targets=tuple(replace(one, **more) for one in state.targets))


def from_metrics(
    site: str,
    reason: str | None,
    blame: Blame | None = None,
    sure: Confidence | None = None,
    *,
    since: float = 30,
    owned: bool = False,
) -> SiteState:
    """Return a site as Prometheus has it: without suspects, addresses or evidence."""
    target = SiteTarget(
        target=f"row/{SERVICE}:443",
        endpoint="row",
        host=SERVICE,
        port=443,
        protocol=Protocol.HTTPS,
        need=Need.REQUIRED,
        outcome=Outcome.OK if reason is None else Outcome.BLOCKED,
        seen=minute(60),
        reason=reason,
        confidence=Confidence.HIGH,
        blame=blame,
        blame_confidence=sure,
        owned=owned,
        onset=None if reason is None else Onset(by=minute(since), after=minute(since - 1)),
    )
    return SiteState(site=site, hosts=(site,), seen=minute(60), origin="prometheus", targets=(target,))


def test_a_refusal_in_a_proven_session_stays_the_services() -> None:
    """A service that refuses one site's address does so inside TLS: others do not clear it."""
    report = judged([reports("a", "denied inside", since=30), *healthy(*HEALTHY)])
    verdict = only(report)
    assert (verdict.kind, verdict.blame, verdict.blame_confidence) == (
        K.SITE_DIFFERS,
        Blame.AZURE_SERVICE,
        Confidence.CONFIRMED,
    )
    assert cell(report, "a").was_blamed is None


@pytest.mark.parametrize("sure", [Confidence.CONFIRMED, Confidence.HIGH])
def test_what_a_site_knows_of_the_far_end_outweighs_others_from_metrics_too(sure: Confidence) -> None:
    """Of a site's own proof only blame and confidence are known: no hint overturns it."""
    lone = from_metrics("a", "http_unexpected_status", Blame.AZURE_SERVICE, sure)
    verdict = only(judged([lone, *(from_metrics(one, None) for one in HEALTHY)]))
    assert (verdict.kind, verdict.blame) == (K.SITE_DIFFERS, Blame.AZURE_SERVICE)


def test_an_outage_inside_proven_sessions_is_confirmed() -> None:
    """An error of the server inside TLS at most sites has one author."""
    verdict = only(judged(reports(one, "denied inside", since=30) for one in FIVE))
    assert (verdict.kind, verdict.confidence) == (K.SERVICE_DOWN, Confidence.CONFIRMED)
    assert left(verdict) == {Blame.AZURE_SERVICE}


def test_another_front_end_clears_no_service() -> None:
    """Others reached other addresses: this front end may be down, so that is only a hint."""
    verdict = only(judged([reports("a", "silent", since=30), *healthy(*HEALTHY, address="192.88.99.11")]))
    assert verdict.kind is K.SITE_DIFFERS
    assert Blame.AZURE_SERVICE in left(verdict)
    assert verdict.blame_confidence in (Confidence.MEDIUM, Confidence.LOW)


def test_an_anycast_address_clears_no_service() -> None:
    """One address is served from many places: that others reach it is a hint."""
    states = [reports("a", "silent", since=30), *healthy(*HEALTHY)]
    verdict = only(judged(changed(one, anycast=True) for one in states))
    assert verdict.kind is K.SITE_DIFFERS
    assert Blame.AZURE_SERVICE in left(verdict)
    assert "anycast" in said(verdict)


def test_a_server_may_let_in_only_some_sites() -> None:
    """An operator's server with a list of addresses: its owner stays a suspect."""
    verdict = only(judged([reports("a", "silent", since=30, owned=True), *healthy(*HEALTHY, owned=True)]))
    assert verdict.blame is Blame.FIREWALL_L3L4
    assert Blame.ENDPOINT_OWNER in left(verdict)
    assert verdict.blame_confidence is not Confidence.CONFIRMED


def test_private_addresses_under_one_name_are_servers_of_their_own() -> None:
    """Each site's own server has the same name: that others work says nothing."""
    states = [
        reports("a", "silent", since=30, owned=True, address="10.1.0.5"),
        *healthy(*HEALTHY, owned=True, address="10.2.0.5"),
    ]
    verdict = only(judged(states))
    assert (verdict.kind, verdict.working) == (K.UNDECIDED, ())
    assert "each site may have a server of its own" in said(verdict)
    assert cell(judged(states), "a").was_blamed is None


def test_own_servers_that_fail_together_are_no_outage() -> None:
    """Five servers under one name do not break in one minute by themselves."""
    states = [reports(f"s{one}", "silent", since=30, owned=True, address=f"10.{one}.0.5") for one in range(5)]
    assert only(judged(states)).kind is not K.SERVICE_DOWN


def test_a_shared_proxy_is_one_way_however_many_sites_use_it() -> None:
    """Four sites behind one proxy are one vantage point; the site without it works."""
    states = [*(reports(one, "proxy denies", since=30) for one in FIVE[:4]), *healthy("h1")]
    verdict = only(judged(states))
    assert (verdict.kind, verdict.blame) == (K.SHARED_DEVICE, Blame.EXPLICIT_PROXY)
    assert "proxy http://192.88.99.200:3128" in verdict.title


def test_a_private_proxy_address_may_be_another_proxy_at_each_site() -> None:
    """The same private address at each site: said, and less sure."""
    verdict = only(
        judged(reports(one, "proxy denies", since=30, proxy="http://10.0.0.9:3128") for one in FIVE)
    )
    assert (verdict.kind, verdict.confidence) == (K.SHARED_DEVICE, Confidence.MEDIUM)
    assert "may be another device" in said(verdict)


def test_a_proxy_on_each_host_is_no_shared_one() -> None:
    """Every host has a loopback."""
    assert (
        only(
            judged(reports(one, "proxy denies", since=30, proxy="http://127.0.0.1:3128") for one in FIVE)
        ).kind
        is not K.SHARED_DEVICE
    )


@pytest.mark.parametrize("way", ["prohibited", "inspected"])
def test_devices_that_show_themselves_accuse_no_service(way: str) -> None:
    """All sites see a hop's ICMP, or a private issuer, in the same minutes: no outage."""
    verdict = only(judged(reports(one, way, since=30) for one in FIVE))
    assert verdict.kind is not K.SERVICE_DOWN
    assert verdict.blame not in FAR_END


def test_pages_of_devices_accuse_no_service_from_metrics() -> None:
    """A block page at every site is policy; metrics do not say what a site ruled out."""
    verdict = only(
        judged(from_metrics(one, "http_block_page", Blame.FIREWALL_L7, Confidence.MEDIUM) for one in FIVE)
    )
    assert (verdict.kind, verdict.blame) == (K.COMMON_CHANGE, Blame.FIREWALL_L7)


def test_one_site_that_rules_firewalls_out_does_so_for_all() -> None:
    """Four sites suspect firewalls, the fifth goes by a proxy of its own and fails alike: the far end."""
    states = [from_metrics(one, "tcp_refused", Blame.FIREWALL_L3L4, Confidence.LOW) for one in FIVE[:4]]
    proxied = from_metrics("p", "proxy_upstream_refused", Blame.AZURE_SERVICE, Confidence.CONFIRMED)
    verdict = judged([*states, proxied]).verdicts[0]
    assert (verdict.kind, len(verdict.sites)) == (K.SERVICE_DOWN, 5)
    assert not left(verdict) & FIREWALLS


def test_places_of_unrelated_owners_are_no_single_outage() -> None:
    """A service and an operator's server fail in the same minute: a network of both, or a push."""
    hosts = (SERVICE, "portal.unrelated.example", "works.azure.com")
    dead = dict.fromkeys(hosts[:2], "refused")
    states = [
        site_state([sweep(one, at, dead if at >= 55 else None, hosts=hosts) for at in (50, 55, 60)], one)
        for one in FIVE
    ]
    verdict = only(judged(states))
    assert verdict.kind is K.SERVICE_DOWN
    assert verdict.blame_confidence is Confidence.LOW
    assert "different owners" in said(verdict)


def test_a_report_of_last_week_clears_nobody() -> None:
    """Old results that worked are no controls; it is said who can't say."""
    week = 7 * 24 * 60
    states = [reports("a", "silent", since=week + 30, until=week + 60), *healthy(*HEALTHY)]
    report = judged(states, at=week + 60)
    verdict = next(one for one in report.verdicts if "a" in one.sites)
    assert (verdict.kind, verdict.working, verdict.unknown) == (K.UNDECIDED, (), HEALTHY)
    assert cell(report, "a").was_blamed is None


def test_reports_of_one_afternoon_are_compared_by_their_times() -> None:
    """Others an hour earlier are no controls; others some minutes apart are, and it is said."""
    assert only(judged([once("a", "silent"), *healthy(*HEALTHY, at=0)])).kind is K.UNDECIDED
    near = only(judged([once("a", "silent"), *healthy(*HEALTHY, at=55)]))
    assert (near.kind, near.confidence) == (K.SITE_DIFFERS, Confidence.MEDIUM)
    assert "soon before or after" in said(near)


def test_one_report_of_each_site_shows_no_outage_and_no_rollout() -> None:
    """When it began is not known from one report, however near they are."""
    some = [once(one, "silent", at=60 + number / 10) for number, one in enumerate(FIVE)]
    assert only(judged(some, at=61)).kind is K.COMMON_FAILURE
    part = only(judged([*some[:2], *healthy(*HEALTHY)], at=61))
    assert (part.kind, part.sites) == (K.SITE_DIFFERS, FIVE[:2])


def test_two_old_failures_are_no_rollout() -> None:
    """Two sites of which one fails for days and one never worked: neither joins the other."""
    day = 24 * 60
    old = site_state(
        [sweep("a", at, {SERVICE: "silent" if at > 5 else "works"}) for at in (0, 10, 5 * day)], "a"
    )
    report = judged([old, once("b", "silent", at=5 * day), *healthy(*HEALTHY, at=5 * day)], at=5 * day)
    assert set(kinds(report)) == {K.SITE_DIFFERS}


def test_an_old_failure_does_not_join_a_rollout() -> None:
    """Two sites begin today, and a third fails for a week: the rollout has two."""
    week = 7 * 24 * 60
    old = site_state(
        [sweep("old", at, {SERVICE: "reset" if at else "works"}) for at in (0, 5, week + 60)], "o"
    )
    states = [
        reports(one, "reset", since=week + since, until=week + 60) for one, since in (("a", 15), ("b", 45))
    ]
    report = judged([old, *states, *healthy(*HEALTHY, at=week + 60)], at=week + 60)
    found = {one.kind: one.sites for one in report.verdicts}
    assert found == {K.RULE_ROLLOUT: ("a", "b"), K.SITE_DIFFERS: ("old",)}


def test_an_old_failure_does_not_end_an_outage() -> None:
    """A site that failed before the outage is counted, and is no part of it."""
    report = judged(
        [reports("old", "refused", since=5), *(reports(one, "refused", since=40) for one in FIVE)]
    )
    found = {one.kind: one.sites for one in report.verdicts}
    assert found[K.SERVICE_DOWN] == FIVE
    assert found[K.UNDECIDED] == ("old",)


@pytest.mark.parametrize("skew", [-3600.0, 3600.0])
def test_a_clock_that_is_an_hour_off_makes_no_rollout(skew: float) -> None:
    """Onsets are compared by the common clock where a host knows how wrong its own is."""
    wrong = reports("s9", "refused", since=30, clock=skew)
    verdict = only(judged([wrong, *(reports(one, "refused", since=30) for one in FIVE)]))
    assert (verdict.kind, len(verdict.sites)) == (K.SERVICE_DOWN, 6)
    assert {one.onset.by for one in verdict.onsets} == {minute(30)}


def test_a_link_that_flaps_joins_nothing() -> None:
    """A site whose results come and go is told by itself, with how often; it is no part of an outage."""
    flapping = site_state(
        [sweep("f", at, {SERVICE: "refused" if at % 10 == 0 else "works"}) for at in range(30, 61, 5)], "f"
    )
    report = judged([flapping, *(reports(one, "refused", since=30) for one in FIVE)])
    found = {one.kind: one for one in report.verdicts}
    assert found[K.SERVICE_DOWN].sites == FIVE
    assert found[K.UNDECIDED].sites == ("f",)
    assert "f: 4 of its last 7 results failed" in said(found[K.UNDECIDED])


def test_a_flapping_site_among_well_ones_is_not_sure() -> None:
    """Others always reach it: the site differs, by chance until shown otherwise."""
    flapping = site_state(
        [sweep("f", at, {SERVICE: "silent" if at % 10 == 0 else "works"}) for at in range(30, 61, 5)], "f"
    )
    verdict = only(judged([flapping, *healthy(*HEALTHY)]))
    assert (verdict.kind, verdict.confidence) == (K.SITE_DIFFERS, Confidence.LOW)


def test_a_service_that_comes_and_goes_everywhere_is_one_cause() -> None:
    """It comes and goes at all sites: not each site's link."""
    states = [
        site_state(
            [sweep(one, at, {SERVICE: "refused" if at % 10 == 0 else "works"}) for at in (40, 50, 55, 60)],
            one,
        )
        for one in FIVE
    ]
    verdict = only(judged(states))
    assert (verdict.kind, verdict.sites) == (K.COMMON_FAILURE, FIVE)
    assert "comes and goes" in verdict.title


def test_slow_sweeps_show_no_minutes() -> None:
    """Reports of every hour: that all began in one hour is neither an outage nor a rollout."""
    states = [
        site_state(
            [
                sweep(one, at, {SERVICE: "silent" if at > 60 else "works"})
                for at in (number, 60 + number, 120 + number)
            ],
            one,
        )
        for number, one in enumerate(FIVE, start=-2)
    ]
    assert only(judged(states, at=123)).kind is K.COMMON_FAILURE


def test_a_site_with_an_unknown_result_takes_no_part() -> None:
    """A result that says nothing is neither for nor against."""
    lost = changed(once("u", "silent"), outcome=Outcome.UNKNOWN, reason="not_probed", onset=None)
    verdict = only(judged([lost, *(reports(one, "silent", since=30) for one in FIVE)]))
    assert (verdict.kind, verdict.sites, verdict.unknown) == (K.SERVICE_DOWN, FIVE, ("u",))


def test_alternatives_and_guesses_decide_nothing() -> None:
    """What need not work, and a name that need not exist, accuse nobody and clear nobody."""
    spared = changed(reports("a", "silent", since=30), not_needed=True)
    guessed = changed(reports("b", "silent", since=30), proof=False)
    assert judged([spared, guessed, *healthy(*HEALTHY)]).verdicts == ()
    vouching = [changed(one, proof=False) for one in healthy(*HEALTHY)]
    assert only(judged([reports("a", "silent", since=30), *vouching])).kind is K.UNDECIDED


def test_a_host_that_fails_alone_is_no_failure_of_its_site() -> None:
    """Another host of the site reaches it: the site joins no outage, and the other host is named."""
    states = []
    for one in FIVE:
        sweeps = [
            sweep(one, at, {SERVICE: "silent"} if at >= 30 else None, host=f"{one}-a") for at in (25, 30, 60)
        ]
        states.append(site_state([*sweeps, sweep(one, 60, host=f"{one}-b")], one))
    report = judged(states)
    assert set(kinds(report)) == {K.SITE_DIFFERS}
    assert "s0: it works from s0-b of the same site" in said(report.verdicts[0])


def test_a_device_that_came_back_is_not_accused_by_a_single_old_sweep() -> None:
    """The newest result of a host decides."""
    back = site_state([sweep("a", 30, {SERVICE: "silent"}), sweep("a", 60)], "a")
    assert judged([back, *healthy(*HEALTHY)]).verdicts == ()


def test_the_world_is_what_it_says() -> None:
    """The address that others reach is the one that fails: the builder can't hide a difference."""
    (trail,) = trails_of(SERVICE, ADDRESS, "silent")
    assert trail.address == cell(judged(healthy("h1")), "h1").addresses[0] == ADDRESS
    assert datetime.fromisoformat(minute(60)) - datetime.fromisoformat(minute(0)) == timedelta(hours=1)


def test_a_dead_server_that_some_firewalls_hide_is_one_outage() -> None:
    """Some sites see a refusal, and others, whose firewalls drop it, see silence: one cause."""
    states = [reports(one, "refused" if one < "s2" else "silent", since=30) for one in (*FIVE, "s5")]
    verdict = only(judged(states))
    assert (verdict.kind, verdict.blame, len(verdict.sites)) == (K.SERVICE_DOWN, Blame.AZURE_SERVICE, 6)


def test_a_service_that_refuses_sites_one_by_one_is_no_rollout_of_rules() -> None:
    """Each site proves that the far end refuses it: no firewall has anything to do with the order."""
    states = [reports(one, "denied inside", since=since) for one, since in (("a", 15), ("b", 45))]
    verdict = only(judged([*states, *healthy(*HEALTHY)]))
    assert (verdict.kind, verdict.blame) == (K.SITE_DIFFERS, Blame.AZURE_SERVICE)


def test_two_of_many_sites_begin_by_chance() -> None:
    """One in a hundred begins to fail within a day: two of two hundred are no rollout."""
    some = [
        from_metrics("a", "tls_sni_reset", Blame.FIREWALL_L7, Confidence.HIGH, since=10),
        from_metrics("b", "tls_sni_reset", Blame.FIREWALL_L7, Confidence.HIGH, since=50),
    ]
    well = [from_metrics(f"w{number}", None) for number in range(200)]
    assert only(judged([*some, *well[:20]])).kind is K.RULE_ROLLOUT
    assert only(judged([*some, *well])).kind is K.SITE_DIFFERS
