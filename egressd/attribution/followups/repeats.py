"""Repeats of what failed: before anything else decides, chance is excluded.

An explicit failure is repeated until it works or has failed often enough, and only then compared. Silence
costs a timeout each time, so it is repeated and compared at the same time.
"""

from __future__ import annotations

from msgspec.structs import replace

from egressd.attribution.control_results.contrast import ROUNDS
from egressd.attribution.control_results.tries import works_sometimes
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import control_for
from egressd.model.observation import Failure, HttpObservation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control, Trail

MOST_TRIES, SILENT_TRIES, LEAST_TRIES = 16, 10, 3
"""Repeats of one conversation: where an answer ends it, where nothing does, and where very many fail.

Sixteen are fooled by what fails six times of ten in one sweep of five thousand, ten in one of two hundred.
"""
TRIES_PER_SWEEP = 400
"""Shared by all that fails; every repeat ends with the first that works."""
DIALS_AT_ONCE = 16
"""Repeats of unanswered dials that are made at once, in all."""
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


class Repeats:
    """How often each failed conversation of a sweep is repeated: the more fail, the fewer times each.

    Unanswered dials come in smaller numbers, and again for what is still unanswered then: where new
    connections are limited, repeats in a burst would be lost as well.
    """

    def __init__(self, index: SweepIndex) -> None:
        worked = {one.subject for one in index.recording.controls if _repeat_worked(one)}
        still = (some for probe, some in index.trails.items() if probe not in worked)
        trails = [one for some in still for one in some if is_repeatable(one)]
        dials = sum(_is_unanswered_dial(one) for one in trails)
        self._share = max(LEAST_TRIES, TRIES_PER_SWEEP // max(1, len(trails)))
        self._dials = max(1, min(SILENT_TRIES, DIALS_AT_ONCE // max(1, dials)))

    @property
    def rounds_of_dials(self) -> int:
        """The rounds in which an unanswered dial is compared with another port."""
        return min(ROUNDS, self._dials)

    def tries_of(self, context: TrailContext) -> int:
        """Return how often a conversation through a proxy is repeated."""
        return min(SILENT_TRIES if is_silent(context) else MOST_TRIES, self._share)

    def next_for(self, context: TrailContext) -> ControlPlan | None:
        """Plan the next repeats of a conversation; None where it was repeated often enough, or worked."""
        ran = context.controls(ControlKind.REPEAT)
        dial = _is_unanswered_dial(context.trail)
        most = SILENT_TRIES if is_silent(context) else MOST_TRIES
        left = most - sum(len(one.trails) for one in ran)
        if not is_repeatable(context.trail) or works_sometimes(context) or left < 1 or (ran and not dial):
            return None
        plan = control_for(
            context,
            ControlKind.REPEAT,
            host=context.probe.host,
            protocol=context.probe.protocol,
            why="one failure may be chance; what fails every time is a rule",
        )
        number = f"/{len(ran) + 1}" if ran else ""
        tries = min(left, self._dials if dial else self._share)
        return replace(plan, id=f"{plan.id}{number}", tries=tries, quick=not is_silent(context))


def _repeat_worked(control: Control) -> bool:
    repeated = control.kind is ControlKind.REPEAT
    return repeated and any(one.last is not None and one.last.failure is None for one in control.trails)


def _is_unanswered_dial(trail: Trail) -> bool:
    last = trail.last
    return isinstance(last, TcpObservation) and last.failure is Failure.TIMEOUT


def is_silent(context: TrailContext) -> bool:
    """Whether nothing came, so that a repeat costs a timeout."""
    return context.failing is not None and context.failing.failure is Failure.TIMEOUT


def repeats_ran(context: TrailContext) -> bool:
    """Whether the conversation was repeated."""
    return bool(context.controls(ControlKind.REPEAT))


def is_outage(context: TrailContext) -> bool:
    """Whether nothing of the family ever connected from the source: repeating a few shows it as well."""
    return context.failed_in is Phase.TCP and is_silent(context) and not context.dial_stats.connected
