"""What the failures of a sweep ask for: of whom, from where, to what."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.reasons import REASONS
from egressd.firewall import Action, Asks, FirewallRule, Leg
from egressd.firewall.action import who_can_act
from egressd.model.endpoint import Inspection, Need, Protocol, SampleKind
from egressd.model.observation import Failure
from egressd.model.recording import Recording, Trail
from egressd.model.settings import Proxy, Source
from egressd.model.verdict import Blame, Confidence, Suspect, Team, team_of
from egressd.report.entries.rule import rule_entries
from tests.attribution.cases import SCENES
from tests.attribution.recordings import HOST, PROXY, RESOLVER, Site, connect, dns, good, tcp, trail

SILENT = (dns(), tcp(Failure.TIMEOUT))
WILDCARD = "*.his.arc.azure.com"
TWO = (Source(name="a", address="10.20.0.11"), Source(name="b", address="10.20.0.12"))


def rules_of(recording: Recording) -> tuple[FirewallRule, ...]:
    """Judge a recording and return what it asks for."""
    return Asks(judge(recording)).rules()


def rule_of(site: Site) -> FirewallRule:
    """Return the one rule that a site asks for."""
    (rule,) = rules_of(site.recording())
    return rule


def from_two(*trails: tuple[Trail, Trail]) -> Recording:
    """Record targets from two configured sources."""
    site = Site()
    for number, (first, second) in enumerate(trails):
        for name, one in (("a", first), ("b", second)):
            site.add(replace(one, source=name), host=f"h{number}.example", source=name)
    recording = site.recording()
    return replace(recording, plan=replace(recording.plan, sources=TWO))


def broken(host: str = HOST, **more: Any) -> Trail:
    """Return a conversation that nobody answers."""
    return trail(dns(name=host), tcp(Failure.TIMEOUT), **more)


def test_every_source_that_is_blocked_is_named() -> None:
    """From one address a rule would be half of one."""
    recording = from_two((broken("h0.example"), broken("h0.example")))
    (rule,) = rules_of(recording)
    assert rule.sources == ["10.20.0.11", "10.20.0.12"]
    assert [one.from_ for one in rule_entries([rule])] == rule.sources


def test_a_source_that_works_is_not() -> None:
    """Nothing is asked for that is open already."""
    recording = from_two((broken("h0.example"), good("h0.example")))
    (rule,) = rules_of(recording)
    assert rule.sources == ["10.20.0.11"]
    for finding in judge(recording).findings:
        for one in Asks(judge(recording)).of_finding(finding):
            assert one.sources == ["10.20.0.11"]


def test_without_a_configured_address_it_is_the_one_seen() -> None:
    """The kernel chose it, and a firewall saw it."""
    site = Site()
    site.add(trail(*SILENT))
    assert rule_of(site).sources == ["10.20.0.11"]


@pytest.mark.parametrize("sample", [SampleKind.DOCUMENTED, SampleKind.TEMPLATED, SampleKind.RANDOM])
def test_wildcards_are_asked_for_as_patterns(sample: SampleKind) -> None:
    """A sample host stands for the whole row; a random label is egressd's own."""
    site = Site()
    host = "egressd-probe-1a2b.his.arc.azure.com" if sample is SampleKind.RANDOM else HOST
    site.add(trail(dns(name=host), tcp(Failure.TIMEOUT)), host=host, pattern=WILDCARD, sample=sample)
    for rule in rules_of(site.recording()):
        assert rule.destination == WILDCARD
        assert rule.hosts == ([] if sample is SampleKind.RANDOM else [HOST])
        (entry,) = rule_entries([rule])
        assert (entry.to, entry.pattern, entry.sni) == (WILDCARD, WILDCARD, None)


def test_an_exact_host_is_named_as_sni() -> None:
    """A firewall that reads names compares this one."""
    site = Site()
    site.add(trail(*SILENT))
    (entry,) = rule_entries([rule_of(site)])
    assert (entry.to, entry.sni, entry.pattern, entry.port, entry.protocol) == (
        HOST,
        HOST,
        None,
        443,
        "https",
    )


def test_required_rules_come_first() -> None:
    """So that half an hour is spent on what matters."""
    site = Site()
    for number, need in enumerate((Need.OPTIONAL, Need.CONDITIONAL, Need.REQUIRED)):
        host = f"h{number}.example{number}"
        site.add(trail(dns(name=host), tcp(Failure.TIMEOUT)), host=host, need=need, row=f"row{number}")
    needs = [one.need for one in rules_of(site.recording())]
    assert needs == [Need.REQUIRED, Need.CONDITIONAL, Need.OPTIONAL]


def test_what_need_not_work_asks_for_nothing() -> None:
    """An alternative works."""
    site = Site()
    site.add(good("a.example"), host="a.example", one_of="p/way", row="one")
    site.add(broken("b.example"), host="b.example", one_of="p/way", row="two")
    assert rules_of(site.recording()) == ()


@pytest.mark.parametrize(
    ("seen", "team", "action", "leg"),
    [
        ((tcp(Failure.TIMEOUT),), Team.PROXY, Action.ALLOW, Leg.TO_PROXY),
        ((tcp(), connect(403)), Team.PROXY, Action.ALLOW, Leg.AT_PROXY),
    ],
)
def test_behind_a_proxy_the_leg_that_failed_is_asked_for(
    seen: tuple[Any, ...], team: Team, action: Action, leg: Leg
) -> None:
    """The way to it, or what it lets through."""
    site = Site()
    site.add(trail(*seen, path=PROXY), via_proxy=True)
    recording = site.recording()
    (rule,) = rules_of(replace(recording, plan=replace(recording.plan, proxy=Proxy(url=PROXY))))
    assert (rule.team, rule.action, rule.leg, rule.proxy) == (team, action, leg, PROXY)
    expected = ("proxy.corp.example", 3128) if leg is Leg.TO_PROXY else (HOST, 443)
    assert (rule.destination, rule.port) == expected


def test_a_filtered_name_is_asked_of_the_dns_team() -> None:
    """No firewall rule helps a name that is denied."""
    site = Site()
    site.add(good("other.example"), host="other.example", row="other")
    site.add(trail(dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False)))
    rule = rule_of(site)
    assert (rule.team, rule.action) == (Team.DNS, Action.RESOLVE)


def test_a_resolver_that_does_not_answer_is_asked_for_by_address() -> None:
    """The rule is for port 53 of it, not for the names."""
    site = Site()
    site.add(trail(dns(failure=Failure.TIMEOUT)))
    rules = rules_of(site.recording())
    assert {one.team for one in rules} == {Team.FIREWALL}
    assert {(one.destination, one.port, one.transport) for one in rules} == {
        (RESOLVER.partition(":")[0], 53, "UDP"),
        (RESOLVER.partition(":")[0], 53, "TCP"),
    }


def test_inspection_is_exempted() -> None:
    """By name, with what the documents say of it."""
    scene = next(one for one in SCENES if one.reason == "tls_mitm_untrusted")
    (rule,) = rules_of(scene.build().recording())[:1]
    assert (rule.action, rule.team) == (Action.EXEMPT, Team.INSPECTION)
    site = Site()
    site.add(trail(*SILENT), inspection=Inspection.FORBIDDEN)
    assert rule_of(site).tls_inspection == "forbidden"


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.name)
def test_no_rule_accuses(scene: Any) -> None:
    """Where the far end, this host or egressd is to blame for sure, nobody else is asked for a rule."""
    sweep = judge(scene.build().recording())
    asks = Asks(sweep)
    sure = (Confidence.CONFIRMED, Confidence.HIGH)
    for finding in sweep.findings:
        if finding.blame_confidence in sure and finding.blame in NOBODY_TO_ASK:
            assert asks.of_finding(finding) == (), finding
    known = {(one.target, by.source): by.verdict for one in sweep.verdicts for by in one.by_source}
    for (target, source), verdict in known.items():
        if verdict.blame_confidence in sure and verdict.blame in NOBODY_TO_ASK:
            assert asks.of_pairs(verdict, [(target, source)]) == ()


NOBODY_TO_ASK = (
    *(Blame.AZURE_SERVICE, Blame.ENDPOINT_OWNER, Blame.PKI_ENDPOINT),
    *(Blame.LOCAL_HOST, Blame.LOCAL_GATEWAY, Blame.EGRESSD_ENV),
)


def test_every_action_is_of_a_team_that_can_do_it() -> None:
    """Over all reason codes, with every suspect that each has."""
    team_of_action = {
        Action.ALLOW: {Team.FIREWALL, Team.PROXY},
        Action.RESOLVE: {Team.DNS},
        Action.EXEMPT: {Team.INSPECTION},
    }
    for code, reason in REASONS.items():
        suspects = tuple(Suspect(blame=one, decided_by="") for one in reason.suspects.parties)
        for blame in reason.suspects.parties:
            found = who_can_act(code, blame, Confidence.LOW, suspects)
            if found is not None:
                assert team_of(found[0]) in team_of_action[found[1]], code


def test_a_resolver_is_no_name_to_resolve() -> None:
    """A DNS server that denies a name is an endpoint itself: its address is in no zone."""
    site = Site()
    site.add(good("other.example"), host="other.example", row="other")
    denied = dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False, resolver="10.255.255.53:53")
    site.add(trail(denied), host="10.255.255.53", port=53, protocol=Protocol.DNS, row="dns")
    assert rules_of(site.recording()) == ()


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("127.0.0.1", "::1", "10.20.0.11", "fe80::1"), ["10.20.0.11"]),
        (("10.20.0.11", "fd00::2"), ["10.20.0.11", "fd00::2"]),
        (("10.20.0.11", "10.20.0.12"), []),
        ((), []),
        (("nonsense",), []),
    ],
)
def test_a_host_that_sent_nothing_has_the_address_it_has(
    addresses: tuple[str, ...], expected: list[str]
) -> None:
    """Where every lookup failed no connection shows it; of several addresses none is guessed."""
    site = Site()
    site.add(good("other.example"), host="other.example", row="other", source="elsewhere")
    site.add(trail(dns(failure=Failure.NXDOMAIN, rcode="NXDOMAIN", soa=False)))
    recording = site.recording()
    vantage = replace(recording.vantage, local_addresses=addresses)
    sources = tuple(Source(name=one) for one in ("elsewhere", "default"))
    plan = replace(recording.plan, sources=sources)
    (rule,) = rules_of(replace(recording, plan=plan, vantage=vantage))
    assert rule.sources == expected
