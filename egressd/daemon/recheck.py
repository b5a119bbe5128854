"""Quick looks at suspects: a changed verdict is confirmed within seconds, not after three intervals.

Where one suspect comes alone, a few that are well are looked at beside it: is it the target, or is it all
of them? As soon as several hosts are suspect, everything is looked at, so that the cause is named right.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from egressd import clock
from egressd.daemon.state_store import StateStore
from egressd.daemon.sweeping.prober import Prober
from egressd.daemon.sweeping.rhythm import GAP, SETTLE, Rhythm, share, slow_probes
from egressd.model.plan import Probe
from egressd.model.recording import ProbeRecord
from egressd.model.standing import Lifecycle, Standings

MANY = 4
"""Suspect hosts from which on it may be everything."""
WITNESSES = 3
MOST_ROUNDS = 5
"""Quick looks in a row at most; a target that will not settle waits for the next sweep."""


@dataclass(slots=True, kw_only=True)
class Recheck:
    """Probes whose record nobody judged yet, and the task that looks again at what is not settled."""

    store: StateStore
    prober: Callable[[], Prober]
    unjudged: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    """Those of them that tell another story than before."""
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def see(self, record: ProbeRecord) -> None:
        """Take a record into the picture; wake up where it tells another story."""
        self.unjudged.add(record.probe)
        if self.store.picture.take(record):
            self.noted.add(record.probe)
            self._wake.set()

    def judged(self, probes: frozenset[str]) -> None:
        """Note that the records of probes are being judged."""
        self.unjudged -= probes
        self.noted -= probes

    def look_again(self) -> None:
        """Wake up for what is not settled."""
        self._wake.set()

    async def run(self) -> None:
        """Look again whenever something is suspect."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(SETTLE)
            self._wake.clear()
            for _ in range(MOST_ROUNDS):
                await self._judge_noted()
                if not await self._round():
                    break

    async def _judge_noted(self) -> None:
        """Judge what a running sweep has found so far; before the first of a plan has ended, nothing."""
        last, noted = self.store.holder.current.sweep, frozenset(self.noted)
        if last is None or not noted or self._unseen():
            return
        self.judged(noted)
        seen = replace(last.recording, id=secrets.token_hex(8), finished=clock.timestamp())
        await self.store.apply(self.prober(), of=seen, probes=noted)

    async def _round(self) -> bool:
        """Look once more at what is not settled; return whether there was anything."""
        if not again(self.prober(), self.store.holder.current.standings):
            return False
        await asyncio.sleep(GAP)
        prober = self.prober()
        probes = again(prober, self.store.holder.current.standings)
        asked = {one.id for one in probes}
        probes += tuple(one for one in self._unseen() if one.id not in asked)
        whole = partial(self.store.picture.recording, prober.plan)
        recording = await prober.look(probes, starts={}, on_done=self.see, whole=whole)
        if self.prober() is not prober:  # another configuration is in force by now
            return False
        self.store.picture.take_rest(recording)
        looked = frozenset(one.id for one in probes)
        self.judged(looked)
        await self.store.apply(prober, of=recording, probes=looked)
        return True

    def _unseen(self) -> tuple[Probe, ...]:
        """Return what nobody has looked at yet: judged now, it would be shown as a failure."""
        return tuple(one for one in self.prober().plan.probes if one.id not in self.store.picture.records)


def again(prober: Prober, standings: Standings) -> tuple[Probe, ...]:
    """Return the probes to look at once more: those of what is not settled, and some beside them."""
    plan = prober.plan
    pending = {one.key for one in standings.targets if not one.settled}
    moving = {one.key for one in standings.targets if one.state in (Lifecycle.SUSPECT, Lifecycle.RECOVERING)}
    suspects = tuple(one for one in plan.probes if _speaks_for(one, pending))
    if not suspects:
        return ()
    left_out = {one.id for one in suspects} | slow_probes(plan)
    others = (one for one in plan.probes if one.id not in left_out)
    if len({one.host for one in suspects if _speaks_for(one, moving)}) >= MANY:
        return (*suspects, *others)
    down = {one.key for one in standings.targets if not one.up}
    well = (one for one in others if not _speaks_for(one, down))
    return (*suspects, *_witnesses(well, suspects, prober.rhythm))


def _witnesses(well: Iterator[Probe], suspects: tuple[Probe, ...], rhythm: Rhythm) -> Iterator[Probe]:
    """Choose a few other hosts seen from where the suspects are, always the same."""
    sources, hosts = {one.source for one in suspects}, {one.host for one in suspects}
    fitting = [one for one in well if one.source in sources and one.host not in hosts]
    return islice(sorted(fitting, key=lambda one: share(rhythm.identity, f"witness {one.id}")), WITNESSES)


def _speaks_for(probe: Probe, keys: set[tuple[str, str]]) -> bool:
    return any((target, probe.source) in keys for target in probe.targets)
