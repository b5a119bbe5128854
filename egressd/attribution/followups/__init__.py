"""Follow-up controls: what to run before judging, where a failure has several explanations.

Where controls are handled:

    planned    base controls        egressd/planning/controls.py
               follow-up controls   egressd/attribution/followups/
    routed     proxy, connect_to    egressd/planning/probes.py
    run        sockets              egressd/probe/controls/
    read       facts                egressd/attribution/control_results/, facts/sweep_index.py
               reason codes         egressd/attribution/rules/, detectors/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import partial

from msgspec.structs import replace

from egressd.attribution.control_results.client_hello import EXPECTED_TO_WORK
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.followups.failure import PER_PROBE, PER_SWEEP, failure_controls
from egressd.attribution.followups.http import redirect_controls
from egressd.attribution.followups.sampling import hello_controls, revocation_controls
from egressd.attribution.isolation import index_recording
from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Recording

HELLO_ROUNDS = 5
"""No repeats came before, so that more rounds are needed to exclude chance."""

SAMPLED = EXPECTED_TO_WORK | {ControlKind.REVOCATION}
"""Kinds that need no new result of their probe to be due: they go round the plan, or are due when too old."""

__all__ = ["PER_PROBE", "PER_SWEEP", "SAMPLED", "plan_followups"]


def plan_followups(
    recording: Recording, *, probed: AbstractSet[str] | None = None, on_bug: OnBug = raise_bug
) -> tuple[ControlPlan, ...]:
    """Return the controls that are worth running now; none of those that ran already and are still fresh.

    `probed` are the probes of the running pass, where others are known from before; None: all are of it.
    A kind of controls whose planning has a bug is left out.
    """
    return isolate(Part.FOLLOWUPS, on_bug, lambda: _plan(recording, probed, on_bug), lambda _: ())


def _plan(recording: Recording, probed: AbstractSet[str] | None, on_bug: OnBug) -> tuple[ControlPlan, ...]:
    index = index_recording(recording, part=Part.FOLLOWUPS, on_bug=on_bug)
    done = {one.id for one in recording.controls}
    try:
        found = tuple(_wanted(index, probed, done, on_bug))
    finally:
        # Contexts in it refer back to it: the whole recording would wait for the garbage collector.
        index.known.clear()
    return tuple({one.id: _paced(one) for one in found}.values())


def _wanted(
    index: SweepIndex, probed: AbstractSet[str] | None, done: AbstractSet[str], on_bug: OnBug
) -> Iterator[ControlPlan]:
    def planned(plan: Callable[[], Iterable[ControlPlan]]) -> tuple[ControlPlan, ...]:
        return isolate(Part.FOLLOWUPS, on_bug, lambda: tuple(plan()), lambda _: ())

    for plan in (
        partial(failure_controls, index, on_bug=on_bug),
        partial(revocation_controls, index, probed),
        partial(redirect_controls, index),
    ):
        yield from (one for one in planned(plan) if one.id not in done)
    yield from planned(lambda: hello_controls(index, probed))


def _paced(one: ControlPlan) -> ControlPlan:
    """Let a ClientHello that is lost alternate with the usual one."""
    if one.kind in EXPECTED_TO_WORK and one.max_segment is None and one.tries == 1:
        return replace(one, tries=HELLO_ROUNDS)
    return one
