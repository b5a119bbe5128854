"""Which failures ask for a rule, and of whom: over all reason codes, and over every recorded world."""

from __future__ import annotations

import re

import pytest

from egressd.attribution.blame.request import mends
from egressd.attribution.reasons import REASONS, Reason
from egressd.firewall.action import AT_RESOLVER, who_can_act
from egressd.firewall.ask import Asks
from egressd.firewall.rule import Action
from egressd.model.verdict import Blame, Confidence, Finding, Suspect, Team, Verdict, team_of
from tests.laws.worlds import BASES, SURE, judged

EVERY = pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS)
ACTIONS = {
    Team.FIREWALL: {Action.ALLOW},
    Team.PROXY: {Action.ALLOW},
    Team.DNS: {Action.RESOLVE},
    Team.INSPECTION: {Action.EXEMPT},
}
NO_RULE = re.compile(
    r"^(Nothing to ask|Ask nobody|Ask for no rule)|[Nn]o firewall rules? |raise a firewall ticket"
    r"|Policies need no change"
)
"""What advice says where a rule is the wrong thing to ask for."""


def suspects_of_reason(reason: Reason) -> tuple[Suspect, ...]:
    parties = dict.fromkeys((*reason.suspects.parties, *reason.suspects.own))
    return tuple(Suspect(blame=one, decided_by="") for one in parties)


@EVERY
def test_only_who_can_add_a_rule_is_asked_for_one(reason: Reason) -> None:
    """Azure, this host and the operator's servers have no rules; nobody is asked in another's place."""
    suspects = suspects_of_reason(reason)
    for blame in Blame:
        for sure in Confidence:
            found = who_can_act(reason.code, blame, sure, suspects)
            if found is not None:
                party, action = found
                assert action in ACTIONS[team_of(party)]
                spoken_to = reason.code in AT_RESOLVER or mends(reason, party)
                assert party is blame or (sure not in SURE and spoken_to)


@EVERY
def test_where_advice_says_that_no_rule_helps_there_is_none(reason: Reason) -> None:
    """Text and rules never contradict each other."""
    if not NO_RULE.search(reason.advice) or reason.severity.value == "ok":
        return
    for one in (two for two in suspects_of_reason(reason) if mends(reason, two.blame)):
        assert who_can_act(reason.code, one.blame, Confidence.LOW, suspects_of_reason(reason)) is None


@EVERY
def test_a_route_a_segment_size_and_a_pool_are_no_policy(reason: Reason) -> None:
    """A firewall cannot allow what a provider loses."""
    for blame in (Blame.UPSTREAM_PATH, Blame.PATH_MTU_LINK, Blame.NAT_DEVICE):
        assert who_can_act(reason.code, blame, Confidence.HIGH, ()) is None


@pytest.mark.parametrize("name", BASES)
def test_no_rule_accuses_whom_the_facts_clear(name: str) -> None:
    """In every world a rule is for a suspect that is left; where one is blamed for sure, for that one."""
    sweep = judged(name)
    verdicts = {one.target: one.by_source for one in sweep.verdicts}
    for rule in Asks(sweep).rules():
        assert rule.action in ACTIONS[rule.team]
        for target in rule.targets:
            claims: list[Verdict | Finding] = [
                *(one.verdict for one in verdicts[target] if one.verdict.reason),
                *(one for one in sweep.findings if target in one.targets),
            ]
            sure = [one for one in claims if one.blame_confidence in SURE and one.blame is not None]
            left = {team_of(one.blame) for claim in claims for one in claim.suspects}
            assert rule.team in left
            if sure and len(sure) == len(claims):
                assert rule.team in {team_of(one.blame) for one in sure if one.blame is not None}


@pytest.mark.parametrize("name", BASES)
def test_a_fault_of_azure_or_of_this_host_asks_for_no_rule(name: str) -> None:
    """Where everything that fails is surely theirs, there is nothing to paste."""
    sweep = judged(name)
    failing = [by.verdict for one in sweep.verdicts for by in one.by_source if by.verdict.reason]
    theirs = {Team.AZURE, Team.LOCAL}
    claims: list[Verdict | Finding] = [*failing, *sweep.findings]
    if all(one.blame is not None and team_of(one.blame) in theirs for one in claims) and all(
        one.blame_confidence in SURE for one in claims
    ):
        assert Asks(sweep).rules() == ()
