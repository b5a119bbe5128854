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
from egressd.net.scrub import redact
from egressd.net.sockets.descriptors import allow_descriptors
from egressd.net.vantage import read_vantage
from egressd.probe.budget import Limiter, run_until
from egressd.probe.clock_offset import clock_offset
from egressd.probe.context import ProbeContext
from egressd.probe.controls import run_control
from egressd.probe.run import run_probe

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
"""What a probe may hold at once: a few queries, or a few dials."""
BACKSTOP = 1.1
"""A probe that outlives its deadline by this factor is a bug of ours, and is ended."""

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class SweepRun:
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
    plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    starts: Mapping[str, float] = MappingProxyType({}),
) -> Recording:
    """Run a plan and the controls its outcome calls for.

    `stop` ends the sweep early: what is complete is kept, the rest is marked `interrupted`.
    `plan_followups` says, from the recording, which follow-up controls to run; it is asked `ROUNDS` times,
    because an answer may open the next question, and in a thread. `starts` gives, by probe id,
    the seconds to wait before a probe; those it does not name start at once.
    """
    allow_descriptors(SOCKETS_PER_PROBE * len(plan.probes))
    one = SweepRun(
        context=context, started=timestamp(), began=monotonic(), stop=stop, on_done=on_done, starts=starts
    )
    await _first_pass(one, plan)
    recording = _record(one, plan)
    if stop.is_set():
        return recording
    for _ in range(ROUNDS):
        asked = await asyncio.to_thread(plan_followups, recording)  # a large plan takes a while to read
        if not asked or one.ended_by:
            break
        in_time = await _follow_up(one, plan, asked)
        recording = _record(one, plan)
        if not in_time:
            break
    return recording


async def _first_pass(one: SweepRun, plan: Plan) -> None:
    limits = plan.limits
    limiter = Limiter(limits.concurrency, probes=len(plan.probes), deadline=limits.deadline)
    controls = [_control(one, control) for control in plan.controls]
    probes = [_guarded(one, probe, limiter) for probe in plan.probes]
    if not await run_until(one.stop, [*controls, *probes], seconds=limits.sweep_deadline):
        one.ended_by = INTERRUPTED if one.stop.is_set() else OUT_OF_TIME


async def _follow_up(one: SweepRun, plan: Plan, controls: Iterable[ControlPlan]) -> bool:
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
    one: SweepRun, controls: Iterable[ControlPlan], *, seconds: float
) -> list[Coroutine[object, object, None]]:
    """Return the controls, the repeats among them one after another: a burst may be what was too much."""
    planned = tuple(controls)
    turns = {control.id: n for n, control in enumerate(it for it in planned if it.kind is ControlKind.REPEAT)}
    gap = min(REPEAT_GAP, REPEAT_SHARE * seconds / max(1, len(turns)))
    return [_control(one, control, after=gap * turns.get(control.id, 0)) for control in planned]


async def _guarded(one: SweepRun, probe: Probe, limiter: Limiter) -> None:
    """Run one probe; a bug of ours ends that probe alone."""
    await asyncio.sleep(one.starts.get(probe.id, 0.0))
    async with limiter.slot():
        try:
            async with asyncio.timeout(BACKSTOP * one.context.limits.deadline + 1.0):
                record = await run_probe(probe, one.context)
        except Exception as bug:
            log.exception("probe ended by our own bug", probe=probe.id)
            record = ProbeRecord(probe=probe.id, trails=(), bug=redact(_name_bug(bug), one.context.secrets))
    one.records[probe.id] = record
    one.on_done(record)


async def _control(one: SweepRun, control: ControlPlan, *, after: float = 0.0) -> None:
    await asyncio.sleep(after)
    control_cache = one.context.control_cache
    try:
        answer = control_cache.get(control) or await run_control(control, one.context)
        one.controls[control.id] = answer
        control_cache.put(answer)
    except Exception:
        log.exception("control ended by our own bug", control=control.id)


def _name_bug(bug: Exception) -> str:
    while isinstance(bug, ExceptionGroup) and bug.exceptions:
        bug = bug.exceptions[0]
    return f"{type(bug).__name__}: {bug}"[:200]


def _record(one: SweepRun, plan: Plan) -> Recording:
    """Assemble the recording: one record per probe and the controls, in the plan's order."""
    records = tuple(
        one.records.get(probe.id)
        or ProbeRecord(probe=probe.id, trails=(), skipped=one.ended_by or OUT_OF_TIME)
        for probe in plan.probes
    )
    vantage = read_vantage(plan, one.context.store)
    readings, offset = clock_offset(records)
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
