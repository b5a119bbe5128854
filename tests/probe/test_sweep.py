"""A sweep ends in time, keeps what is complete, and survives a bug in one probe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from egressd.clock import monotonic
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.recording import Control, ProbeRecord, Recording, Trail
from egressd.model.settings import Family, Limits, Source, Trust
from egressd.net.trust import load_trust
from egressd.probe.context import ProbeContext
from egressd.probe.sweep import INTERRUPTED, OUT_OF_TIME, sweep
from tests.attribution.recordings import dns, tcp, trail


def probe(name: str) -> Probe:
    """Return a probe of a host."""
    return Probe(
        id=f"default|tcp://{name}:443/",
        host=name,
        port=443,
        protocol=Protocol.TCP,
        source="default",
        targets=(),
    )


def plan_of(*probes: Probe, limits: Limits | None = None) -> Plan:
    """Return a plan without controls."""
    return Plan(
        region=None,
        cloud="public",
        catalog_revision="test",
        catalog_digest="",
        config_digest="",
        targets=(),
        probes=probes,
        controls=(),
        sources=(Source(name="default"),),
        resolvers=(),
        trust=Trust(),
        limits=limits or Limits(families=(Family.IPV4,)),
    )


async def scripted_probe(one: Probe, context: ProbeContext) -> ProbeRecord:
    """Stand for run_probe: the host's name decides the result."""
    if one.host == "bug.test":
        raise ZeroDivisionError("ours")
    if one.host == "slow.test":
        await asyncio.sleep(30)
    trail = Trail(
        source="default", family=Family.IPV4, address="198.51.100.1", path="direct", observations=()
    )
    return ProbeRecord(probe=one.id, trails=(trail,))


@pytest.fixture(autouse=True)
def _scripted_probes() -> Iterator[None]:
    with patch("egressd.probe.sweep.run_probe", scripted_probe):
        yield


async def run(plan: Plan, *, stop: asyncio.Event | None = None) -> Recording:
    """Sweep a plan without follow-up controls."""
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=())
    return await sweep(
        plan, context, stop=stop or asyncio.Event(), on_done=lambda _: None, plan_followups=lambda _: ()
    )


@pytest.mark.bugs
async def test_a_bug_ends_one_probe_only() -> None:
    """The probe with the bug is recorded as such; the other one is unaffected."""
    recording = await run(plan_of(probe("bug.test"), probe("fine.test")))

    assert recording.records[0].bug == "ZeroDivisionError: ours"
    assert recording.records[1].trails
    assert not recording.interrupted


async def test_stop() -> None:
    """Complete probes keep their trails, the rest is marked `interrupted`."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.2, stop.set)
    began = monotonic()

    recording = await run(plan_of(probe("fine.test"), probe("slow.test")), stop=stop)

    assert monotonic() - began < 5
    assert recording.interrupted
    assert recording.records[0].trails
    assert recording.records[1].skipped == INTERRUPTED


async def test_sweep_deadline() -> None:
    """Running out of time is not an interruption."""
    limits = Limits(sweep_deadline=0.2)

    recording = await run(plan_of(probe("slow.test"), limits=limits))

    assert not recording.interrupted
    assert recording.records[0].skipped == OUT_OF_TIME


async def test_records_keep_the_order_of_the_plan() -> None:
    """Whatever ends first, the recording is in plan order."""
    plan = plan_of(*(probe(f"h{number}.test") for number in range(20)))

    recording = await run(plan)

    assert [one.probe for one in recording.records] == [one.id for one in plan.probes]


async def test_start_delays() -> None:
    """Each probe waits its own delay; others start at once; follow-ups still get their time."""
    begun: dict[str, float] = {}

    async def run_probe(one: Probe, context: ProbeContext) -> ProbeRecord:
        begun[one.host] = monotonic()
        return await scripted_probe(one, context)

    plan = plan_of(probe("a.test"), probe("b.test"), probe("c.test"))
    starts = {plan.probes[1].id: 0.3, plan.probes[2].id: 0.6}
    started = monotonic()
    with patch("egressd.probe.sweep.run_probe", run_probe):
        recording = await sweep(
            plan,
            ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=()),
            stop=asyncio.Event(),
            on_done=lambda _: None,
            plan_followups=lambda _: (),
            starts=starts,
        )
    waited = [begun[name] - started for name in ("a.test", "b.test", "c.test")]
    assert waited[0] < 0.3 <= waited[1] < waited[2]
    assert waited[2] >= 0.6
    assert all(one.trails for one in recording.records)


async def test_followups_are_planned_in_a_thread() -> None:
    """Reading a large recording must not delay the timers of the event loop."""
    asked: list[int] = []
    plan = plan_of(probe("fine.test"))
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=())

    def plan_followups(_: Recording) -> tuple[ControlPlan, ...]:
        asked.append(threading.get_ident())
        return ()

    await sweep(plan, context, stop=asyncio.Event(), on_done=lambda _: None, plan_followups=plan_followups)

    assert len(asked) == 1
    assert threading.get_ident() not in asked


async def test_quick_controls_do_not_wait_for_silent_ones() -> None:
    """What a quick control calls for begins while a patient one of another probe still waits."""
    begun: list[str] = []
    silence = asyncio.Event()

    async def run_control(control: ControlPlan, context: ProbeContext, *, gap: float) -> Control:
        begun.append(control.id)
        if control.id == "patient":
            await silence.wait()
        if control.id == "next":
            silence.set()
        return ended(control)

    def planned(recording: Recording) -> tuple[ControlPlan, ...]:
        known = {one.id for one in recording.controls}
        follows = (repeat("next"),) if "quick" in known else ()
        every = (repeat("quick", quick=True), repeat("patient"), *follows)
        return tuple(one for one in every if one.id not in known)

    plan = plan_of(probe("fine.test"))
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=())
    with patch("egressd.probe.sweep.run_control", run_control):
        recording = await sweep(
            plan, context, stop=asyncio.Event(), on_done=lambda _: None, plan_followups=planned
        )
    assert sorted(begun) == ["next", "patient", "quick"]
    assert {one.id for one in recording.controls} == {"next", "patient", "quick"}


WORKS = trail(dns(), tcp())
NO_ADDRESSES = trail(dns(failure=Failure.NODATA, v6=True), address=None)
NO_ANSWER = trail(dns(failure=Failure.TIMEOUT, v6=True), address=None)


@pytest.mark.parametrize(
    ("trails", "rounds"),
    [((WORKS,), 1), ((WORKS, NO_ADDRESSES), 1), ((NO_ADDRESSES,), 2), ((WORKS, NO_ANSWER), 2)],
    ids=("works", "one-type", "no-type", "no-answer"),
)
async def test_controls_are_planned_again_where_something_failed(
    trails: tuple[Trail, ...], rounds: int
) -> None:
    """That a name has addresses of one type only is no failure."""
    planned: list[int] = []

    async def run_probe(one: Probe, _: ProbeContext) -> ProbeRecord:
        return ProbeRecord(probe=one.id, trails=trails)

    async def run_control(control: ControlPlan, _: ProbeContext, *, gap: float) -> Control:
        return ended(control)

    def plan_followups(seen: Recording) -> tuple[ControlPlan, ...]:
        planned.append(len(seen.controls))
        return (repeat("again", quick=True),)

    plan = plan_of(probe("fine.test"))
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=())
    with (
        patch("egressd.probe.sweep.run_probe", run_probe),
        patch("egressd.probe.sweep.run_control", run_control),
    ):
        await sweep(
            plan, context, stop=asyncio.Event(), on_done=lambda _: None, plan_followups=plan_followups
        )
    assert planned == list(range(rounds))


def ended(control: ControlPlan) -> Control:
    """Return a control that ran, and saw nothing."""
    return Control(
        id=control.id,
        kind=control.kind,
        source=control.source,
        subject=control.subject,
        why="",
        host="",
        address=None,
        port=443,
        trails=(),
    )


def repeat(name: str, *, quick: bool = False) -> ControlPlan:
    """Return a repeat."""
    return ControlPlan(id=name, kind=ControlKind.REPEAT, source="default", why="", quick=quick)
