"""One pass over a plan: every probe once, then the follow-up controls; a bug ends one probe only."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.bugs import attempt, report_bug
from egressd.clock import monotonic, timestamp
from egressd.errors import Part
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.recording import HOST_PAUSED, Control, ProbeRecord, Recording, Trail
from egressd.model.settings import Limits
from egressd.net.scrub import redact
from egressd.net.sockets.descriptors import allow_descriptors
from egressd.net.vantage import read_vantage
from egressd.probe.budget import Limiter, run_until
from egressd.probe.clock_offset import clock_offset
from egressd.probe.context import ProbeContext
from egressd.probe.controls import run_control
from egressd.probe.controls.rounds import GAP_SECONDS
from egressd.probe.controls.run import CONTROL_TIMEOUT
from egressd.probe.pauses import LEAST
from egressd.probe.run import run_probe

INTERRUPTED = "interrupted"
OUT_OF_TIME = "sweep deadline"
FOLLOWUP_END = 1.15
"""When follow-up controls must be done, as a multiple of the per-probe deadline since the last start."""
FOLLOWUP_LEAST = 1.0
"""The least time for follow-up controls, in seconds."""
STARTS_SHARE = 0.4
"""The share of the time for follow-up controls, less what silence takes, in which the repeats of all probes
start; and that in which all tries of one control do."""
FOLLOWUP_ROUNDS = 5
SOCKETS_PER_PROBE = 4
"""Sockets that a probe may have open at once, for DNS queries or connects."""
BACKSTOP_FACTOR = 1.1
"""A probe that exceeds its deadline by this factor has a bug and is cancelled."""
MOST_RUNS = 3
"""How often a probe or control is run during which this host paused."""
SETTLE = 0.5
"""Seconds after a pause before anything is sent again: the network of a machine that wakes needs a moment."""
ENDED_BY_PEER = frozenset({Failure.NXDOMAIN, Failure.NODATA, Failure.RCODE, Failure.VERIFY, Failure.REFUSED})
"""Failures that say the same however long this host took to read them."""


class SweepRun(Struct, kw_only=True):
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
    """Run the probes and controls of a plan, then follow-up controls.

    `stop` ends the sweep early: what is complete is kept, the rest is marked `interrupted`.
    `plan_followups` returns the follow-up controls that a recording needs; it is called in a thread,
    at most `FOLLOWUP_ROUNDS` times, as a failure may need another control: what fails is repeated before it
    is compared with anything. `starts` maps probe ids to seconds to wait before the probe; other probes start
    at once.
    """
    allow_descriptors(SOCKETS_PER_PROBE * len(plan.probes))
    run = SweepRun(
        context=context, started=timestamp(), began=monotonic(), stop=stop, on_done=on_done, starts=starts
    )
    with context.pauses.watch(plan.limits):
        await _run_planned(run, plan)
        if not stop.is_set():
            async with asyncio.TaskGroup() as group:
                await _follow_up(run, plan, plan_followups, group)
    return await asyncio.to_thread(_record, run, plan, dict(run.controls))  # slow for a large plan


async def _follow_up(
    run: SweepRun,
    plan: Plan,
    plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    group: asyncio.TaskGroup,
) -> None:
    """Plan and start follow-up controls, and plan again once all that began have ended, or all quick ones.

    So what an explicit failure calls for does not wait for what another probe's silence takes.
    """
    begun: dict[str, asyncio.Task[bool]] = {}
    for _ in range(FOLLOWUP_ROUNDS):
        planned = await asyncio.to_thread(  # slow for a large plan
            attempt, Part.FOLLOWUPS, (), _planned, plan_followups, run, plan, dict(run.controls)
        )
        fresh = tuple(one for one in planned if one.id not in begun)
        if run.ended_by or not (fresh or any(not task.done() for task in begun.values())):
            return
        quick = tuple(one for one in fresh if one.quick)
        patient = tuple(one for one in fresh if not one.quick)
        batches = [group.create_task(_run_followups(run, plan, some)) for some in (quick, patient) if some]
        begun |= {one.id: batches[-1] for one in patient} | {one.id: batches[0] for one in quick}
        awaited = batches[:1] if quick else list(begun.values())
        if not all([await task for task in awaited]):
            return
        if all(task.done() for task in begun.values()) and not _has_failure(run, begun):
            return  # only what failed calls for another control


def _has_failure(run: SweepRun, followups: Iterable[str]) -> bool:
    """Whether anything failed, of the probes or of some controls, by id."""
    controls = (run.controls[one].trails for one in followups if one in run.controls)
    records = (one.trails for one in run.records.values())
    return any(map(_failed, chain(records, controls)))


def _failed(trails: Sequence[Trail]) -> bool:
    """Whether a conversation failed; that a name has addresses of one type only is usual."""
    failures = {one.failure for trail in trails for one in trail.observations} - {None}
    one_type = failures == {Failure.NODATA} and any(trail.address is not None for trail in trails)
    return bool(failures) and not one_type


def _planned(
    plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    run: SweepRun,
    plan: Plan,
    controls: Mapping[str, Control],
) -> tuple[ControlPlan, ...]:
    """Plan follow-up controls with those that have ended; of those that still run more come meanwhile."""
    return plan_followups(_record(run, plan, controls))


async def _run_planned(run: SweepRun, plan: Plan) -> None:
    limits, pauses = plan.limits, run.context.pauses
    controls = [_run_guarded_control(run, control) for control in plan.controls]
    work = [*controls, _run_probes(run, plan)]
    if not await run_until(run.stop, work, seconds=limits.sweep_deadline, pauses=pauses):
        run.ended_by = INTERRUPTED if run.stop.is_set() else OUT_OF_TIME


async def _run_probes(run: SweepRun, plan: Plan) -> None:
    """Run probes, each from its start on once a slot is free: of thousands, those that wait take no task."""
    limits, loop = plan.limits, asyncio.get_running_loop()
    limiter = Limiter(limits.concurrency, probes=len(plan.probes), deadline=limits.deadline)
    starts = {one.id: run.starts.get(one.id, 0.0) for one in plan.probes}
    begun = loop.time()
    async with asyncio.TaskGroup() as group:
        for number, probe in enumerate(sorted(plan.probes, key=lambda one: starts[one.id]), 1):
            await _sleep_until(begun + starts[probe.id])
            await limiter.wait()
            group.create_task(_run_guarded(run, probe, limiter))
            if number % limits.concurrency == 0:
                await asyncio.sleep(0)  # they take their slots


async def _sleep_until(moment: float) -> None:
    """Sleep until a moment on the clock of the loop; one that is past takes no turn of it."""
    if (seconds := moment - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(seconds)


async def _run_followups(run: SweepRun, plan: Plan, controls: Iterable[ControlPlan]) -> bool:
    """Run controls in the time that is left; return whether all of them completed.

    What a pause ended was done again after it: the time counts from there.
    """
    pauses = run.context.pauses
    spent = monotonic() - max(run.began, pauses.ended or run.began)
    spread = max(run.starts.values(), default=0.0)
    seconds = max(FOLLOWUP_LEAST, FOLLOWUP_END * plan.limits.deadline + spread - spent)
    if plan.limits.sweep_deadline is not None:
        seconds = min(seconds, max(0.0, plan.limits.sweep_deadline - spent))
    work = _spaced(run, tuple(controls), seconds=seconds)
    in_time = await run_until(run.stop, work, seconds=seconds, pauses=pauses)
    if run.stop.is_set():
        run.ended_by = INTERRUPTED
    return in_time


def _spaced(
    run: SweepRun, controls: tuple[ControlPlan, ...], *, seconds: float
) -> list[Coroutine[object, object, None]]:
    """Return the controls to run, the repeats at intervals: a burst may have caused the failure."""
    repeats = [control.id for control in controls if control.kind is ControlKind.REPEAT]
    spread = STARTS_SHARE * max(0.0, seconds - _silence(run.context.limits))
    between = min(GAP_SECONDS, spread / max(1, len(repeats)))
    starts = {name: between * position for position, name in enumerate(repeats)}
    return [
        _run_guarded_control(
            run, one, after=starts.get(one.id, 0.0), gap=min(GAP_SECONDS, spread / (2 * one.tries))
        )
        for one in controls
    ]


def _silence(limits: Limits) -> float:
    """Return the seconds that a conversation of a control lasts where nothing answers."""
    return min(CONTROL_TIMEOUT, max(limits.connect_timeout, limits.tls_timeout))


async def _run_guarded(run: SweepRun, probe: Probe, limiter: Limiter) -> None:
    """Run one probe, again where this host paused meanwhile: then failures and durations are its own."""
    for number in range(MOST_RUNS):
        begun = monotonic()
        async with limiter.slot():
            record = await _run_once(run, probe)
        if not run.context.pauses.since(begun) or (number > 0 and _works(record)):
            break
        await asyncio.sleep(SETTLE)
    else:
        record = ProbeRecord(probe=probe.id, trails=(), skipped=HOST_PAUSED)
    run.records[probe.id] = record
    if not record.skipped:
        _report(run, probe, record)


async def _run_once(run: SweepRun, probe: Probe) -> ProbeRecord:
    """Run one probe once; a bug ends that probe only."""
    begun = monotonic()
    try:
        async with asyncio.timeout(BACKSTOP_FACTOR * run.context.limits.deadline + 1.0):
            return await run_probe(probe, run.context)
    except Exception as bug:  # noqa: BLE001 - it is reported
        if isinstance(bug, TimeoutError) and run.context.pauses.lost(begun) >= LEAST:
            return ProbeRecord(probe=probe.id, trails=(), skipped=HOST_PAUSED)
        return _ended_by(bug, probe, run)


def _works(record: ProbeRecord) -> bool:
    """Return whether nothing failed that a pause can have ended."""
    ends = [trail.last.failure for trail in record.trails if trail.last is not None]
    return bool(ends) and not record.bug and all(one is None or one in ENDED_BY_PEER for one in ends)


def _report(run: SweepRun, probe: Probe, record: ProbeRecord) -> None:
    """Hand a record on; where it can't be taken in, that is the result."""
    try:
        run.on_done(record)
    except Exception as bug:  # noqa: BLE001 - it is reported: what was recorded can't be taken in
        run.records[probe.id] = ended = _ended_by(bug, probe, run)
        attempt(Part.PROBE, None, run.on_done, ended)


def _ended_by(bug: Exception, probe: Probe, run: SweepRun) -> ProbeRecord:
    """Report a bug, and return the record of the probe that it ended."""
    report_bug(Part.PROBE, bug, probe=probe.id)
    return ProbeRecord(probe=probe.id, trails=(), bug=redact(_describe_bug(bug), run.context.secrets))


async def _run_guarded_control(
    run: SweepRun, control: ControlPlan, *, after: float = 0.0, gap: float = GAP_SECONDS
) -> None:
    """Run one control, unless its result is known already; a bug ends that control only."""
    if after:
        await asyncio.sleep(after)
    known = run.context.control_cache.get(control)
    try:
        result = known or await _run_control_undisturbed(run, control, gap=gap)
        if result is not None:
            run.controls[control.id] = result
        if result is not None and known is None:
            run.context.control_cache.put(result)
    except Exception as bug:  # noqa: BLE001 - it is reported
        report_bug(Part.CONTROL, bug, control=control.id)


async def _run_control_undisturbed(run: SweepRun, control: ControlPlan, *, gap: float) -> Control | None:
    """Run a control, again where this host paused meanwhile; None: it always did, which is no evidence."""
    for _ in range(MOST_RUNS):
        begun = monotonic()
        result = await run_control(control, run.context, gap=gap)
        if not run.context.pauses.since(begun):
            return result
        await asyncio.sleep(SETTLE)
    return None


def _describe_bug(bug: Exception) -> str:
    while isinstance(bug, ExceptionGroup) and bug.exceptions:
        bug = bug.exceptions[0]
    return f"{type(bug).__name__}: {bug}"[:200]


def _record(run: SweepRun, plan: Plan, controls: Mapping[str, Control]) -> Recording:
    """Assemble the recording: one record per probe, in the plan's order, and the controls. In a thread."""
    records = tuple(
        run.records.get(probe.id)
        or ProbeRecord(probe=probe.id, trails=(), skipped=run.ended_by or OUT_OF_TIME)
        for probe in plan.probes
    )
    vantage = read_vantage(plan, run.context.store)
    readings, offset = attempt(Part.PROBE, ((), None), clock_offset, records)
    return Recording(
        id=secrets.token_hex(8),
        started=run.started,
        finished=timestamp(),
        interrupted=run.ended_by == INTERRUPTED,
        plan=plan,
        vantage=replace(vantage, clock_readings=readings, clock_offset_seconds=offset),
        records=records,
        controls=tuple(controls[key] for key in sorted(controls)),
    )
