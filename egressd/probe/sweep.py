"""One pass over a plan: every probe once, within limits, whatever happens to one of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import structlog

from egressd.clock import monotonic, timestamp
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.recording import Control, ProbeRecord, Recording
from egressd.net.descriptors import allow_descriptors
from egressd.net.vantage import survey
from egressd.net.wire.scrub import redact
from egressd.probe.budget import Slots, run_until
from egressd.probe.context import ProbeContext
from egressd.probe.controls import run_control
from egressd.probe.timekeeping import clock_of
from egressd.probe.walk import walk

INTERRUPTED = "interrupted"
OUT_OF_TIME = "sweep deadline"
CONTROLS_END = 1.15
"""When follow-up controls must be done, as a multiple of the per-probe deadline since the last start."""
CONTROLS_LEAST = 1.0
"""Seconds that follow-up controls get even so."""
REPEAT_GAP = 0.2
"""Seconds from one repeat to the next, where there is time."""
REPEAT_SHARE = 0.4
"""The share of the time for follow-up controls in which the repeats begin."""
ROUNDS = 2
SOCKETS_PER_PROBE = 4
"""What a probe may hold at once: a few questions, or a few dials."""
BACKSTOP = 1.1
"""A probe that outlives its deadline by this factor is a bug of ours, and is ended."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Pass:
    """The state of one sweep while it runs."""

    context: ProbeContext
    started: str
    began: float
    stop: asyncio.Event
    on_done: Callable[[ProbeRecord], None]
    starts: Mapping[str, float]
    records: dict[str, ProbeRecord] = field(default_factory=dict)
    controls: dict[str, Control] = field(default_factory=dict)
    ended_by: str = ""


async def sweep(
    plan: Plan,
    context: ProbeContext,
    *,
    stop: asyncio.Event,
    on_done: Callable[[ProbeRecord], None],
    questions: Callable[[Recording], tuple[ControlPlan, ...]],
    starts: Mapping[str, float] = MappingProxyType({}),
) -> Recording:
    """Run a plan and the controls its outcome calls for.

    `stop` ends the sweep early: what is complete is kept, the rest is marked `interrupted`.
    `questions` says, from the recording, which follow-up controls to run; it is asked `ROUNDS` times,
    because an answer may open the next question, and in a thread. `starts` gives, by probe id,
    the seconds to wait before a probe; those it does not name start at once.
    """
    allow_descriptors(SOCKETS_PER_PROBE * len(plan.probes))
    one = Pass(
        context=context, started=timestamp(), began=monotonic(), stop=stop, on_done=on_done, starts=starts
    )
    await _first_pass(one, plan)
    recording = _record(one, plan)
    if stop.is_set():
        return recording
    for _ in range(ROUNDS):
        asked = await asyncio.to_thread(questions, recording)  # a large plan takes a while to read
        if not asked or one.ended_by:
            break
        in_time = await _follow_up(one, plan, asked)
        recording = _record(one, plan)
        if not in_time:
            break
    return recording


async def _first_pass(one: Pass, plan: Plan) -> None:
    limits = plan.limits
    slots = Slots(limits.concurrency, probes=len(plan.probes), deadline=limits.deadline)
    controls = [_control(one, control) for control in plan.controls]
    probes = [_guarded(one, probe, slots) for probe in plan.probes]
    if not await run_until(one.stop, [*controls, *probes], seconds=limits.sweep_deadline):
        one.ended_by = INTERRUPTED if one.stop.is_set() else OUT_OF_TIME


async def _follow_up(one: Pass, plan: Plan, controls: Iterable[ControlPlan]) -> bool:
    """Run controls in what is left of the time; return whether they came to their end."""
    spent = monotonic() - one.began
    spread = max(one.starts.values(), default=0.0)
    seconds = max(CONTROLS_LEAST, CONTROLS_END * plan.limits.deadline + spread - spent)
    if plan.limits.sweep_deadline is not None:
        seconds = min(seconds, max(0.0, plan.limits.sweep_deadline - spent))
    in_time = await run_until(one.stop, _paced(one, controls, seconds=seconds), seconds=seconds)
    if one.stop.is_set():
        one.ended_by = INTERRUPTED
    return in_time


def _paced(
    one: Pass, controls: Iterable[ControlPlan], *, seconds: float
) -> list[Coroutine[object, object, None]]:
    """Return the controls, the repeats among them one after another: a burst may be what was too much."""
    planned = tuple(controls)
    turns = {control.id: n for n, control in enumerate(it for it in planned if it.kind is ControlKind.REPEAT)}
    gap = min(REPEAT_GAP, REPEAT_SHARE * seconds / max(1, len(turns)))
    return [_control(one, control, after=gap * turns.get(control.id, 0)) for control in planned]


async def _guarded(one: Pass, probe: Probe, slots: Slots) -> None:
    """Walk one probe; a bug of ours ends that probe alone."""
    await asyncio.sleep(one.starts.get(probe.id, 0.0))
    async with slots.turn():
        try:
            async with asyncio.timeout(BACKSTOP * one.context.limits.deadline + 1.0):
                record = await walk(probe, one.context)
        except Exception as bug:
            log.exception("probe ended by our own bug", probe=probe.id)
            record = ProbeRecord(probe=probe.id, trails=(), bug=redact(_name_bug(bug), one.context.secrets))
    one.records[probe.id] = record
    one.on_done(record)


async def _control(one: Pass, control: ControlPlan, *, after: float = 0.0) -> None:
    await asyncio.sleep(after)
    recent = one.context.recent
    try:
        answer = recent.recall(control) or await run_control(control, one.context)
        one.controls[control.id] = answer
        recent.keep(answer)
    except Exception:
        log.exception("control ended by our own bug", control=control.id)


def _name_bug(bug: Exception) -> str:
    while isinstance(bug, ExceptionGroup) and bug.exceptions:
        bug = bug.exceptions[0]
    return f"{type(bug).__name__}: {bug}"[:200]


def _record(one: Pass, plan: Plan) -> Recording:
    """Assemble the recording: one record per probe and the controls, in the plan's order."""
    records = tuple(
        one.records.get(probe.id)
        or ProbeRecord(probe=probe.id, trails=(), skipped=one.ended_by or OUT_OF_TIME)
        for probe in plan.probes
    )
    vantage = survey(plan, one.context.store)
    readings, offset = clock_of(records)
    return Recording(
        id=secrets.token_hex(8),
        started=one.started,
        finished=timestamp(),
        interrupted=one.ended_by == INTERRUPTED,
        plan=plan,
        vantage=replace(vantage, clock_readings=readings, clock_offset_seconds=offset),
        records=records,
        controls=tuple(one.controls[key] for key in sorted(one.controls)),
    )
