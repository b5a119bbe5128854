"""The root of the couriers: a task for each place, begun when it is configured, never cut off by a reload."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from egressd.model.notification import Feed, Receiver
from egressd.notify.alertmanager.worker import RESEND, AlertmanagerWorker, peer_labels
from egressd.notify.heartbeat import HeartbeatWorker
from egressd.notify.interface import DeliveryStore, Senders
from egressd.notify.retry import Retry
from egressd.notify.worker import QueueWorker

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
class DeliverySupervisor:
    """Everything that delivers. It ends when the wakeup has woken for the last time and all was tried."""

    store: DeliveryStore
    senders: Senders
    chance: Callable[[], float] = random.random

    async def run(self) -> None:
        """Deliver to whatever is configured."""
        running: dict[Key, asyncio.Task[None]] = {}
        wakeup = self.store.wakeup
        async with asyncio.TaskGroup() as group:
            while not wakeup.closing:
                woken = wakeup.next
                for key, make in self._wanted():
                    if key not in running or running[key].done():
                        name = f"courier {key[0]}"
                        running[key] = group.create_task(self._tend(key[0], make), name=name)
                await woken.wait()

    def _wanted(self) -> Iterator[tuple[Key, Callable[[], Task]]]:
        for one in self.store.current.settings.notify.receivers:
            match one.feed:
                case Feed.ALERTS:
                    yield from self._peers(one)
                case Feed.SWEEPS:
                    yield (one.name, "heartbeat"), partial(self._heartbeat, one)
                case Feed.NOTICES:
                    yield (one.name, "queue"), partial(self._carrier, one)

    def _peers(self, receiver: Receiver) -> Iterator[tuple[Key, Callable[[], Task]]]:
        for url, label in peer_labels(receiver).items():
            yield (receiver.name, url), partial(self._peer, receiver, url, label)

    def _carrier(self, receiver: Receiver) -> Task:
        retry = Retry(chance=self.chance)
        return QueueWorker(name=receiver.name, store=self.store, deliver=self.senders.deliver, retry=retry)

    def _heartbeat(self, receiver: Receiver) -> Task:
        retry = Retry(chance=self.chance)
        return HeartbeatWorker(name=receiver.name, store=self.store, beat=self.senders.beat, retry=retry)

    def _peer(self, receiver: Receiver, url: str, label: str) -> Task:
        retry = Retry(chance=self.chance, longest=RESEND)
        return AlertmanagerWorker(
            name=receiver.name,
            url=url,
            label=label,
            store=self.store,
            push=self.senders.push,
            retry=retry,
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
            if self.store.wakeup.closing:
                return
            await asyncio.sleep(AFTER_A_BUG)
