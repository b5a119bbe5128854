"""A simulated network for the scheduler: hosts that fail as set, with set delays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

from msgspec.structs import replace

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.scheduler import Scheduler
from egressd.daemon.state_store import StateStore
from egressd.engine.latest import LatestResults
from egressd.engine.schedule import Schedule
from egressd.engine.session import Session
from egressd.model.catalog import Discovery
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.event import Event, TargetChanged
from egressd.model.observation import Failure, TcpObservation
from egressd.model.plan import ControlPlan, Plan, Probe, Target
from egressd.model.recording import ProbeRecord, Recording, Trail
from egressd.model.settings import Family, Limits, Settings
from egressd.model.snapshot import ConfigStatus, Snapshot, StateStatus
from egressd.model.verdict import Blame, Outcome, SourceVerdict, Sweep, TargetVerdict, Verdict
from egressd.probe.context import ProbeContext
from egressd.probe.control_cache import ControlCache
from tests.standing.sweeps import PLAN, VANTAGE

RTT = 0.05
"""Seconds that an answered probe takes."""


def plan_of(hosts: int, *, slow: int = 0, deadline: float = 20.0) -> Plan:
    """Return a plan of hosts, and of some wildcards with a random label."""
    names = [f"h{number}" for number in range(hosts)]
    rules = [f"w{number}" for number in range(slow)]
    return replace(
        PLAN,
        limits=Limits(deadline=deadline),
        targets=tuple(
            _target(name, SampleKind.RANDOM if name in rules else SampleKind.EXACT)
            for name in (*names, *rules)
        ),
        probes=tuple(_probe(name) for name in (*names, *rules)),
    )


def _target(name: str, kind: SampleKind) -> Target:
    return Target(
        id=f"row/{name}:443",
        endpoint="row",
        profiles=("bridge",),
        service="",
        pattern=name,
        sample=kind,
        host=name,
        port=443,
        protocol=Protocol.TCP,
        need=Need.REQUIRED,
    )


def _probe(name: str) -> Probe:
    return Probe(
        id=f"default|tcp://{name}:443",
        host=name,
        port=443,
        protocol=Protocol.TCP,
        source="default",
        targets=(f"row/{name}:443",),
    )


@dataclass
class SimulatedNetwork:
    """The current faults, and every probe that was run."""

    down: dict[str, str] = field(default_factory=dict)
    """Failing hosts: `refused` at once, `timeout` at the deadline."""
    probed: list[tuple[float, str]] = field(default_factory=list)
    """Time and host of each probe."""
    running: int = 0
    most_running: int = 0


class FakeSession(Session):
    """A session on the simulated network."""

    def __init__(self, network: SimulatedNetwork, settings: Settings, *, plan: Plan, identity: str) -> None:
        self.network = network
        self.settings = settings
        self.plan = plan
        self.schedule = Schedule.of(settings, identity)
        self.discoveries = ()
        self.context = cast(ProbeContext, SimpleNamespace(control_cache=ControlCache()))
        self.results = LatestResults()
        self.refreshes: list[float] = []
        self.hung: asyncio.Event | None = None
        """An event that a sweep waits for before it ends."""

    async def refresh(self) -> None:
        self.refreshes.append(clock.monotonic())

    async def _run(
        self,
        part: Plan,
        *,
        starts: Mapping[str, float],
        on_done: Callable[[ProbeRecord], None],
        plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    ) -> Recording:
        whole_sweep = bool(starts)
        self.network.running += whole_sweep
        self.network.most_running = max(self.network.most_running, self.network.running)
        started = clock.timestamp()
        records: dict[str, ProbeRecord] = {}

        async def one(probe: Probe) -> None:
            await asyncio.sleep(starts.get(probe.id, 0.0))
            self.network.probed.append((clock.monotonic(), probe.host))
            how = self.network.down.get(probe.host)
            await asyncio.sleep(self.schedule.deadline if how == "timeout" else RTT)
            records[probe.id] = ProbeRecord(probe=probe.id, trails=(trail_of(how),))
            on_done(records[probe.id])

        try:
            async with asyncio.TaskGroup() as group:
                for probe in part.probes:
                    group.create_task(one(probe))
            if self.hung is not None:
                await self.hung.wait()
        finally:
            self.network.running -= whole_sweep
        return Recording(
            id=f"r{len(self.network.probed)}",
            started=started,
            finished=clock.timestamp(),
            interrupted=False,
            plan=part,
            vantage=VANTAGE,
            records=tuple(records[probe.id] for probe in part.probes),
        )

    async def judge(self, of: Recording) -> Sweep:
        recording = self.results.recording(self.plan, of)
        records = {one.probe: one for one in recording.records}
        verdicts = []
        for probe in recording.plan.probes:
            verdict = _verdict(records[probe.id])
            seen = SourceVerdict(source=probe.source, verdict=verdict)
            verdicts.append(TargetVerdict(target=probe.targets[0], verdict=verdict, by_source=(seen,)))
        return Sweep(recording=recording, verdicts=tuple(verdicts), findings=())


def trail_of(how: str | None) -> Trail:
    """Return the trail of a connection that failed in this way; None means success."""
    dial = TcpObservation(
        started=clock.timestamp(),
        elapsed_ms=50.0,
        remote_address="203.0.113.9",
        remote_port=443,
        failure=Failure(how) if how else None,
    )
    return Trail(
        source="default", family=Family.IPV4, address="203.0.113.9", path="direct", observations=(dial,)
    )


def _verdict(record: ProbeRecord) -> Verdict:
    if not record.trails:
        return Verdict(outcome=Outcome.UNKNOWN, reason="not_probed", blame=Blame.EGRESSD_ENV)
    last = record.trails[0].last
    if last is None or last.failure is None:
        return Verdict(outcome=Outcome.OK)
    return Verdict(
        outcome=Outcome.BLOCKED, phase=last.phase, reason=f"tcp_{last.failure}", evidence=("a line",)
    )


@dataclass
class FakeKeeper:
    """Keeps events in a list."""

    saved: list[Event] = field(default_factory=list)

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        self.saved += events
        return StateStatus()


@dataclass
class SchedulerSimulation:
    """A scheduler on the simulated network."""

    network: SimulatedNetwork
    session: FakeSession
    holder: SnapshotHolder
    scheduler: Scheduler
    events: list[Event]

    @property
    def changes(self) -> list[TargetChanged]:
        """The confirmed changes so far."""
        return [one for one in self.events if isinstance(one, TargetChanged)]

    def times_probed(self, host: str) -> list[float]:
        """The times at which a host was probed."""
        return [when for when, name in self.network.probed if name == host]


def make_simulation(
    *, hosts: int = 20, slow: int = 0, interval: float = 60.0, deadline: float = 20.0, identity: str = "here"
) -> SchedulerSimulation:
    """Return a scheduler on a simulated network; call it inside the loop."""
    settings = Settings(interval=interval, limits=Limits(deadline=deadline))
    network, events = SimulatedNetwork(), list[Event]()
    plan = plan_of(hosts, slow=slow, deadline=deadline)
    session = FakeSession(network, settings, plan=plan, identity=identity)
    now = clock.timestamp()
    snapshot = Snapshot(settings=settings, config=ConfigStatus(digest="", since=now), started=now)
    holder = SnapshotHolder(snapshot)
    store = StateStore(holder=holder, keeper=FakeKeeper(), on_events=events.extend)
    scheduler = Scheduler(holder=holder, store=store, session=session)
    return SchedulerSimulation(
        network=network, session=session, holder=holder, scheduler=scheduler, events=events
    )
