"""The same world gets the same verdict: swept once, watched, or seen by a daemon that knew it before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.engine.latest import EVIDENCE_INTERVALS
from egressd.engine.session import Session
from egressd.model.endpoint import SampleKind
from egressd.model.observation import Failure, Observation
from egressd.model.plan import ControlKind, ControlPlan, Plan, Probe
from egressd.model.recording import Control, ProbeRecord, Recording, Trail
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep, Verdict
from egressd.wording import stamp
from tests.attribution.recordings import ADDRESS, NOW, Site, dns, good, http, tcp, tls, trail

BEGIN = datetime.fromisoformat(NOW)
INTERVAL = 60.0
NAMES = tuple(f"n{number}.example" for number in range(5))
SLOW = "egressd-probe-1.wild.example"

World = Callable[[str], tuple[Observation, ...]]
"""What a conversation with a name shows."""


def works(name: str) -> tuple[Observation, ...]:
    return dns(name=name), tcp(), tls(sni=name), http()


def resets_all(name: str) -> tuple[Observation, ...]:
    """A device resets every ClientHello."""
    return dns(name=name), tcp(), tls(Failure.RESET, sni=name)


def resets_one(name: str) -> tuple[Observation, ...]:
    """A filter resets one name; others at the address are answered."""
    return resets_all(name) if name == NAMES[0] else works(name)


def drops_syn(name: str) -> tuple[Observation, ...]:
    """Nothing answers at the address."""
    return dns(name=name), tcp(Failure.TIMEOUT)


def planned() -> Plan:
    """Return a plan of names at one address, and of a wildcard that is probed hourly."""
    site = Site()
    for name in NAMES:
        site.add(good(name), host=name)
    site.add(good(SLOW), host=SLOW, pattern="*.wild.example", sample=SampleKind.RANDOM)
    plan = site.recording().plan
    return replace(plan, probes=tuple(replace(one, siblings=()) for one in plan.probes))


class ScriptedSession(Session):
    """A session in a world that is told, at a time that is told."""

    def __init__(self, *, reuse: bool) -> None:
        super().__init__(Settings(interval=INTERVAL), load_catalog(), plan=planned(), reuse=reuse)
        self.world: World = works
        self.seconds = 0.0

    @property
    def now(self) -> str:
        """The time."""
        return stamp(BEGIN + timedelta(seconds=self.seconds))

    async def at(self, seconds: float, world: World, *, without: tuple[str, ...] = ()) -> Sweep:
        """Probe everything but some hosts at a time in a world, and judge."""
        self.seconds, self.world = seconds, world
        probes = tuple(one for one in self.plan.probes if one.host not in without)
        return await self.judge(await self.probe(probes))

    async def _run(
        self,
        part: Plan,
        *,
        starts: Mapping[str, float],
        on_done: Callable[[ProbeRecord], None],
        plan_followups: Callable[[Recording], tuple[ControlPlan, ...]],
    ) -> Recording:
        probes = {one.id: one for one in self.plan.probes}
        records = tuple(self._record(one) for one in part.probes)
        for one in records:
            on_done(one)
        site = Site()
        of = replace(
            site.recording(), plan=part, records=records, id=self.now, started=self.now, finished=self.now
        )
        for _ in range(5):
            fresh = tuple(self._control(one, probes) for one in plan_followups(of))
            if not fresh:
                break
            of = replace(of, controls=(*of.controls, *fresh))
        return of

    def _record(self, probe: Probe) -> ProbeRecord:
        return ProbeRecord(probe=probe.id, trails=(self._trail(probe.host),))

    def _control(self, plan: ControlPlan, probes: Mapping[str, Probe]) -> Control:
        """Run a control: a repeat ends as its subject does, a contrast as the other name does."""
        subject = probes[plan.subject].host if plan.subject else plan.host
        repeats = plan.kind is ControlKind.REPEAT
        shown = self._trail(subject if repeats else plan.host or subject)
        return Control(
            id=plan.id,
            kind=plan.kind,
            source=plan.source,
            subject=plan.subject,
            why=plan.why,
            host=plan.host,
            address=plan.address,
            port=plan.port,
            url=plan.url,
            trails=(shown,) * plan.tries,
            subject_trails=() if repeats else (self._trail(subject),) * plan.tries,
        )

    def _trail(self, name: str) -> Trail:
        seen = (replace(one, started=self.now) for one in self.world(name))
        return trail(*seen)


def claims(sweep: Sweep) -> dict[str, tuple[object, ...]]:
    """Return both claims about each name."""
    return {one.target: _claims(one.verdict) for one in sweep.verdicts if SLOW not in one.target}


def _claims(one: Verdict) -> tuple[object, ...]:
    suspects = tuple(two.blame for two in one.suspects)
    return one.outcome, one.reason, one.confidence, one.blame, one.blame_confidence, suspects


@pytest.mark.parametrize("world", [resets_all, resets_one, drops_syn, works])
async def test_a_daemon_that_knew_better_days_says_what_one_sweep_says(world: World) -> None:
    """What was seen of an hourly row before the fault is no evidence about others after it."""
    once = await ScriptedSession(reuse=False).at(3000.0, world)
    daemon = ScriptedSession(reuse=True)
    await daemon.at(0.0, works)
    await daemon.at(2940.0, works, without=(SLOW,))
    first = await daemon.at(3000.0, world, without=(SLOW,))
    again = await daemon.at(3060.0, world, without=(SLOW,))
    assert claims(first) == claims(once)
    assert claims(again) == claims(once)


@pytest.mark.parametrize("world", [resets_all, resets_one, drops_syn])
async def test_a_watch_that_began_in_the_fault_says_what_one_sweep_says(world: World) -> None:
    """Passes over what fails alone change no claim."""
    once = await ScriptedSession(reuse=False).at(0.0, world)
    watch = ScriptedSession(reuse=True)
    passes = [await watch.at(5.0 * number, world) for number in range(3)]
    assert [claims(one) for one in passes] == [claims(once)] * 3


@pytest.mark.parametrize("world", [resets_all, resets_one, drops_syn])
async def test_no_verdict_rests_on_a_control_of_another_episode(world: World) -> None:
    """Twenty minutes into a fault its controls are two intervals old at most, and the claims are the same."""
    daemon = ScriptedSession(reuse=True)
    first = await daemon.at(0.0, world)
    for minute in range(1, 21):
        sweep = await daemon.at(60.0 * minute, world)
        about = [one for one in sweep.recording.controls if one.kind is ControlKind.REPEAT]
        assert about
        oldest = min(one.trails[0].observations[0].started for one in about)
        assert datetime.fromisoformat(oldest) >= datetime.fromisoformat(daemon.now) - timedelta(
            seconds=EVIDENCE_INTERVALS * INTERVAL
        )
        assert claims(sweep) == claims(first)


async def test_controls_of_what_fails_the_same_way_are_not_repeated_each_sweep() -> None:
    """They are run again when they are too old, and not before."""
    daemon = ScriptedSession(reuse=True)
    await daemon.at(0.0, resets_one)
    began = set()
    for minute in range(1, 13):
        sweep = await daemon.at(60.0 * minute, resets_one)
        began |= {
            one.trails[0].observations[0].started
            for one in sweep.recording.controls
            if one.kind is ControlKind.REPEAT
        }
    assert len(began) <= 12 / EVIDENCE_INTERVALS


SPREAD = {f"m{number}.example": f"20.60.{number}.9" for number in range(30)}
"""Names at addresses of their own."""
BAD = "m17.example"


def works_apart(name: str) -> tuple[Observation, ...]:
    address = SPREAD.get(name, ADDRESS)
    return dns(address, name=name), tcp(address=address), tls(sni=name), http()


class OneDevice(ScriptedSession):
    """A session where a device before one address loses large ClientHellos; an hourly row comes first."""

    def __init__(self) -> None:
        super().__init__(reuse=True)
        site = Site()
        for name in (SLOW, *SPREAD):
            site.add(trail(*works_apart(name)), host=name)
        self.plan = site.recording().plan
        self.sent = 0

    def _control(self, plan: ControlPlan, probes: Mapping[str, Probe]) -> Control:
        control = super()._control(plan, probes)
        if plan.kind is not ControlKind.LARGE_HELLO:
            return control
        self.sent += 1
        cut = tls(Failure.RESET, sni=plan.host)
        lost = replace(cut, hello_bytes=1700, started=self.now)
        if plan.host == BAD:
            dial = control.trails[0].observations[1]
            return replace(control, trails=(trail(dial, lost),) * plan.tries)
        return replace(control, trails=control.trails[:1], subject_trails=())


async def test_large_client_hellos_go_round_the_plan_of_a_daemon() -> None:
    """Two places in each sweep; the one that loses them is found within a round, and stays marked."""
    daemon = OneDevice()
    found: list[int] = []
    for minute in range(40):
        before = daemon.sent
        sweep = await daemon.at(60.0 * minute, works_apart, without=(SLOW,) if minute else ())
        marked = [one.target for one in sweep.verdicts if one.verdict.reason == "tls_large_hello_intolerant"]
        assert marked in ([], [f"row/{BAD}:443"])
        assert found or marked or daemon.sent - before <= 2
        if marked:
            found.append(minute)
    assert found[0] <= 15
    assert found == list(range(found[0], 40))


def test_the_address_is_shared() -> None:
    """The worlds are of names that share an address, or nothing could be compared by mistake."""
    assert {one.remote_address for name in NAMES for one in works(name)[1:2]} == {ADDRESS}  # type: ignore[union-attr]
