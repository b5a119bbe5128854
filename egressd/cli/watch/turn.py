"""Which probes have their turn, and when. Pure; times are seconds of one clock."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.daemon.sweeping.rhythm import slow_probes
from egressd.errors import ExitCode
from egressd.model.plan import Plan, Probe
from egressd.model.verdict import Sweep
from egressd.report.summary import exit_code

WELL_EVERY = 60.0
"""Seconds from one look at what is well to the next."""
LEAST_GAP = 1.0
"""Seconds between two looks, however long they take: the network is somebody else's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One look."""

    probes: tuple[Probe, ...]
    """What fails comes first."""
    everything: bool
    """Whether what is well is looked at, too."""
    last: bool = False
    """Whether nothing is left out: if all is well now, there is nothing more to wait for."""


def next_turn(plan: Plan, sweep: Sweep | None, *, since: float, every: float) -> Turn:
    """Choose what to look at next; `since` is how long ago everything was looked at.

    Wildcard rules and downloads that are well cost the other side something, and wait for the last look.
    """
    failing = failing_keys(sweep) if sweep is not None else frozenset()
    first = tuple(one for one in plan.probes if _speaks_for(one, failing))
    rest = tuple(one for one in plan.probes if not _speaks_for(one, failing))
    if sweep is None or is_over(sweep):
        return Turn(probes=(*first, *rest), everything=True, last=True)
    if since < max(WELL_EVERY, every):
        return Turn(probes=first or rest, everything=not first)
    slow = slow_probes(plan)
    return Turn(probes=(*first, *(one for one in rest if one.id not in slow)), everything=True)


def is_over(sweep: Sweep) -> bool:
    """Say whether every required target can be reached."""
    return exit_code(sweep) is ExitCode.OK


def failing_keys(sweep: Sweep) -> frozenset[tuple[str, str]]:
    """Return the targets and sources that can't be used, as far as is known."""
    return frozenset(
        (judged.target, one.source)
        for judged in sweep.verdicts
        for one in judged.by_source
        if not one.verdict.outcome.reachable
    )


def pause(*, began: float, now: float, every: float) -> float:
    """Return the seconds to wait: looks begin `every` so often, and never end on end."""
    return max(LEAST_GAP, began + every - now)


def _speaks_for(probe: Probe, keys: frozenset[tuple[str, str]]) -> bool:
    return any((target, probe.source) in keys for target in probe.targets)
