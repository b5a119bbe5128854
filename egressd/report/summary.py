"""Counting verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from egressd.model.verdict import Outcome, Sweep, Tally


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count how many targets ended how."""
    counts = Counter(outcomes)
    return Tally(
        targets=counts.total(),
        ok=counts[Outcome.OK],
        degraded=counts[Outcome.DEGRADED],
        blocked=counts[Outcome.BLOCKED],
        down=counts[Outcome.DOWN],
        unknown=counts[Outcome.UNKNOWN],
    )


def outcomes_of(sweep: Sweep) -> dict[str, Outcome]:
    """Return the outcome of every target by its id."""
    return {one.target: one.verdict.outcome for one in sweep.verdicts}


def by_profile(sweep: Sweep) -> dict[str, Tally]:
    """Count per profile, in the plan's order; a target counts for each profile that needs it."""
    outcomes = outcomes_of(sweep)
    found: dict[str, list[Outcome]] = {}
    for target in sweep.recording.plan.targets:
        for profile in target.profiles:
            found.setdefault(profile, []).append(outcomes[target.id])
    return {profile: tally(some) for profile, some in found.items()}
