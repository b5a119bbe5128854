"""Every rule fires where it should, with the same result in any order."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from msgspec.structs import replace

from egressd.attribution import judge, plan_followups
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import PLACEHOLDERS, REASONS
from egressd.attribution.rules.rule import RuleTable
from egressd.attribution.trail_judgement import DIRECT_TABLES, PROXY_TABLES, judge_trail
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence, Outcome, Verdict
from tests.attribution.cases import SCENES, Scene
from tests.attribution.dns_scenes import raced
from tests.attribution.recordings import RESOLVER, Site, dns, good, tcp, tls, trail

TABLES = tuple({id(table): table for table in (*DIRECT_TABLES, *PROXY_TABLES)}.values())
ORDER = tuple(Confidence)
SPOKEN = frozenset({"sni"})
"""Placeholders whose name is a word that advice uses."""


def first_verdict(site: Site) -> Verdict:
    return judge(site.recording()).verdicts[0].verdict


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_scene(scene: Scene) -> None:
    """What was seen gets the reason, outcome, blame and confidence it deserves."""
    verdict = first_verdict(scene.build())
    judged = (verdict.reason, verdict.outcome)
    assert judged == (scene.reason, scene.outcome), verdict
    assert set(scene.also) <= set(verdict.also)
    assert set(scene.flags) <= set(verdict.flags)
    if scene.reason is not None:
        assert ORDER.index(verdict.confidence) <= ORDER.index(scene.least), verdict.confidence
        assert ORDER.index(verdict.confidence) >= ORDER.index(scene.most), verdict.confidence
        assert verdict.blame is (scene.blame or verdict.blame)
        assert verdict.evidence
        assert verdict.advice
    else:
        assert (verdict.phase, verdict.blame, verdict.advice) == (None, None, "")
        assert ORDER.index(verdict.confidence) <= ORDER.index(scene.least), verdict.confidence
        assert ORDER.index(verdict.confidence) >= ORDER.index(scene.most), verdict.confidence
        assert bool(verdict.evidence) == ("http_redirect_dead_end" in verdict.also)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_advice_has_no_unfilled_placeholder(scene: Scene) -> None:
    """Every template is filled in, in every scene: no rule is requested for `ADDRESS`."""
    sweep = judge(scene.build().recording())
    texts = [two.verdict.advice for one in sweep.verdicts for two in one.by_source]
    texts += [one.verdict.advice for one in sweep.verdicts] + [one.advice for one in sweep.findings]
    words = re.compile(rf"\b({'|'.join(name.upper() for name in PLACEHOLDERS - SPOKEN)})\b")
    assert [text for text in texts if words.search(text)] == []


def test_scene_names_are_unique() -> None:
    """No scene hides behind another's name."""
    assert [name for name, count in Counter(one.name for one in SCENES).items() if count > 1] == [
        "self-signed"
    ][1:]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.phase.value)
def test_table_is_in_order(table: RuleTable) -> None:
    """A table names known reasons once each and ends in its phase's fallback."""
    for rows in (table.rules, table.notes):
        codes = [rule.reason for rule in rows]
        assert len(codes) == len(set(codes))
        assert set(codes) <= set(REASONS)
    assert table.rules[-1].reason == f"{table.phase.value}_unknown"


def test_every_rule_is_fired() -> None:
    """No rule is dead: each one holds in some scene."""
    fired = set()
    for scene in SCENES:
        index = SweepIndex.build(scene.build().recording())
        for probe in index.recording.plan.probes:
            for one in index.trails[probe.id]:
                target = index.targets[probe.targets[0]]
                found = judge_trail(TrailContext(trail=one, probe=probe, target=target, index=index))
                fired |= {(match.phase, match.code) for match in (*found.causes, *found.notes)}
    rules = {(table.phase, rule.reason) for table in TABLES for rule in (*table.rules, *table.notes)}
    assert rules - fired == set()


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_judging_is_deterministic_and_independent_of_order(scene: Scene) -> None:
    """The same facts give the same sweep; the order of targets and probes changes nothing."""
    recording = scene.build().recording()
    assert judge(recording) == judge(recording)
    plan = replace(recording.plan, targets=recording.plan.targets[::-1], probes=recording.plan.probes[::-1])
    turned = judge(replace(recording, plan=plan, records=recording.records[::-1]))
    straight = judge(recording)
    assert {one.target: one.verdict for one in turned.verdicts} == {
        one.target: one.verdict for one in straight.verdicts
    }
    assert turned.findings == straight.findings
    assert plan_followups(recording) == plan_followups(recording)


def test_target_takes_its_worst_source() -> None:
    """A target that fails from one source fails, and both sources stay readable."""
    site = Site()
    site.add(good())
    site.add(trail(dns(), tcp(Failure.REFUSED)), source="b")
    sweep = judge(site.recording())
    (verdict,) = sweep.verdicts
    assert [one.source for one in verdict.by_source] == ["default", "b"]
    assert verdict.verdict.outcome is max(
        (one.verdict.outcome for one in verdict.by_source), key=lambda one: one.severity
    )


def test_accept_all_is_a_flag_of_every_verdict() -> None:
    """Where an address that can't exist accepts, a verdict says so."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.RESET)))
    unroutable = tcp(address="192.0.2.1")
    site.control(ControlKind.TESTNET_TCP, unroutable, subject=None, address="192.0.2.1")
    assert "accept_all" in first_verdict(site).flags


def test_missing_aaaa_is_no_second_fault() -> None:
    """Where the IPv4 address is blocked, having no AAAA is no second fault; being denied one's A is."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.REFUSED)), trail(dns(v6=True, failure=Failure.NODATA, soa=True)))
    assert (first_verdict(site).reason, first_verdict(site).also) == ("tcp_refused", ())
    second = "10.0.0.54:53"
    site = Site(resolvers=(RESOLVER, second))
    emptied = dns(failure=Failure.NODATA, resolver=second)
    site.add(trail(dns(), tcp(Failure.REFUSED)), trail(emptied))
    assert first_verdict(site).also == ("dns_nodata_filtered",)


def test_what_happened_is_surer_than_who_did_it() -> None:
    """A FIN that only one name gets is certain; its sender is not."""
    site = Site()
    for number in range(3):
        name = f"n{number}.example"
        closed = tls(Failure.CLOSED, sni=name)
        site.add(*[trail(dns(name=name), tcp(), closed)] * 2, host=name)
        site.control(ControlKind.SNI_CONTRAST, tcp(), tls(sni="good.example"), subject=number)
    sweep = judge(site.recording())
    claims = [one.verdict for one in sweep.verdicts] + list(sweep.findings)
    assert {one.reason for one in claims} == {"tls_fin_after_hello"}
    assert {one.confidence for one in claims} == {Confidence.CONFIRMED}
    assert {one.blame_confidence for one in claims} == {Confidence.MEDIUM}


def test_unlisted_target_is_not_ok() -> None:
    """A target without a probe is unknown, never ok by default."""
    site = Site()
    site.add(good())
    recording = site.recording()
    plan = replace(recording.plan, probes=())
    (verdict,) = judge(replace(recording, plan=plan)).verdicts
    assert verdict.verdict.outcome is Outcome.UNKNOWN


def test_two_answers_are_shown() -> None:
    """The evidence has the answer that came second, so that a reader can look for who sent the first."""
    (line,) = (one for one in first_verdict(raced()).evidence if "another answer" in one)
    assert "another answer to the same query after 21 ms: 203.0.113.9" in line
