"""The root of the couriers: a task for each place, begun when it is configured, never cut off by a reload."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from egressd.model.notification import Receiver, ReceiverKind
from egressd.notify.courier.attempt import Attempts
from egressd.notify.courier.carrier import Carrier
from egressd.notify.courier.heartbeat import Heartbeat
from egressd.notify.courier.office import Office, Ways
from egressd.notify.courier.peers import RESEND, Peer, peers_of

AFTER_A_BUG = 60.0
"""Seconds before a task that ended by our own bug is begun again."""

log = structlog.get_logger("egressd")

Key = tuple[str, str]
"""The receiver's name, and what tells its tasks apart."""


class Task(Protocol):
    """What delivers to one place until that is not configured any more."""

    async def run(self) -> None:
        """Deliver."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """Everything that delivers. It ends when the bell has rung for the last time and all was tried."""

    office: Office
    ways: Ways
    chance: Callable[[], float] = random.random

    async def run(self) -> None:
        """Deliver to whatever is configured."""
        running: dict[Key, asyncio.Task[None]] = {}
        bell = self.office.bell
        async with asyncio.TaskGroup() as group:
            while not bell.closing:
                rung = bell.next
                for key, make in self._wanted():
                    if key not in running or running[key].done():
                        name = f"courier {key[0]}"
                        running[key] = group.create_task(self._tend(key[0], make), name=name)
                await rung.wait()

    def _wanted(self) -> Iterator[tuple[Key, Callable[[], Task]]]:
        for one in self.office.current.settings.notify.receivers:
            match one.kind:
                case ReceiverKind.ALERTMANAGER:
                    yield from self._peers(one)
                case ReceiverKind.HEARTBEAT:
                    yield (one.name, "heartbeat"), partial(self._heartbeat, one)
                case _:
                    yield (one.name, "queue"), partial(self._carrier, one)

    def _peers(self, receiver: Receiver) -> Iterator[tuple[Key, Callable[[], Task]]]:
        for url, label in peers_of(receiver).items():
            yield (receiver.name, url), partial(self._peer, receiver, url, label)

    def _carrier(self, receiver: Receiver) -> Task:
        attempts = Attempts(chance=self.chance)
        return Carrier(name=receiver.name, office=self.office, deliver=self.ways.deliver, attempts=attempts)

    def _heartbeat(self, receiver: Receiver) -> Task:
        attempts = Attempts(chance=self.chance)
        return Heartbeat(name=receiver.name, office=self.office, beat=self.ways.beat, attempts=attempts)

    def _peer(self, receiver: Receiver, url: str, label: str) -> Task:
        attempts = Attempts(chance=self.chance, longest=RESEND)
        return Peer(
            name=receiver.name,
            url=url,
            label=label,
            office=self.office,
            push=self.ways.push,
            attempts=attempts,
        )

    async def _tend(self, name: str, make: Callable[[], Task]) -> None:
        """Run a task; a bug of ours is said, and the task begun again: probing goes on whatever happens."""
        task = make()
        while True:
            try:
                await task.run()
                return
            except Exception:
                log.exception("a bug in a courier", receiver=name)
            if self.office.bell.closing:
                return
            await asyncio.sleep(AFTER_A_BUG)
