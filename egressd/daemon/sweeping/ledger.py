"""The one place where what is believed changes: judge, advance, put on the board, save, tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from egressd import clock
from egressd.daemon.snapshot import Board
from egressd.daemon.sweeping.counting import count_look, reachable_profiles
from egressd.daemon.sweeping.picture import Picture
from egressd.daemon.sweeping.prober import Prober
from egressd.model.catalog import Discovery
from egressd.model.event import Event, SweepFinished
from egressd.model.plan import Plan
from egressd.model.recording import Recording
from egressd.model.snapshot import Counters, Snapshot, StateStatus
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep
from egressd.report.summary import outcomes_of, tally
from egressd.standing import advance


class Keeper(Protocol):
    """Who keeps things over a restart."""

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        """Save all or nothing; a failure is part of the status, never an exception."""
        ...


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Where looks are taken in, one at a time."""

    board: Board
    keeper: Keeper
    tell: Callable[[Event], None]
    """Told of every event, in order, once it is saved."""
    picture: Picture = field(default_factory=Picture)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take_in(
        self, prober: Prober, *, of: Recording, probes: frozenset[str], seconds: float | None = None
    ) -> Standings:
        """Judge the picture, and believe what it says of these probes' targets.

        `of` says when and from where; `seconds` how long the sweep took that is complete now. None: it
        was a look at a few.
        """
        async with self.turn:
            plan = prober.plan
            sweep = await prober.judge(self.picture.recording(plan, of))
            now = clock.timestamp()
            before = self.board.current
            fresh = pairs_of(plan, probes)
            standings, events = advance(before.standings, sweep, now=now, fresh=fresh)
            counters = count_look(before.counters, sweep, fresh=fresh, probes=probes)
            told: tuple[Event, ...] = events
            if seconds is not None:
                told = (*events, _finished(sweep, now=now, seconds=seconds))
                counters = _completed(counters, plan, standings, now=now, seconds=seconds)
            shown = sweep if seconds is not None or before.sweep is not None else None
            self.board.put(standings=standings, counters=counters, plan=plan, sweep=shown)
            await self.record(told, prober.discoveries)
        return standings

    async def record(self, events: tuple[Event, ...], discoveries: tuple[Discovery, ...] = ()) -> None:
        """Save what the board shows together with events, then tell them."""
        status = await self.keeper.save(self.board.current, events, discoveries)
        self.board.put(state=status)
        for one in events:
            self.tell(one)


def pairs_of(plan: Plan, probes: frozenset[str]) -> frozenset[tuple[str, str]]:
    """Return the targets and sources that probes speak for."""
    mine = (one for one in plan.probes if one.id in probes and not one.contrast)
    return frozenset((target, one.source) for one in mine for target in one.targets)


def _completed(counters: Counters, plan: Plan, standings: Standings, *, now: str, seconds: float) -> Counters:
    return replace(
        counters,
        sweeps=counters.sweeps + 1,
        sweep_seconds=seconds,
        completed=now,
        profiles=reachable_profiles(counters.profiles, plan, standings, now=now),
    )


def _finished(sweep: Sweep, *, now: str, seconds: float) -> SweepFinished:
    return SweepFinished(
        at=now,
        recording=sweep.recording.id,
        started=sweep.recording.started,
        seconds=round(seconds, 3),
        tally=tally(outcomes_of(sweep).values()),
    )
