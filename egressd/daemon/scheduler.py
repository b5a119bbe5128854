"""The scheduler: whole sweeps, one after the other, on the grid of the rhythm."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from egressd import clock
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.recheck import Recheck
from egressd.daemon.state_store import StateStore
from egressd.daemon.sweeping.prober import Prober
from egressd.daemon.sweeping.rhythm import CLEANUP, SLOW_EVERY, SLOW_FAILING_EVERY, slow_probes
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
    """What is in force, and where on the grid we are."""

    holder: SnapshotHolder
    store: StateStore
    prober: Prober
    recheck: Recheck = field(init=False)
    number: int = 0
    began: float = 0.0
    """When sweep 0 started, on the monotonic clock."""
    refreshed: float = 0.0
    next_prober: Prober | None = None
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _looked: dict[str, float] = field(default_factory=dict)
    """When each slow probe was last part of a sweep."""

    def __post_init__(self) -> None:
        self.recheck = Recheck(store=self.store, prober=lambda: self.prober)

    def adopt(self, prober: Prober, *, hurry: bool) -> None:
        """Put another configuration in force before the next sweep; in a hurry, that is made at once."""
        self.next_prober = prober
        if hurry:
            self._wake.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recheck.run(), name="recheck")
            await self._pause(self.prober.rhythm.delay)
            await self._refresh()
            self.began = clock.monotonic()
            while True:
                await self._take_over()
                await self._sweep()
                await self._refresh_in_time()
                await self._wait_for_next()

    async def _sweep(self) -> None:
        rhythm = self.prober.rhythm
        probes = self._due()
        window = rhythm.window if self.number else rhythm.first_window
        self.holder.watchdog.expect_within(rhythm.sweep_deadline + CLEANUP * rhythm.deadline + MARGIN)
        started = clock.monotonic()
        recording = await self.prober.look(
            probes,
            starts=rhythm.starts(probes, window=window),
            on_done=self.recheck.see,
            whole=partial(self.store.picture.recording, self.prober.plan),
        )
        self.store.picture.take_rest(recording)
        skipped = {one.probe for one in recording.records if one.skipped}
        judged = frozenset(self.recheck.unjudged | skipped)
        self.recheck.judged(judged)
        seconds = clock.monotonic() - started
        standings = await self.store.apply(self.prober, of=recording, probes=judged, seconds=seconds)
        if not all(one.settled for one in standings.targets):
            self.recheck.look_again()

    def _due(self) -> tuple[Probe, ...]:
        """Return what this sweep probes: everything but the slow rows whose turn it is not."""
        plan, now = self.prober.plan, clock.monotonic()
        known = self.store.picture.records
        down = {one.key for one in self.holder.current.standings.targets if not one.up}
        slow = slow_probes(plan)
        due = tuple(
            one
            for one in plan.probes
            if one.id not in slow or one.id not in known or self._is_slow_due(one, down, now)
        )
        self._looked |= {one.id: now for one in due if one.id in slow}
        return due

    def _is_slow_due(self, probe: Probe, down: set[tuple[str, str]], now: float) -> bool:
        waited = now - self._looked.get(probe.id, now)
        if any((target, probe.source) in down for target in probe.targets):
            return waited >= SLOW_FAILING_EVERY
        turn = self.prober.rhythm.is_slow_due(probe, self.number)
        return waited >= 2 * SLOW_EVERY or (turn and waited >= SLOW_EVERY / 2)

    async def _wait_for_next(self) -> None:
        """Wait for the next start on the grid; leave out those that are past, and count them."""
        rhythm, elapsed = self.prober.rhythm, clock.monotonic() - self.began
        following = self.number + 1
        late = elapsed - rhythm.start(following)
        if late > LATE:
            missed = rhythm.after(elapsed) - following
            await self._overran(missed)
            following += missed
        if await self._pause(self.began + rhythm.start(following) - clock.monotonic()):
            self.number = following

    async def _overran(self, missed: int) -> None:
        counters = self.holder.current.counters
        self.holder.update(counters=replace(counters, overruns=counters.overruns + missed))
        event = SweepOverran(
            at=clock.timestamp(), seconds=round(counters.sweep_seconds or 0.0, 3), missed=missed
        )
        await self.store.record((event,), self.prober.discoveries)

    async def _pause(self, seconds: float) -> bool:
        """Wait; return whether the time is over, and not somebody in a hurry."""
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
        await self.prober.refresh()
        self.refreshed = clock.monotonic()

    async def _refresh_in_time(self) -> None:
        """Refresh what was discovered, where it does not delay the next sweep."""
        now = clock.monotonic()
        left = self.began + self.prober.rhythm.start(self.number + 1) - now
        if now - self.refreshed >= REFRESH_EVERY and left >= min(
            REFRESH_NEEDS, self.prober.rhythm.interval / 2
        ):
            await self._refresh()

    async def _take_over(self) -> None:
        """Put the next configuration in force; with another rhythm the grid starts anew."""
        fresh, self.next_prober = self.next_prober, None
        if fresh is None:
            return
        async with self.store.turn:
            if fresh.rhythm != self.prober.rhythm:
                self.number, self.began = 0, clock.monotonic()
            self.prober = fresh
            self.store.picture.keep_to(fresh.plan)
            self.recheck.judged(frozenset(self.recheck.unjudged) - {one.id for one in fresh.plan.probes})
            known = {one.id for one in fresh.plan.probes}
            self._looked = {key: at for key, at in self._looked.items() if key in known}
