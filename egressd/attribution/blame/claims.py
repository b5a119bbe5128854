"""The claim who caused a failure, in plain words: what is proven, what is likely, and what would decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from egressd.attribution.blame_text import CALL, blame_and_team, blame_text
from egressd.model.verdict import Blame, Confidence, RuledOut, Suspect
from egressd.wording import either_of

LIKELY = frozenset({Confidence.HIGH, Confidence.MEDIUM})
"""Not proven, but the first suspect stands out."""


def who_text(blame: Blame, sure: Confidence | None, suspects: Sequence[Suspect]) -> str:
    """Say who caused it, how sure that is, and what would decide; `sure` is None in reports of 0.1.0."""
    return "; ".join((party_text(blame, sure, suspects), *_deciding(blame, sure, suspects)))


def who_and_team(blame: Blame, sure: Confidence | None, suspects: Sequence[Suspect]) -> str:
    """Say the same, with the team to call and the value that labels and runbooks have."""
    if sure is None:
        return blame_and_team(blame)
    call = f"call {CALL[blame]} ({blame.value})"
    return "; ".join((party_text(blame, sure, suspects), call, *_deciding(blame, sure, suspects)))


def sureness(sure: Confidence) -> str:
    """Say how sure a claim is."""
    return "confirmed" if sure is Confidence.CONFIRMED else f"confidence: {sure}"


def ruled_out_lines(ruled_out: Iterable[RuledOut]) -> tuple[str, ...]:
    """Return a line for each fact: whom it rules out."""
    by_fact: dict[str, list[str]] = {}
    for one in ruled_out:
        by_fact.setdefault(one.by, []).append(blame_text(one.blame))
    return tuple(f"{either_of(names)}: {fact}" for fact, names in by_fact.items())


def suspect_lines(suspects: Iterable[Suspect]) -> tuple[str, ...]:
    """Return a line for each suspect: what shows whether it did it."""
    return tuple(f"{blame_text(one.blame)}: {one.decided_by}" for one in suspects)


def party_text(blame: Blame, sure: Confidence | None, suspects: Sequence[Suspect]) -> str:
    """Say who caused it, and how sure that is."""
    first, others = blame_text(blame), [blame_text(one.blame) for one in suspects if one.blame is not blame]
    if sure is None:
        return first
    if sure is Confidence.CONFIRMED or not others:
        return f"{first}; {sureness(sure)}"
    if sure in LIKELY:
        return f"most likely {first}, else {either_of(others)}; {sureness(sure)}"
    return f"{either_of([first, *others])}: not decided"


def _deciding(blame: Blame, sure: Confidence | None, suspects: Iterable[Suspect]) -> tuple[str, ...]:
    if sure in (None, Confidence.CONFIRMED):
        return ()
    return tuple(f"decides: {one.decided_by}" for one in suspects if one.blame is blame)
