"""What is asked, and of whom: of the party that is blamed, and as a question until that is sure."""

from __future__ import annotations

import re

import pytest

from egressd.attribution import judge
from egressd.attribution.blame.claims import ruled_out_lines, suspect_lines, who_text
from egressd.attribution.blame.elimination import Attribution
from egressd.attribution.blame.request import ASK_OF, SURE, mends, request
from egressd.attribution.blame_text import CALL, blame_text
from egressd.attribution.reasons import REASONS, Reason
from egressd.attribution.reasons.reason import fill_template
from egressd.model.observation import Failure
from egressd.model.verdict import Blame, Confidence, Outcome, RuledOut, Suspect, Verdict
from tests.attribution.cases import SCENES, Scene
from tests.attribution.recordings import Site, dns, good, tcp, tls, trail

ASKED = [one for one in REASONS.values() if one.severity is not Outcome.OK]
LOG = "the firewall's URL log for 10.20.0.11:49152 at 10:02:11"


def suspected(*parties: Blame, sure: Confidence) -> Attribution:
    suspects = tuple(Suspect(blame=one, decided_by=f"the log of {one.value}") for one in parties)
    return Attribution(blame=parties[0], confidence=sure, suspects=suspects)


@pytest.mark.parametrize("reason", ASKED, ids=lambda one: one.code)
def test_the_advice_of_a_reason_is_for_one_of_its_suspects(reason: Reason) -> None:
    """Ask and blame never point at different parties."""
    parties = {*reason.suspects.parties, *reason.suspects.own}
    assert any(mends(reason, one) for one in parties)


@pytest.mark.parametrize("reason", ASKED, ids=lambda one: one.code)
def test_a_title_accuses_no_firewall_that_is_one_of_several(reason: Reason) -> None:
    """A heading is read as a fact: it says what happened, not who did it."""
    several = len(reason.suspects.parties) > 1
    open_words = (" may ", " or ", "page of ")
    assert not several or "firewall" not in reason.title.lower() or any(w in reason.title for w in open_words)


@pytest.mark.parametrize("reason", ASKED, ids=lambda one: one.code)
def test_another_suspect_is_asked_for_what_it_can_do(reason: Reason) -> None:
    """The firewall's rule is not asked of the resolver, nor the other way round."""
    for one in {*reason.suspects.parties, *reason.suspects.own}:
        found = suspected(one, sure=Confidence.HIGH)
        asked = request(reason, "THE ADVICE", found, {})
        assert asked == ("THE ADVICE" if mends(reason, one) else fill_template(ASK_OF[one], {}))


@pytest.mark.parametrize("sure", [one for one in Confidence if one not in SURE])
@pytest.mark.parametrize("reason", ASKED, ids=lambda one: one.code)
def test_it_is_a_question_while_it_is_not_proven_who(reason: Reason, sure: Confidence) -> None:
    """A request that rests on a guess sends an engineer after a rule that does not exist."""
    first, *rest = reason.suspects.parties
    asked = request(reason, "Allow it.", suspected(first, *rest, sure=sure), {})
    assert asked.startswith(f"A question first, to {CALL[first]}, because this is not proven")
    assert f"What decides: the log of {first.value}." in asked
    assert "Allow it." not in asked or "If it was: Allow it." in asked


def test_what_needs_no_action_asks_nobody() -> None:
    """A fact for information is no question to anybody."""
    reason = REASONS["tcp_accept_all"]
    found = suspected(Blame.TRANSPARENT_PROXY, sure=Confidence.LOW)
    assert request(reason, "Nothing to ask.", found, {}) == "Nothing to ask."


def verdicts(scene: Scene) -> list[Verdict]:
    sweep = judge(scene.build().recording())
    return [two.verdict for one in sweep.verdicts for two in (*one.by_source, *one.other_path)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.name)
def test_every_verdict_asks_the_party_that_it_blames(scene: Scene) -> None:
    """Whatever was recorded, the ask goes to the first suspect, and below high it is a question."""
    for one in verdicts(scene):
        if one.reason is None or one.blame is None or REASONS[one.reason].severity is Outcome.OK:
            continue
        assert one.suspects[0].blame is one.blame
        question = one.advice.startswith(f"A question first, to {CALL[one.blame]},")
        assert question is (one.blame_confidence not in SURE)
        assert question or mends(REASONS[one.reason], one.blame) or not _is_of_the_reason(one)


def _is_of_the_reason(one: Verdict) -> bool:
    """Whether a request begins as the reason's advice does."""
    advice = REASONS[one.reason or ""].advice.partition("{")[0]
    return bool(advice) and one.advice.startswith(advice)


def test_the_log_line_that_decides_has_both_ends_and_the_time() -> None:
    """An engineer can find the one connection: its source port, its far end, its time."""
    site = Site()
    site.add(trail(dns(), tcp(), tls(Failure.RESET)))
    site.add(good("works.example", "203.0.113.77"), host="works.example")
    verdict = judge(site.recording()).verdicts[0].verdict
    dialled = site.records[0].trails[0].observations[1]
    decided_by = verdict.suspects[0].decided_by
    assert f"{dialled.local_address}:{dialled.local_port} to " in decided_by  # type: ignore[union-attr]  # a dial
    assert dialled.started[:16] in decided_by


def test_who_is_said_in_plain_words() -> None:
    """What is proven, what is likely, and what would decide."""
    suspects = (
        Suspect(blame=Blame.FIREWALL_L7, decided_by=LOG),
        Suspect(blame=Blame.AZURE_SERVICE, decided_by="b"),
    )
    first, second = blame_text(Blame.FIREWALL_L7), blame_text(Blame.AZURE_SERVICE)
    assert who_text(Blame.FIREWALL_L7, Confidence.CONFIRMED, suspects[:1]) == f"{first}; confirmed"
    assert (
        who_text(Blame.FIREWALL_L7, Confidence.HIGH, suspects)
        == f"most likely {first}, else {second}; confidence: high; decides: {LOG}"
    )
    assert who_text(Blame.FIREWALL_L7, Confidence.LOW, suspects) == (
        f"{first} or {second}: not decided; decides: {LOG}"
    )
    assert who_text(Blame.FIREWALL_L7, Confidence.MEDIUM, suspects[:1]) == (
        f"{first}; confidence: medium; decides: {LOG}"
    )
    assert who_text(Blame.FIREWALL_L7, None, ()) == first
    assert suspect_lines(suspects) == (f"{first}: {LOG}", f"{second}: b")


def test_a_fact_is_said_once_with_all_whom_it_rules_out() -> None:
    """A reader can disagree with the fact, and sees whom it concerns."""
    by = "a hop reported it"
    ruled_out = (RuledOut(blame=Blame.AZURE_SERVICE, by=by), RuledOut(blame=Blame.DNS_FILTER, by=by))
    assert ruled_out_lines(ruled_out) == (
        f"{blame_text(Blame.AZURE_SERVICE)} or {blame_text(Blame.DNS_FILTER)}: {by}",
    )


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.name)
def test_what_decides_has_no_unfilled_placeholder(scene: Scene) -> None:
    """Each suspect of each verdict and finding comes with a check that can be made as it stands."""
    sweep = judge(scene.build().recording())
    suspects = [two for one in sweep.verdicts for two in one.verdict.suspects]
    suspects += [two for one in sweep.findings for two in one.suspects]
    words = re.compile(r"\b(HOST|FLOW|LOCAL|SOURCE|ADDRESS|PORT|PLACE|TIME)\b")
    assert [one.decided_by for one in suspects if words.search(one.decided_by)] == []
