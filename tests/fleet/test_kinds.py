"""What many sites show together: each kind of verdict, with whom it accuses."""

from __future__ import annotations

import pytest

from egressd.fleet import FleetVerdictKind, site_state
from egressd.fleet.thresholds import LEAST_SITES
from egressd.model.verdict import Blame, Confidence
from tests.fleet.worlds import (
    OTHER,
    PLACE,
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
)

K = FleetVerdictKind
FAR_END = {Blame.AZURE_SERVICE, Blame.ENDPOINT_OWNER, Blame.PKI_ENDPOINT}
HEALTHY = ("h1", "h2", "h3")
FIVE = tuple(f"s{number}" for number in range(5))


def suspects(verdict_or_cell: object) -> set[Blame]:
    """Return who is left."""
    return {one.blame for one in verdict_or_cell.suspects}  # type: ignore[attr-defined]  # a verdict or a cell


def test_a_fleet_in_which_all_works_has_no_verdict() -> None:
    """Nothing fails, so nothing is said, and every place has a row with every site."""
    report = judged(healthy(*HEALTHY))
    assert report.verdicts == ()
    assert [(row.host, set(row.cells)) for row in report.rows] == [
        (OTHER, set(HEALTHY)),
        (SERVICE, set(HEALTHY)),
    ]


@pytest.mark.parametrize("way", ["refused", "silent", "reset"])
def test_most_sites_in_the_same_minutes_accuse_the_service(way: str) -> None:
    """All sites begin to fail alike in the same minutes: the service, then firewalls by one push."""
    verdict = only(judged(reports(one, way, since=30) for one in FIVE))
    assert verdict.kind is K.SERVICE_DOWN
    assert (verdict.sites, verdict.targets, verdict.working) == (FIVE, (PLACE,), ())
    assert (verdict.blame, verdict.confidence) == (Blame.AZURE_SERVICE, Confidence.HIGH)
    assert verdict.blame_confidence is not Confidence.CONFIRMED
    pushed = next(one for one in verdict.suspects if one.blame in (Blame.FIREWALL_L3L4, Blame.FIREWALL_L7))
    assert "pushed to all these firewalls" in pushed.decided_by
    assert minute(30) in pushed.decided_by
    assert not suspects(verdict) & {Blame.LOCAL_HOST, Blame.LOCAL_GATEWAY, Blame.NAT_DEVICE}


def test_an_outage_is_said_at_every_site() -> None:
    """The targets of single sites, each of which accused its firewall, accuse the service by now."""
    report = judged(reports(one, "silent", since=30) for one in FIVE)
    for one in FIVE:
        target = cell(report, one)
        assert (target.was_blamed, target.blame) == (Blame.FIREWALL_L3L4, Blame.AZURE_SERVICE)


def test_two_sites_are_too_few_for_an_outage() -> None:
    """Two sites that begin together, and no third: it is not decided."""
    verdict = only(judged(reports(one, "silent", since=30) for one in FIVE[:2]))
    assert verdict.kind is K.COMMON_FAILURE
    assert len(verdict.sites) < LEAST_SITES
    assert verdict.blame_confidence is Confidence.LOW
    assert suspects(verdict) & FAR_END


def test_an_operators_own_server_that_is_down_is_its_owners() -> None:
    """The far end of an operator's own endpoint is never Azure."""
    verdict = only(judged(reports(one, "refused", since=30, owned=True) for one in FIVE))
    assert (verdict.kind, verdict.blame) == (K.SERVICE_DOWN, Blame.ENDPOINT_OWNER)


def test_a_lone_site_accuses_its_own() -> None:
    """One site fails what three reach at the same address in the same time: not the service."""
    report = judged([reports("a", "silent", since=30), *healthy(*HEALTHY)])
    verdict = only(report)
    assert (verdict.kind, verdict.sites, verdict.working) == (K.SITE_DIFFERS, ("a",), HEALTHY)
    assert verdict.blame is Blame.FIREWALL_L3L4
    assert not suspects(verdict) & FAR_END
    assert Blame.UPSTREAM_PATH in suspects(verdict)  # the other sites have another way
    assert not suspects(cell(report, "a")) & FAR_END


def test_one_other_site_is_no_majority() -> None:
    """With one other site nobody is said to differ; the service is ruled out at medium at most."""
    verdict = only(judged([reports("a", "silent", since=30), *healthy("h1")]))
    assert verdict.kind is K.UNDECIDED
    assert verdict.blame_confidence in (Confidence.MEDIUM, Confidence.LOW)


def test_sites_that_begin_one_after_another_are_a_rollout() -> None:
    """Three sites within a day, each worked before: the firewalls, the order, and who is next."""
    verdict = only(
        judged(
            [reports(one, "reset", since=since) for one, since in (("c", 50), ("a", 15), ("b", 30))]
            + healthy("x", "y")
        )
    )
    assert (verdict.kind, verdict.code) == (K.RULE_ROLLOUT, "site_change_correlated")
    assert [one.site for one in verdict.onsets] == ["a", "b", "c"]
    assert verdict.blame is Blame.FIREWALL_L7
    assert verdict.blame_confidence is not Confidence.CONFIRMED
    assert "before it reaches x, y" in verdict.advice
    for one, since in (("a", 15), ("b", 30), ("c", 50)):
        assert f"{one}: worked at {minute(since - 5)}, failed at {minute(since)}" in verdict.evidence


def test_a_completed_rollout_does_not_clear_the_service() -> None:
    """Nobody is left that reaches it: a service that goes step by step looks the same."""
    verdict = only(
        judged(reports(one, "reset", since=since) for one, since in (("a", 15), ("b", 30), ("c", 50)))
    )
    assert verdict.kind is K.RULE_ROLLOUT
    assert (verdict.confidence, verdict.blame_confidence) == (Confidence.LOW, Confidence.LOW)
    assert suspects(verdict) & FAR_END


def test_a_name_that_vanishes_site_by_site_is_no_rollout_of_firewalls() -> None:
    """Caches let a name go at another time for each resolver: nobody is accused by the order alone."""
    verdict = only(
        judged(
            [reports(one, "absent", since=since) for one, since in (("a", 15), ("b", 30))] + healthy(*HEALTHY)
        )
    )
    assert verdict.kind is not K.RULE_ROLLOUT
    assert not suspects(verdict) & {Blame.FIREWALL_L3L4, Blame.FIREWALL_L7}
    assert suspects(verdict) & FAR_END


def test_some_sites_at_once_are_a_common_change() -> None:
    """Two of five begin in the same minutes while the others reach the same address."""
    verdict = only(judged([*(reports(one, "reset", since=30) for one in "ab"), *healthy(*HEALTHY)]))
    assert (verdict.kind, verdict.code) == (K.COMMON_CHANGE, "site_change_correlated")
    assert verdict.blame is Blame.FIREWALL_L7
    assert not suspects(verdict) & FAR_END


def test_one_site_that_reaches_the_address_since_ends_an_outage() -> None:
    """Four of five at once, and the fifth reaches the very address: it is not down."""
    verdict = only(judged([*(reports(one, "silent", since=30) for one in FIVE[:4]), *healthy("h1")]))
    assert verdict.kind is K.COMMON_CHANGE
    assert not suspects(verdict) & FAR_END


def test_a_site_that_has_not_looked_since_ends_no_outage() -> None:
    """A result of before it began says nothing about it."""
    verdict = only(
        judged([*(reports(one, "silent", since=57, every=1) for one in FIVE[:4]), *healthy("h1", at=56)])
    )
    assert verdict.kind is K.SERVICE_DOWN


def test_a_front_end_that_is_down_for_most_is_an_outage_at_its_address() -> None:
    """The one site that works reached another address, so this front end can be down; less sure."""
    verdict = only(
        judged([*(reports(one, "silent", since=30) for one in FIVE), *healthy("h1", address="192.88.99.99")])
    )
    assert (verdict.kind, verdict.blame) == (K.SERVICE_DOWN, Blame.AZURE_SERVICE)
    assert verdict.confidence is Confidence.MEDIUM
    assert "at other addresses" in said(verdict)


def test_what_was_opened_nowhere_is_a_common_failure() -> None:
    """It fails at every site, and no report shows that it ever worked: a template, or the service."""
    verdict = only(judged(once(one, "silent") for one in FIVE))
    assert verdict.kind is K.COMMON_FAILURE
    assert verdict.blame_confidence is Confidence.LOW
    assert {Blame.AZURE_SERVICE, Blame.FIREWALL_L3L4} <= suspects(verdict)
    assert "no report shows that it ever worked" in said(verdict)
    assert "template" in verdict.advice


def test_a_site_that_fails_most_is_cut_off_once() -> None:
    """Most of a site's places fail, others are well: one verdict, and none for the single places."""
    hosts = tuple(f"host{number}.azure.com" for number in range(6))
    dead = dict.fromkeys(hosts[:5], "silent")
    cut = site_state([sweep("a", at, dead if at else None, hosts=hosts) for at in (0, 55, 60)], "a")
    verdict = only(judged([cut, *(site_state([sweep(one, 60, hosts=hosts)], one) for one in HEALTHY)]))
    assert (verdict.kind, verdict.sites, len(verdict.targets)) == (K.SITE_CUT_OFF, ("a",), 5)
    assert verdict.code == "site_outage"
    assert not suspects(verdict) & FAR_END
    assert "5 of 6" in verdict.title


def test_an_outage_of_many_places_cuts_nobody_off() -> None:
    """Where most places fail at every site, no site is cut off."""
    hosts = tuple(f"host{number}.azure.com" for number in range(4))
    dead = dict.fromkeys(hosts[:3], "silent")
    report = judged(
        site_state([sweep(one, at, dead if at >= 55 else None, hosts=hosts) for at in (50, 55, 60)], one)
        for one in FIVE
    )
    assert K.SITE_CUT_OFF not in kinds(report)
    assert K.SERVICE_DOWN in kinds(report)


def test_a_site_that_misses_its_own_interval_is_silent() -> None:
    """It reported every five minutes, and nothing came for half an hour."""
    quiet = reports("a", "works", since=99, until=30)
    report = judged([quiet, *(reports(one, "works", since=99) for one in HEALTHY)])
    verdict = only(report)
    assert (verdict.kind, verdict.sites, verdict.confidence) == (K.SITE_SILENT, ("a",), Confidence.HIGH)
    assert report.sites[0].silent_since == minute(30)


def test_what_a_silent_site_last_saw_clears_nobody() -> None:
    """A site that went dark when it began is no control."""
    quiet = reports("q", "works", since=99, until=29)
    report = judged([quiet, *(reports(one, "silent", since=30) for one in FIVE)])
    assert kinds(report) == [K.SERVICE_DOWN, K.SITE_SILENT]
    assert report.verdicts[0].unknown == ("q",)


def test_a_place_of_one_site_only_is_undecided() -> None:
    """No other site has it: nothing can be compared, and the site's own verdict stays."""
    lone = site_state(
        [sweep("a", at, {"own.azure.com": "silent"}, hosts=("own.azure.com", OTHER)) for at in (55, 60)], "a"
    )
    report = judged([lone, *(site_state([sweep(one, 60, hosts=(SERVICE, OTHER))], one) for one in HEALTHY)])
    verdict = only(report)
    assert verdict.kind is K.UNDECIDED
    assert cell(report, "a", "own.azure.com").was_blamed is None


def test_required_places_come_before_causes_of_many_sites() -> None:
    """The verdicts are in an order that does not depend on the sites'."""
    sites = [reports("a", "silent", since=30), reports("q", "works", since=99, until=20), *healthy(*HEALTHY)]
    assert kinds(judged(sites)) == kinds(judged(reversed(sites))) == [K.SITE_DIFFERS, K.SITE_SILENT]


def test_a_site_has_one_state() -> None:
    """Two states of one name are a mistake of the caller."""
    with pytest.raises(ValueError, match="two states of one site"):
        judged([*healthy("a"), *healthy("a")])
