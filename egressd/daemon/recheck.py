"""Rechecks: a changed verdict is confirmed within seconds, not after three intervals.

Beside a lone suspect a few probes that are ok run as well: is it the target, or is it all of them? As soon as
several hosts are suspect everything is probed, so that the right cause is named.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from itertools import islice

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.daemon.state_store import StateStore
from egressd.engine.latest import RecordChange
from egressd.engine.schedule import GAP, SETTLE, Schedule, answers_for, share, slow_probes
from egressd.engine.session import Session
from egressd.errors import Part
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord
from egressd.model.standing import Lifecycle, Standings

MANY = 4
"""Suspect hosts from which on it may be everything."""
WITNESSES = 3
MAX_ROUNDS = 5
"""Rechecks in a row at most; a target that does not settle waits for the next sweep."""


class Recheck(Struct, kw_only=True):
    """Which records are not judged yet, and the task that probes again what is not settled."""

    store: StateStore
    session: Callable[[], Session]
    """Returns the session in force."""
    unjudged: set[str] = field(default_factory=set)
    """Probes with a record that is not judged yet."""
    changed: set[str] = field(default_factory=set)
    """Those of them whose signature has changed."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, record: ProbeRecord, change: RecordChange) -> None:
        """Note a new record; recheck at once where its signature has changed."""
        self.unjudged.add(record.probe)
        if change is RecordChange.CHANGED:
            self.changed.add(record.probe)
            self._wake.set()

    def mark_judged(self, probes: frozenset[str]) -> None:
        """Note that the records of probes are being judged."""
        self.unjudged -= probes
        self.changed -= probes

    def wake(self) -> None:
        """Recheck what is not settled."""
        self._wake.set()

    async def run(self) -> None:
        """Recheck whenever something is suspect."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(SETTLE)
            self._wake.clear()
            for _ in range(MAX_ROUNDS):
                await self._judge_changed()
                if not await self._round():
                    break
            self.store.holder.watchdog.progressed(Part.RECHECKS)

    async def _judge_changed(self) -> None:
        """Judge what a running sweep has found so far; nothing before the first sweep of a plan has ended."""
        last, changed = self.store.holder.current.sweep, frozenset(self.changed)
        if last is None or not changed or self._unseen():
            return
        self.mark_judged(changed)
        seen = replace(last.recording, id=secrets.token_hex(8), finished=clock.timestamp(), controls=())
        await self.store.apply(self.session(), of=seen, probes=changed)

    async def _round(self) -> bool:
        """Probe once more what is not settled; return whether there was anything."""
        if not to_recheck(self.session(), self.store.holder.current.standings):
            return False
        await asyncio.sleep(GAP)
        session = self.session()
        probes = to_recheck(session, self.store.holder.current.standings)
        asked = {one.id for one in probes}
        probes += tuple(one for one in self._unseen() if one.id not in asked)

        def note(record: ProbeRecord, change: RecordChange) -> None:
            if self.session() is session:
                self.note(record, change)

        deadline = session.schedule.sweep_deadline
        recording = await session.probe(probes, deadline=deadline, on_done=note)
        if self.session() is not session:  # another configuration is in force by now
            return False
        probed = frozenset(one.id for one in probes)
        self.mark_judged(probed)
        await self.store.apply(session, of=recording, probes=probed)
        return True

    def _unseen(self) -> tuple[Probe, ...]:
        """Return what was never probed: judged now, it would be shown as a failure."""
        session = self.session()
        return tuple(one for one in session.plan.probes if one.id not in session.results.records)


def to_recheck(session: Session, standings: Standings) -> tuple[Probe, ...]:
    """Return the probes to run once more: those of what is not settled, and some beside them."""
    plan = session.plan
    pending = {one.key for one in standings.targets if not one.settled}
    moving = {one.key for one in standings.targets if one.state in (Lifecycle.SUSPECT, Lifecycle.RECOVERING)}
    suspect_probes = tuple(one for one in plan.probes if answers_for(one, pending))
    if not suspect_probes:
        return ()
    left_out = {one.id for one in suspect_probes} | slow_probes(plan)
    others = (one for one in plan.probes if one.id not in left_out)
    if len({one.host for one in suspect_probes if answers_for(one, moving)}) >= MANY:
        return (*suspect_probes, *others)
    down = {one.key for one in standings.targets if not one.up}
    well = (one for one in others if not answers_for(one, down))
    return (*suspect_probes, *_witnesses(well, suspect_probes, session.schedule))


def _witnesses(
    well: Iterator[Probe], suspect_probes: tuple[Probe, ...], schedule: Schedule
) -> Iterator[Probe]:
    """Choose a few other hosts with the sources of the suspect probes, always the same."""
    sources, hosts = {one.source for one in suspect_probes}, {one.host for one in suspect_probes}
    fitting = [one for one in well if one.source in sources and one.host not in hosts]
    return islice(sorted(fitting, key=lambda one: share(schedule.identity, f"witness {one.id}")), WITNESSES)
