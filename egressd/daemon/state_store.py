"""The one place where standings and alerts change: judge, advance, replace the snapshot, save, log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from egressd import clock
from egressd.alerting import active_silences, advance_alerts, silenced_pairs
from egressd.bugs import attempt, report_bug
from egressd.daemon.counters import count_results, reachable_profiles
from egressd.daemon.evaluate import Evaluation, fit_receivers, take_over_alerts
from egressd.daemon.holder import SnapshotHolder
from egressd.engine.session import Session
from egressd.errors import Part
from egressd.log import get_logger
from egressd.model.alert import Alert, Notice, Silence
from egressd.model.catalog import Discovery
from egressd.model.event import Event, SweepFinished, TargetEvent
from egressd.model.plan import Plan
from egressd.model.recording import Recording
from egressd.model.snapshot import Counters, Snapshot, StateStatus
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep
from egressd.notify.wakeup import Wakeup
from egressd.report.summary import count_outcomes, outcomes_of
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.standing.moments import ClockStep, after_step
from egressd.state.silences import SilencesFile

log = get_logger("egressd")

EVALUATE_EVERY = 15.0
"""Seconds between two evaluations of the alerts when no sweep ends."""
SILENCES_EVERY = 2.0
"""Seconds between two checks of the silences file."""


class Keeper(Protocol):
    """Persists what must survive a restart."""

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        """Save all or nothing; a failure is part of the status, never an exception."""
        ...


@dataclass(slots=True, kw_only=True)
class StateStore:
    """Applies results to standings and alerts, one pass at a time, and saves what comes of it."""

    holder: SnapshotHolder
    keeper: Keeper
    on_events: Callable[[tuple[Event, ...]], None]
    """Called with the events of one step, in order, once they are saved."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """Seconds a profile may be offline, by profile."""
    silences: tuple[Silence, ...] = ()
    """Opened by hand."""
    silences_file: SilencesFile | None = None
    """Where they are read from; None: there is no state directory."""
    wakeup: Wakeup = field(default_factory=Wakeup)
    """Wakes the delivery workers whenever something was saved."""
    saved: Snapshot = field(init=False)
    """What is on the disk, or would be if it could be written: only this is delivered."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    _clock: clock.StepWatch = field(default_factory=clock.StepWatch)

    def __post_init__(self) -> None:
        began = self._clock.began
        self._move_moments(lambda: ClockStep.none(began))
        self.saved = self.holder.current

    async def apply(
        self, session: Session, *, of: Recording, probes: frozenset[str], seconds: float | None = None
    ) -> Standings:
        """Judge everything known, and advance the standings of these probes' targets.

        `of` says when and from where; `seconds` how long the sweep took that is complete now. None: it
        was a pass over a few probes.
        """
        async with self.lock:
            plan = session.plan
            sweep = await session.judge(of)
            moment = self._read_clock()
            silences, known = self._active_silences(moment), self.holder.current
            # In a thread: with many targets it takes longer than a scrape of the daemon may wait. What it
            # changes nothing else changes meanwhile, under the lock; deliveries and reloads change the rest.
            found = await asyncio.to_thread(
                _take_in,
                replace(known, plan=plan, sweep=_shown(known, sweep, seconds)),
                sweep,
                now=moment,
                probes=probes,
                silences=silences,
                limits=self.limits,
            )
            before, now = self.holder.current, clock.timestamp(moment)
            counters, changes = found.counted_in(before.counters), found.events
            if seconds is not None:
                changes = (*changes, _finished(sweep, now=now, seconds=seconds))
                counters = _completed(counters, plan, found.standings, now=now, seconds=seconds)
            after = replace(
                before,
                standings=found.standings,
                counters=counters,
                plan=plan,
                sweep=_shown(before, sweep, seconds),
            )
            changes = (*changes, *self._take_over(after, found.advanced, silences))
            await self.record(changes, session.discoveries)
        return found.standings

    async def run(self) -> None:
        """Evaluate the alerts every 15 s, and at once when silences change, until cancelled."""
        evaluated = clock.monotonic()
        while True:
            await asyncio.sleep(SILENCES_EVERY)
            changed = await self.refresh_silences()
            if changed or clock.monotonic() - evaluated >= EVALUATE_EVERY:
                evaluated = clock.monotonic()
                await self.tick()
                self.holder.watchdog.progressed(Part.EVALUATION)

    async def refresh_silences(self) -> bool:
        """Read silences again if their file has changed; return whether they are others now."""
        if self.silences_file is None:
            return False
        if not await asyncio.to_thread(attempt, Part.EVALUATION, False, self.silences_file.refresh):
            return False
        self.silences = self.silences_file.silences
        return True

    def _active_silences(self, moment: datetime) -> tuple[Silence, ...]:
        maintenance = self.holder.current.settings.alerting.maintenance
        return attempt(Part.ALERTS, (), active_silences, maintenance, self.silences, moment)

    async def tick(self) -> None:
        """Evaluate the alerts without a probe: silences, reminders, conditions that have held long enough."""
        async with self.lock:
            moment = self._read_clock()
            before = self.holder.current
            events = await self._advance(self._active_silences(moment), moment)
            after = self.holder.current
            if events or (after.alerts, after.silences) != (before.alerts, before.silences):
                await self.record(events)

    def _read_clock(self) -> datetime:
        """Return the current time; where the clock was set, what is remembered moves with it."""
        began = self._clock.began
        moment, by = self._clock.read()
        if by:
            log.warning("the clock was set", seconds=round(by.total_seconds(), 1))
            self._move_moments(lambda: ClockStep(began=began, before=moment - by, now=moment))
        return moment

    def _move_moments(self, step: Callable[[], ClockStep]) -> None:
        """Make what is remembered go by the clock as it is now."""
        current = self.holder.current
        self.holder.current = attempt(
            Part.STANDINGS, current, lambda: _remembered(self.holder.current, step())
        )

    def adopt(self, snapshot: Snapshot) -> None:
        """Make a snapshot with other settings current, fitted to its receivers."""
        fitted, lost = fit_receivers(snapshot)
        self.holder.current = fitted
        for receiver, count in lost:
            log.warning(
                "notifications for a receiver that is not configured any more are dropped",
                receiver=receiver,
                count=count,
            )

    async def _advance(self, silences: tuple[Silence, ...], moment: datetime) -> tuple[Event, ...]:
        """Advance the alerts, in a thread as well."""
        advanced = await asyncio.to_thread(
            _advanced, self.holder.current, silences, now=moment, limits=self.limits
        )
        return self._take_over(self.holder.current, advanced, silences)

    def _take_over(
        self, snapshot: Snapshot, advanced: _Advanced, silences: tuple[Silence, ...]
    ) -> tuple[Event, ...]:
        """Make a snapshot current together with the alerts it leads to."""
        plain = Evaluation(snapshot=snapshot)
        step = attempt(
            Part.ALERTS, plain, take_over_alerts, snapshot, advanced.alerts, advanced.notices, silences
        )
        known = dict(snapshot.outbox.dropped)
        # The same stays one object: what is written of it, such as the metrics, is written once.
        self.holder.current = snapshot if step.snapshot == snapshot else step.snapshot
        for receiver, count in step.dropped:
            if receiver not in known:  # the first; the next delivery reports how many
                log.error(
                    "the queue of a receiver is full, the least urgent notifications are dropped",
                    receiver=receiver,
                    count=count,
                )
        return step.events

    async def record(self, events: tuple[Event, ...], discoveries: tuple[Discovery, ...] = ()) -> None:
        """Save the current snapshot together with events, then pass the events on."""
        shown = self.holder.current
        status = await self.keeper.save(shown, events, discoveries)
        self.holder.update(state=status)
        self.saved = replace(shown, state=status)
        self.wakeup.wake_all()
        attempt(Part.LOG, None, self.on_events, events)


def _remembered(snapshot: Snapshot, step: ClockStep) -> Snapshot:
    """Return a snapshot with what it remembers by the clock as it is now."""
    return replace(
        snapshot,
        standings=attempt(Part.STANDINGS, snapshot.standings, after_step, snapshot.standings, step),
        alerts=attempt(Part.ALERTS, snapshot.alerts, after_step, snapshot.alerts, step),
        counters=attempt(Part.COUNTERS, snapshot.counters, after_step, snapshot.counters, step),
    )


class _Advanced(Struct, frozen=True, kw_only=True):
    """Alerts at one time, and the notices that are due."""

    alerts: tuple[Alert, ...]
    notices: tuple[Notice, ...] = ()


class _TakenIn(Struct, frozen=True, kw_only=True):
    """What a pass changes."""

    standings: Standings
    events: tuple[Event, ...]
    counted: Counters
    """With the probes of the pass; the rest is as it was when it was taken in."""
    advanced: _Advanced

    def counted_in(self, counters: Counters) -> Counters:
        """Return counters with the probes of the pass."""
        own = self.counted
        return replace(counters, probes=own.probes, failures=own.failures, latency=own.latency)


def _take_in(
    known: Snapshot,
    sweep: Sweep,
    *,
    now: datetime,
    probes: frozenset[str],
    silences: tuple[Silence, ...],
    limits: Mapping[str, float],
) -> _TakenIn:
    """Advance standings and alerts by a pass over these probes, and count it. Runs in a thread.

    `known` has the plan that was probed, and the sweep that is shown from now on.
    """
    rules, plan = known.settings.alerting, sweep.recording.plan
    fresh = pairs_of(plan, probes)
    unchanged: tuple[Standings, tuple[TargetEvent, ...]] = (known.standings, ())
    standings, events = attempt(
        Part.STANDINGS,
        unchanged,
        advance,
        known.standings,
        sweep,
        now=clock.timestamp(now),
        fresh=fresh,
        thresholds=Thresholds(explicit=rules.explicit, silent=rules.silent, better=rules.better),
        flapping=rules.flapping,
        silenced=attempt(Part.ALERTS, frozenset(), silenced_pairs, plan, silences),
        on_bug=report_bug,
    )
    count = partial(count_results, known.counters, sweep, fresh=fresh, probes=probes)
    counted = attempt(Part.COUNTERS, known.counters, count)
    after = replace(known, standings=standings)
    advanced = _advanced(after, silences, now=now, limits=limits)
    return _TakenIn(standings=standings, events=events, counted=counted, advanced=advanced)


def _advanced(
    known: Snapshot, silences: tuple[Silence, ...], *, now: datetime, limits: Mapping[str, float]
) -> _Advanced:
    """Advance the alerts of a snapshot. Runs in a thread."""
    unchanged: tuple[tuple[Alert, ...], tuple[Notice, ...]] = (known.alerts, ())
    alerts, notices = attempt(
        Part.ALERTS,
        unchanged,
        advance_alerts,
        known,
        silences,
        now=now,
        limits=limits,
        on_bug=report_bug,
    )
    return _Advanced(alerts=alerts, notices=notices)


def _shown(before: Snapshot, sweep: Sweep, seconds: float | None) -> Sweep | None:
    """Return the sweep to show: none before the first one is complete."""
    return sweep if seconds is not None or before.sweep is not None else None


def pairs_of(plan: Plan, probes: frozenset[str]) -> frozenset[tuple[str, str]]:
    """Return the targets, with their sources, that probes answer for."""
    mine = (one for one in plan.probes if one.id in probes and not one.contrast)
    return frozenset((target, one.source) for one in mine for target in one.targets)


def _completed(counters: Counters, plan: Plan, standings: Standings, *, now: str, seconds: float) -> Counters:
    return replace(
        counters,
        sweeps=counters.sweeps + 1,
        sweep_seconds=seconds,
        completed=now,
        profiles=attempt(
            Part.COUNTERS,
            counters.profiles,
            reachable_profiles,
            counters.profiles,
            plan,
            standings,
            now=now,
        ),
    )


def _finished(sweep: Sweep, *, now: str, seconds: float) -> SweepFinished:
    return SweepFinished(
        at=now,
        recording=sweep.recording.id,
        started=sweep.recording.started,
        seconds=round(seconds, 3),
        tally=count_outcomes(outcomes_of(sweep).values()),
    )
