"""Repeats of what failed: before anything else decides, chance is excluded.

An explicit failure is repeated until it works or has failed often enough, and only then compared. Silence
costs a timeout each time, so it is repeated and compared at the same time.
"""

from __future__ import annotations

from dataclasses import replace

from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for
from egressd.model.observation import Failure, HttpObservation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Trail

MOST_TRIES, LEAST_TRIES = 10, 3
"""Repeats of one conversation. Ten exclude what fails six times of ten, but for one sweep in two hundred."""
TRIES_PER_SWEEP = 400
"""Shared by all that fails; every repeat ends with the first that works."""
REPEATABLE = {
    TcpObservation: frozenset({Failure.TIMEOUT, Failure.REFUSED, Failure.RESET, Failure.CLOSED}),
    TlsObservation: frozenset(Failure) - {Failure.NAME_INVALID, Failure.NO_RESOURCES, Failure.INTERNAL_ERROR},
    HttpObservation: frozenset({Failure.TIMEOUT, Failure.RESET, Failure.CLOSED, Failure.NOT_HTTP}),
}
"""Failures that may end otherwise the next time; what this host can't do is none."""


def is_repeatable(trail: Trail) -> bool:
    """Return whether a trail failed in a way that chance may have caused."""
    last = trail.last
    if last is None or last.failure is None:
        return False
    reported = isinstance(last, TcpObservation) and last.icmp is not None
    return not reported and last.failure in REPEATABLE.get(type(last), frozenset())


def tries_each(index: SweepIndex) -> int:
    """Return how often each failed conversation of a sweep is repeated: the more fail, the fewer times."""
    failed = sum(is_repeatable(trail) for trails in index.trails.values() for trail in trails)
    return max(LEAST_TRIES, min(MOST_TRIES, TRIES_PER_SWEEP // max(1, failed)))


def repeat_control(context: TrailContext, tries: int) -> ControlPlan:
    """Plan the repeats of a conversation."""
    plan = control_for(
        context,
        ControlKind.REPEAT,
        host=context.probe.host,
        protocol=context.probe.protocol,
        why="one failure may be chance; what fails every time is a rule",
    )
    return replace(plan, tries=tries)


def is_silent(context: TrailContext) -> bool:
    """Whether nothing came, so that a repeat costs a timeout."""
    return context.failing is not None and context.failing.failure is Failure.TIMEOUT


def repeats_ran(context: TrailContext) -> bool:
    """Whether the conversation was repeated."""
    return bool(context.controls(ControlKind.REPEAT))


def is_outage(context: TrailContext) -> bool:
    """Whether nothing of the family ever connected from the source: repeating a few shows it as well."""
    return context.failed_in is Phase.TCP and is_silent(context) and not context.dial_stats.connected
