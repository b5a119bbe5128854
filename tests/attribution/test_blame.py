"""Who did it, by elimination: suspects of a signature, less those that a fact rules out."""

from __future__ import annotations

import pytest

from egressd.attribution import judge
from egressd.attribution.blame.elimination import (
    SharedFact,
    attribute,
    common_attribution,
    narrowed,
    usual_attribution,
)
from egressd.attribution.blame.facts import Accusation
from egressd.attribution.blame.suspects import REFUSED, SILENCE_AFTER_HELLO, SYN_UNANSWERED
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Failure, Phase
from egressd.model.verdict import Blame, Confidence, Outcome, Suspect, Verdict
from tests.attribution.cases import SCENES
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail

SILENT = trail(dns(), tcp(Failure.TIMEOUT))


def accused(site: Site, phase: Phase) -> Accusation:
    """Return the accusation of the first trail of a site."""
    index = SweepIndex.build(site.recording())
    probe = index.recording.plan.probes[0]
    context = TrailContext(
        trail=index.trails[probe.id][0], probe=probe, target=index.targets[probe.targets[0]], index=index
    )
    return Accusation(context=context, reason="tcp_unknown", phase=phase)


def verdict_of(site: Site) -> Verdict:
    return judge(site.recording()).verdicts[0].verdict


def blamed(verdict: Verdict) -> list[Blame]:
    return [one.blame for one in verdict.suspects]


def test_all_parties_are_suspects_until_a_fact_rules_them_out() -> None:
    """Silence of one address alone: nobody is ruled out, so blame is low."""
    site = Site()
    site.add(SILENT)
    found = attribute(
        accused(site, Phase.TCP), SYN_UNANSWERED, most=Confidence.CONFIRMED, values={"host": "a.example"}
    )
    assert tuple(one.blame for one in found.suspects) == SYN_UNANSWERED.parties
    assert (found.confidence, found.ruled_out) == (Confidence.LOW, ())


def test_a_party_that_is_ruled_out_is_named_with_the_fact() -> None:
    """Another connection was answered, so the gateway works; a reader can disagree with the fact."""
    site = Site()
    site.add(SILENT)
    site.add(good("works.example", "203.0.113.77"), host="works.example")
    verdict = verdict_of(site)
    (one,) = (one for one in verdict.ruled_out if one.blame is Blame.LOCAL_GATEWAY)
    assert "other connections" in one.by
    assert Blame.LOCAL_GATEWAY not in blamed(verdict)


@pytest.mark.parametrize("most", Confidence)
def test_who_is_never_surer_than_what(most: Confidence) -> None:
    """The confidence of the reason limits that of the blame."""
    site = Site()
    site.add(SILENT)
    found = attribute(accused(site, Phase.TCP), SYN_UNANSWERED, most=most, values={})
    levels = list(Confidence)
    assert levels.index(found.confidence) >= levels.index(most)


def test_the_operators_endpoint_is_never_azures() -> None:
    """For the operator's own server the far end is its owner, first where a refusal is likely its own."""
    site = Site()
    site.add(trail(dns(), tcp(Failure.REFUSED)), owned=True)
    verdict = verdict_of(site)
    assert blamed(verdict) == list(REFUSED.own)
    assert Blame.AZURE_SERVICE not in blamed(verdict)


def test_through_a_proxy_no_party_of_the_direct_way_is_a_suspect() -> None:
    """Resolvers, gateways, firewalls and inspection of this host's own way give place to the proxy."""
    site = Site()
    site.add(
        trail(tcp(port=3128), tls(Failure.TIMEOUT), path="http://proxy.corp.example:3128"), via_proxy=True
    )
    found = attribute(accused(site, Phase.TLS), SILENCE_AFTER_HELLO, most=Confidence.CONFIRMED, values={})
    assert [one.blame for one in found.suspects] == [Blame.EXPLICIT_PROXY, Blame.AZURE_SERVICE]


def test_several_targets_share_the_suspects_that_none_of_them_rules_out() -> None:
    """One cause over several targets: who is ruled out for one of them is not suspected for all."""
    site = Site()
    site.add(SILENT)
    alone = verdict_of(site)
    site.add(good("works.example", "203.0.113.77"), host="works.example")
    beside = verdict_of(site)
    shared = common_attribution([alone, beside])
    assert shared is not None
    assert Blame.LOCAL_GATEWAY in blamed(alone)
    assert Blame.LOCAL_GATEWAY not in {one.blame for one in shared.suspects}
    assert common_attribution([]) is None


def test_what_would_decide_is_filled_in() -> None:
    """Every suspect comes with the log line or the check that decides."""
    site = Site()
    site.add(SILENT)
    verdict = verdict_of(site)
    assert all("{" not in one.decided_by and one.decided_by for one in verdict.suspects)
    assert "10.20.0.11" in verdict.suspects[0].decided_by
    usual = usual_attribution(REFUSED, most=Confidence.HIGH, values={})
    assert usual.blame is REFUSED.usual


def _accused(sure: Confidence) -> Verdict:
    suspects = (
        Suspect(blame=Blame.FIREWALL_L7, decided_by=""),
        Suspect(blame=Blame.AZURE_SERVICE, decided_by=""),
    )
    return Verdict(outcome=Outcome.BLOCKED, blame=Blame.FIREWALL_L7, blame_confidence=sure, suspects=suspects)


def test_alike_needs_an_identity() -> None:
    """Targets that share only a code do not support each other; those of one device do."""
    verdicts = [_accused(Confidence.CONFIRMED), _accused(Confidence.LOW)]
    alike, same = common_attribution(verdicts), common_attribution(verdicts, same_device=True)
    assert alike is not None
    assert same is not None
    assert (alike.confidence, same.confidence) == (Confidence.LOW, Confidence.CONFIRMED)


def test_a_fact_over_several_targets_rules_out_and_points() -> None:
    """What no trail alone shows counts as any other fact, and is named; it never leaves nobody."""
    found = common_attribution([_accused(Confidence.LOW)])
    assert found is not None
    fact = SharedFact(says="another source got through", rules_out=frozenset({Blame.AZURE_SERVICE}))
    left = narrowed(found, (fact,), most=Confidence.HIGH)
    assert (left.blame, left.confidence) == (Blame.FIREWALL_L7, Confidence.HIGH)
    assert {one.blame: one.by for one in left.ruled_out} == {Blame.AZURE_SERVICE: fact.says}
    everybody = SharedFact(says="", rules_out=frozenset(Blame))
    assert narrowed(found, (everybody,), most=Confidence.HIGH) == found
    pointing = SharedFact(says="", rules_out=frozenset(), points_to=(Blame.DNS_FILTER, Blame.AZURE_SERVICE))
    assert narrowed(found, (pointing,), most=Confidence.CONFIRMED).suspects[0].blame is Blame.AZURE_SERVICE


def test_a_party_that_shows_itself_counts_where_it_can_have_done_it() -> None:
    """A block page under an authority of many names is a filter's: the suspects are not all ruled out."""
    scene = next(one for one in SCENES if one.reason == "tls_mitm_block_page")
    verdict = verdict_of(scene.build())
    assert verdict.blame is Blame.FIREWALL_L7
    assert Blame.UNKNOWN_MIDDLEBOX not in blamed(verdict)
