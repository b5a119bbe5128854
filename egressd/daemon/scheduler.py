"""Sweeps, one after the other, on the grid of the schedule."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from egressd import clock
from egressd.bugs import report_bug, run_again
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.recheck import Recheck
from egressd.daemon.state_store import StateStore
from egressd.engine.schedule import CLEANUP, SLOW_EVERY, SLOW_FAILING_EVERY, answers_for, slow_probes
from egressd.engine.session import Session
from egressd.errors import Part
from egressd.model.event import SweepOverran
from egressd.model.plan import Probe

MARGIN = 30.0
"""Seconds beyond every deadline before the scheduler counts as stalled."""
LATE = 0.5
"""Seconds by which a sweep may be late and still start: a busy host is no overrun."""
REFRESH_EVERY = 3600.0
REFRESH_NEEDS = 8.0
"""Seconds the discovery calls may take; without them before the next sweep, they wait."""


@dataclass(slots=True, kw_only=True)
class Scheduler:
    """The task that sweeps: the session in force, and the place on the grid."""

    holder: SnapshotHolder
    store: StateStore
    session: Session
    recheck: Recheck = field(init=False)
    number: int = 0
    began: float | None = None
    """When sweep 0 started, on the monotonic clock; None: not yet."""
    refreshed: float = 0.0
    next_session: Session | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _slow_last: dict[str, float] = field(default_factory=dict)
    """When each slow probe was last part of a sweep, on the monotonic clock."""

    def __post_init__(self) -> None:
        self.recheck = Recheck(store=self.store, session=lambda: self.session)

    def adopt(self, session: Session, *, hurry: bool) -> None:
        """Put another configuration in force before the next sweep; in a hurry, sweep at once."""
        self.next_session = session
        if hurry:
            self._wake.set()

    async def run(self) -> None:
        """Sweep and recheck until cancelled; a bug ends one sweep or one round of rechecks."""
        keep = partial(run_again, on_restart=self.holder.watchdog.restarted)
        async with asyncio.TaskGroup() as group:
            group.create_task(keep(Part.RECHECKS, self.recheck.run), name="recheck")
            group.create_task(keep(Part.SWEEPS, self._sweep_on), name="sweeps")

    async def _sweep_on(self) -> None:
        """Sweep until cancelled; started again after a bug, go on with the next turn of the grid."""
        if self.began is None:
            await self._pause(self.session.schedule.delay)
            await self._refresh()
            self.began = clock.monotonic()
        else:
            await self._wait_for_next(self.began)
        while True:
            await self._take_over()
            await self._sweep()
            self.holder.watchdog.progressed(Part.SWEEPS)
            await self._refresh_in_time(self.began)
            await self._wait_for_next(self.began)

    async def _sweep(self) -> None:
        schedule = self.session.schedule
        probes = self._due()
        window = schedule.window if self.number else schedule.first_window
        self.holder.watchdog.expect_within(schedule.sweep_deadline + CLEANUP * schedule.deadline + MARGIN)
        started = clock.monotonic()
        recording = await self.session.probe(
            probes,
            starts=schedule.starts(self.session.plan.probes, window=window),
            deadline=schedule.sweep_deadline,
            on_done=self.recheck.note,
        )
        skipped = {one.probe for one in recording.records if one.skipped}
        judged = frozenset(self.recheck.unjudged | skipped)
        self.recheck.mark_judged(judged)
        seconds = clock.monotonic() - started
        standings = await self.store.apply(self.session, of=recording, probes=judged, seconds=seconds)
        if not all(one.settled for one in standings.targets):
            self.recheck.wake()

    def _due(self) -> tuple[Probe, ...]:
        """Return what this sweep probes: everything but slow rows that are not due."""
        plan, now = self.session.plan, clock.monotonic()
        known = self.session.results.records
        down = {one.key for one in self.holder.current.standings.targets if not one.up}
        slow = slow_probes(plan)
        due = tuple(
            one
            for one in plan.probes
            if one.id not in slow or one.id not in known or self._is_slow_due(one, down, now)
        )
        self._slow_last |= {one.id: now for one in due if one.id in slow}
        return due

    def _is_slow_due(self, probe: Probe, down: set[tuple[str, str]], now: float) -> bool:
        waited = now - self._slow_last.get(probe.id, now)
        if answers_for(probe, down):
            return waited >= SLOW_FAILING_EVERY
        turn = self.session.schedule.is_slow_due(probe, self.number)
        return waited >= 2 * SLOW_EVERY or (turn and waited >= SLOW_EVERY / 2)

    async def _wait_for_next(self, began: float) -> None:
        """Wait for the next start on the grid; leave out those that are past, and count them."""
        schedule, elapsed = self.session.schedule, clock.monotonic() - began
        following = self.number + 1
        late = elapsed - schedule.start(following)
        if late > LATE:
            missed = schedule.after(elapsed) - following
            await self._overran(missed)
            following += missed
        if await self._pause(began + schedule.start(following) - clock.monotonic()):
            self.number = following

    async def _overran(self, missed: int) -> None:
        counters = self.holder.current.counters
        self.holder.update(counters=replace(counters, overruns=counters.overruns + missed))
        event = SweepOverran(
            at=clock.timestamp(), seconds=round(counters.sweep_seconds or 0.0, 3), missed=missed
        )
        await self.store.record((event,), self.session.discoveries)

    async def _pause(self, seconds: float) -> bool:
        """Wait; return whether the time is over, and no reload is in a hurry."""
        seconds = max(0.0, seconds)
        self.holder.watchdog.expect_within(seconds + MARGIN)
        self.holder.update(next_sweep=clock.timestamp(clock.now() + timedelta(seconds=seconds)))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return True
        self._wake.clear()
        return False

    async def _refresh(self) -> None:
        self.holder.watchdog.expect_within(REFRESH_NEEDS + MARGIN)
        try:
            await self.session.refresh()
        except Exception as bug:  # noqa: BLE001 - it is reported: the plan and the trust stores stay
            report_bug(Part.DISCOVERY, bug)
        self.refreshed = clock.monotonic()

    async def _refresh_in_time(self, began: float) -> None:
        """Refresh what was discovered, where it does not delay the next sweep."""
        now = clock.monotonic()
        left = began + self.session.schedule.start(self.number + 1) - now
        if now - self.refreshed >= REFRESH_EVERY and left >= min(
            REFRESH_NEEDS, self.session.schedule.interval / 2
        ):
            await self._refresh()

    async def _take_over(self) -> None:
        """Put the next configuration in force; with another schedule the grid starts anew."""
        fresh, self.next_session = self.next_session, None
        if fresh is None:
            return
        async with self.store.lock:
            if fresh.schedule != self.session.schedule:
                self.number, self.began = 0, clock.monotonic()
            fresh.results = self.session.results.within(fresh.plan)
            self.session = fresh
            known = {one.id for one in fresh.plan.probes}
            self.recheck.mark_judged(frozenset(self.recheck.unjudged) - known)
            self._slow_last = {key: at for key, at in self._slow_last.items() if key in known}
