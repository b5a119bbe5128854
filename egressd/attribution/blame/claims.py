"""The claim who caused a failure, in plain words: what is proven, what is likely, and what would decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from egressd.attribution.blame_text import blame_text
from egressd.model.verdict import Blame, Confidence, RuledOut, Suspect

LIKELY = frozenset({Confidence.HIGH, Confidence.MEDIUM})
"""Not proven, but the first suspect stands out."""


def who_text(blame: Blame, sure: Confidence | None, suspects: Sequence[Suspect]) -> str:
    """Say who caused it, how sure that is, and what would decide; `sure` is None in reports of 0.1.0."""
    if sure is None:
        return blame_text(blame)
    if sure is Confidence.CONFIRMED:
        return f"{blame_text(blame)}; confirmed"
    others = [blame_text(one.blame) for one in suspects if one.blame is not blame]
    return "; ".join((_named(blame_text(blame), others, sure), *_deciding(blame, suspects)))


def ruled_out_lines(ruled_out: Iterable[RuledOut]) -> tuple[str, ...]:
    """Return a line for each fact: whom it rules out."""
    by_fact: dict[str, list[str]] = {}
    for one in ruled_out:
        by_fact.setdefault(one.by, []).append(blame_text(one.blame))
    return tuple(f"{_either(names)}: {fact}" for fact, names in by_fact.items())


def suspect_lines(suspects: Iterable[Suspect]) -> tuple[str, ...]:
    """Return a line for each suspect: what shows whether it did it."""
    return tuple(f"{blame_text(one.blame)}: {one.decided_by}" for one in suspects)


def _named(first: str, others: list[str], sure: Confidence) -> str:
    if not others:
        return f"{first}; confidence: {sure}"
    if sure in LIKELY:
        return f"most likely {first}, else {_either(others)}; confidence: {sure}"
    return f"{_either([first, *others])}: not decided"


def _deciding(blame: Blame, suspects: Iterable[Suspect]) -> tuple[str, ...]:
    return tuple(f"decides: {one.decided_by}" for one in suspects if one.blame is blame)


def _either(names: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
