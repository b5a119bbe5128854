"""What was seen while this host stood still is no evidence: it is seen again, or said to be unknown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.attribution import judge
from egressd.model.observation import DnsObservation, Failure
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.recording import HOST_PAUSED, Control, ProbeRecord, Recording
from egressd.model.settings import Family, Limits, Resolver, Source, Trust
from egressd.model.verdict import Blame, Outcome
from egressd.net import resolve
from egressd.net.trust import load_trust
from egressd.probe import sweep as sweeping
from egressd.probe.context import ProbeContext
from egressd.probe.pauses import LEAST, Pauses
from egressd.probe.sweep import MOST_RUNS, sweep
from tests.attribution.recordings import Site, dns, good, tcp, trail

SITE = Site()
SITE.add(good())
PLAN = replace(SITE.recording().plan, limits=Limits(families=(Family.IPV4,)))
SILENT = trail(dns(), tcp(Failure.TIMEOUT))
WORKS = good()
Pause = Callable[[float], None]


@pytest.fixture(params=["suspended", "migrated"])
def pause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Pause:
    """Let a machine be suspended (CLOCK_BOOTTIME goes on), or be held and set its clock afterwards."""
    away = [0.0]
    if request.param == "suspended":
        monkeypatch.setattr(clock, "elapsed", lambda: clock.monotonic() + away[0])
    else:
        monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=away[0]))

    def add(seconds: float) -> None:
        away[0] += seconds

    return add


async def run(
    monkeypatch: pytest.MonkeyPatch, probe: Callable[[int], ProbeRecord], plan: Plan = PLAN
) -> tuple[Recording, list[ProbeRecord]]:
    """Sweep the plan with a probe that is given the number of its run; return what was reported as well."""
    runs, done = [0], list[ProbeRecord]()

    async def run_probe(_: Probe, context: ProbeContext) -> ProbeRecord:
        runs[0] += 1
        await asyncio.sleep(0.01)
        return probe(runs[0])

    monkeypatch.setattr(sweeping, "run_probe", run_probe)
    monkeypatch.setattr(sweeping, "SETTLE", 0.0)
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=())
    recording = await sweep(
        plan, context, stop=asyncio.Event(), on_done=done.append, plan_followups=lambda _: ()
    )
    return recording, done


def record(*trails: object) -> ProbeRecord:
    """Return the record of the one probe."""
    return ProbeRecord(probe=PLAN.probes[0].id, trails=trails)  # type: ignore[arg-type]  # of Trail


async def test_what_failed_in_a_pause_is_probed_again(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """Only the second run counts, and is reported once."""

    def probe(number: int) -> ProbeRecord:
        if number > 1:
            return record(WORKS)
        pause(4.0)
        return record(SILENT)

    recording, done = await run(monkeypatch, probe)
    assert recording.records == (record(WORKS),)
    assert done == [record(WORKS)]


async def test_a_fault_is_found_after_the_pause(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """What fails without a pause as well is a fault."""

    def probe(number: int) -> ProbeRecord:
        pause(4.0 if number == 1 else 0.0)
        return record(SILENT)

    recording, _ = await run(monkeypatch, probe)
    assert recording.records == (record(SILENT),)


async def test_durations_of_a_pause_are_measured_again(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """A success is probed again once, and then believed."""
    seen: list[int] = []

    def probe(number: int) -> ProbeRecord:
        seen.append(number)
        pause(4.0)
        return record(WORKS)

    recording, _ = await run(monkeypatch, probe)
    assert (recording.records, seen) == ((record(WORKS),), [1, 2])


async def test_a_host_that_always_pauses_blames_nobody(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """The target is unknown, this host is said to be why, and nothing was reported in between."""
    seen: list[int] = []

    def probe(number: int) -> ProbeRecord:
        seen.append(number)
        pause(4.0)
        return record(SILENT)

    recording, done = await run(monkeypatch, probe)
    assert len(seen) == MOST_RUNS
    assert [one.skipped for one in recording.records] == [HOST_PAUSED]
    assert done == []
    (found,) = judge(recording).verdicts
    verdict = found.verdict
    assert (verdict.outcome, verdict.reason, verdict.blame) == (
        Outcome.UNKNOWN,
        "local_paused",
        Blame.LOCAL_HOST,
    )


async def test_a_control_of_a_pause_is_no_evidence(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """It runs again; where every run meets a pause there is no result, rather than a wrong one."""
    control = ControlPlan(id="c", kind=ControlKind.CLOCK, source=PLAN.sources[0].name, why="")
    left, runs = [1], [0]

    async def run_control(one: ControlPlan, _: ProbeContext, *, gap: float) -> Control:
        runs[0] += 1
        await asyncio.sleep(0.01)
        if left[0]:
            left[0] -= 1
            pause(4.0)
        return Control(
            id=one.id,
            kind=one.kind,
            source=one.source,
            subject="",
            why="",
            host="",
            address=None,
            port=1,
            trails=(),
        )

    monkeypatch.setattr(sweeping, "run_control", run_control)
    plan = replace(PLAN, controls=(control,))
    first, _ = await run(monkeypatch, lambda _: record(WORKS), plan)
    left[0] = MOST_RUNS
    second, _ = await run(monkeypatch, lambda _: record(WORKS), plan)
    assert [one.id for one in first.controls] == ["c"]
    assert (second.controls, runs[0]) == ((), 2 + MOST_RUNS)


@pytest.mark.parametrize("step", [-86400.0, -3.0, LEAST / 2])
async def test_a_clock_that_is_set_back_is_no_pause(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """Nor is a small correction."""
    away = [0.0]
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + timedelta(seconds=away[0]))

    def probe(number: int) -> ProbeRecord:
        away[0] = step
        assert number == 1
        return record(SILENT)

    recording, _ = await run(monkeypatch, probe)
    assert recording.records == (record(SILENT),)


async def test_an_answer_of_a_pause_is_not_kept(monkeypatch: pytest.MonkeyPatch, pause: Pause) -> None:
    """Who asks later in the sweep asks the resolver again."""
    asked: list[str] = []

    async def look_up(name: str, *_: object, **__: object) -> DnsObservation:
        asked.append(name)
        await asyncio.sleep(0.01)
        if len(asked) == 1:
            pause(4.0)
            return dns(failure=Failure.TIMEOUT)
        return dns()

    monkeypatch.setattr(resolve, "look_up", look_up)
    context = ProbeContext(plan=PLAN, store=load_trust(Trust()), resolvers=())
    source, resolver = Source(name="x"), Resolver(name="r", address="192.0.2.53")

    async def ask() -> DnsObservation:
        return await context.look_up("a.example", Family.IPV4, resolver=resolver, source=source, timeout=1.0)

    with context.pauses.watch(PLAN.limits):
        answers = [await ask() for _ in range(3)]
    assert [one.failure for one in answers] == [Failure.TIMEOUT, None, None]
    assert len(asked) == 2


@pytest.fixture
def _real_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let egressd read the machine's clocks, where other tests run on time that pauses."""
    monkeypatch.setattr(clock, "time", time)


@pytest.mark.usefixtures("_real_clock")
def test_work_that_holds_the_loop_is_a_pause() -> None:
    """A time limit does not end with it, and a timeout of that time is this host's."""
    found: list[bool] = []

    async def main() -> None:
        pauses = Pauses()
        limits = Limits(connect_timeout=1.0, tls_timeout=1.0, http_timeout=1.0, dns_timeout=1.0)
        with pauses.watch(limits):
            begun = clock.monotonic()
            asyncio.get_running_loop().call_later(0.05, time.sleep, 0.7)
            async with asyncio.timeout(0.5) as limit, pauses.extended(limit):
                await asyncio.sleep(0.4)
                await asyncio.sleep(0.2)
            found.extend((pauses.since(begun), pauses.since(clock.monotonic())))
        assert 0.5 < pauses.lost(begun) < 0.8

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(main())
    assert found == [True, False]


@pytest.mark.usefixtures("_real_clock")
def test_a_starved_loop_counts_as_paused() -> None:
    """Many short pauses add up, where they take most of the time."""

    async def main() -> bool:
        pauses = Pauses()
        with pauses.watch(Limits(dns_timeout=4.0)):
            begun = clock.monotonic()
            for _ in range(8):
                await asyncio.sleep(0.01)
                time.sleep(0.3)  # noqa: ASYNC251 - the point
            return pauses.since(begun)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        assert runner.run(main())
