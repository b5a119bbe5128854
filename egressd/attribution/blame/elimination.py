"""Blame by elimination: all who can cause a failure are suspects, facts rule them out, what remains is said.

Confirmed: a party shows itself, or one is left. High: two are left and a fact points to the first. Medium: a
fact points to the first, or two are left. Low: otherwise. Who did it is never surer than what happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution.blame.facts import FACTS, Accusation, Fact
from egressd.attribution.blame.parties import far_end_of, parties_present, unidentified
from egressd.attribution.blame.suspects import DECIDED_BY, Signature
from egressd.attribution.certainty import highest, lower, lowest
from egressd.attribution.reasons.reason import fill_template
from egressd.model.verdict import Blame, Confidence, RuledOut, Suspect, Verdict

NONE_RULED_OUT: Mapping[Blame, str] = MappingProxyType({})


class Attribution(Struct, frozen=True, kw_only=True):
    """Who caused a failure."""

    blame: Blame
    confidence: Confidence
    suspects: tuple[Suspect, ...]
    ruled_out: tuple[RuledOut, ...] = ()


def attribute(
    accusation: Accusation, signature: Signature, *, most: Confidence, values: Mapping[str, str]
) -> Attribution:
    """Return who caused a failure; `most` is how sure it is what happened, `values` fill the texts."""
    parties = parties_present(accusation.context, signature, accusation.phase)
    facts = [one for one in FACTS if one.holds(accusation)]
    ruled_out = _ruled_out(parties, facts)
    left = [one for one in parties if one not in ruled_out] or [unidentified(accusation.context)]
    hints = (far_end_of(one.points_to, accusation.context) for one in facts if one.points_to is not None)
    pointed = next((one for one in hints if one in left), None)
    if pointed is not None:
        left.sort(key=lambda one: one is not pointed)
    level = _level(left, pointed=pointed is not None)
    if not set(left) & set(parties):
        level = Confidence.LOW
    return Attribution(
        blame=left[0],
        confidence=lower(level, most),
        suspects=with_deciders(left, values),
        ruled_out=tuple(RuledOut(blame=one, by=by) for one, by in ruled_out.items()),
    )


def usual_attribution(
    signature: Signature,
    *,
    most: Confidence,
    values: Mapping[str, str],
    ruled_out: Mapping[Blame, str] = NONE_RULED_OUT,
) -> Attribution:
    """Return who causes such a failure where no trail can be asked; `ruled_out`: who did not, and why."""
    left = tuple(one for one in signature.parties if one not in ruled_out) or signature.parties
    return Attribution(
        blame=left[0],
        confidence=lower(_level(left, pointed=False), most),
        suspects=with_deciders(left, values),
        ruled_out=tuple(
            RuledOut(blame=one, by=ruled_out[one]) for one in signature.parties if one not in left
        ),
    )


def common_attribution(verdicts: Sequence[Verdict], *, same_device: bool = False) -> Attribution | None:
    """Return who caused what one cause did to several targets: nobody whom any of them rules out.

    With `same_device` something of the device itself shows that it is one (an issuer's key, who sent an ICMP
    error, a resolver): then the surest target speaks for all, otherwise the least sure does.
    None: they have no suspect in common, or none at all.
    """
    accused = [one for one in verdicts if one.blame is not None]
    shared = [
        suspect
        for suspect in (accused[0].suspects if accused else ())
        if all(suspect.blame in {other.blame for other in one.suspects} for one in accused)
    ]
    if not shared:
        return None
    first = next((one for one in accused if one.blame is shared[0].blame), accused[0])
    agreeing = [one.blame_confidence for one in accused if one.blame is first.blame and one.blame_confidence]
    together = highest if same_device else lowest
    ruled_out = {one.blame: one for verdict in accused for one in verdict.ruled_out}
    return Attribution(
        blame=shared[0].blame,
        confidence=together(agreeing) if agreeing else Confidence.LOW,
        suspects=tuple(shared),
        ruled_out=tuple(ruled_out.values()),
    )


class SharedFact(Struct, frozen=True, kw_only=True):
    """A fact over several targets, as no trail alone shows it: whom it rules out, and whom it points to."""

    says: str
    rules_out: frozenset[Blame]
    points_to: tuple[Blame, ...] = ()
    """The first of them that is left is the party to think of first."""


def narrowed(found: Attribution, facts: Sequence[SharedFact], *, most: Confidence) -> Attribution:
    """Return who is left by facts over several targets; as found, where they would leave nobody."""
    ruled_out = {one: fact.says for fact in reversed(facts) for one in fact.rules_out}
    left = [one for one in found.suspects if one.blame not in ruled_out]
    if not left:
        return found
    parties = {one.blame for one in left}
    pointed = next((one for fact in facts for one in fact.points_to if one in parties), None)
    if pointed is not None:
        left.sort(key=lambda one: one.blame is not pointed)
    gone = (one.blame for one in found.suspects if one.blame in ruled_out)
    level = _level([one.blame for one in left], pointed=pointed is not None)
    return Attribution(
        blame=left[0].blame,
        confidence=lower(level, most),
        suspects=tuple(left),
        ruled_out=(*found.ruled_out, *(RuledOut(blame=one, by=ruled_out[one]) for one in gone)),
    )


def with_attribution(verdict: Verdict, found: Attribution) -> Verdict:
    """Return a verdict that says who caused the failure."""
    return replace(
        verdict,
        blame=found.blame,
        blame_confidence=found.confidence,
        suspects=found.suspects,
        ruled_out=found.ruled_out,
    )


def _ruled_out(parties: Iterable[Blame], facts: Iterable[Fact]) -> dict[Blame, str]:
    """Return the parties that are ruled out, each with the first fact that does.

    A party that shows itself rules the others out where it can have caused this failure.
    """
    found: dict[Blame, str] = {}
    parties = tuple(parties)
    for party in parties:
        for fact in facts:
            if party in fact.rules_out or (fact.names in parties and party is not fact.names):
                found.setdefault(party, fact.says)
    return found


def _level(left: Sequence[Blame], *, pointed: bool) -> Confidence:
    match len(left), pointed:
        case 1, _:
            return Confidence.CONFIRMED
        case 2, True:
            return Confidence.HIGH
        case (2, _) | (_, True):
            return Confidence.MEDIUM
        case _:
            return Confidence.LOW


def with_deciders(parties: Iterable[Blame], values: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Return parties with what decides whether each did it."""
    return tuple(Suspect(blame=one, decided_by=fill_template(DECIDED_BY[one], values)) for one in parties)
