"""Starts and restarts the delivery tasks: one for each receiver's queue, heartbeat and Alertmanager peer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from msgspec import Struct

from egressd.bugs import report_bug, run_again
from egressd.errors import Part
from egressd.model.notification import Feed
from egressd.notify.alertmanager.worker import RESEND, AlertmanagerWorker, peer_labels
from egressd.notify.heartbeat import HeartbeatWorker
from egressd.notify.interface import DeliveryStore, Senders
from egressd.notify.retry import Retry
from egressd.notify.worker import QueueWorker

Key = tuple[str, str]
"""The receiver's name, and what distinguishes its tasks."""


class Worker(Protocol):
    """Delivers to one receiver or peer as long as that is configured."""

    async def run(self) -> None:
        """Deliver."""
        ...


class DeliverySupervisor(Struct, frozen=True, kw_only=True):
    """Runs the workers of the receivers that are configured. A reload interrupts no delivery."""

    store: DeliveryStore
    senders: Senders
    chance: Callable[[], float] = random.random

    async def run(self) -> None:
        """Deliver until the wakeup is closed and everything due was tried once more."""
        running: dict[Key, asyncio.Task[None]] = {}
        wakeup = self.store.wakeup
        async with asyncio.TaskGroup() as group:
            while not wakeup.closing:
                woken = wakeup.next
                for key, make in self._wanted():
                    if key not in running or running[key].done():
                        name = f"delivery {key[0]}"
                        running[key] = group.create_task(self._keep(make()), name=name)
                await woken.wait()

    def _wanted(self) -> Iterator[tuple[Key, Callable[[], Worker]]]:
        for one in self.store.current.settings.notify.receivers:
            match one.feed:
                case Feed.ALERTS:
                    for url, label in peer_labels(one).items():
                        yield (one.name, url), partial(self._alertmanager_worker, one.name, url, label)
                case Feed.SWEEPS:
                    yield (one.name, "heartbeat"), partial(self._heartbeat_worker, one.name)
                case Feed.NOTICES:
                    yield (one.name, "queue"), partial(self._queue_worker, one.name)

    def _queue_worker(self, name: str) -> Worker:
        retry = Retry(chance=self.chance)
        return QueueWorker(name=name, store=self.store, retry=retry, deliver=self.senders.deliver)

    def _heartbeat_worker(self, name: str) -> Worker:
        retry = Retry(chance=self.chance)
        return HeartbeatWorker(name=name, store=self.store, retry=retry, beat=self.senders.beat)

    def _alertmanager_worker(self, name: str, url: str, label: str) -> Worker:
        retry, push = Retry(chance=self.chance, longest=RESEND), self.senders.push
        return AlertmanagerWorker(name=name, store=self.store, retry=retry, push=push, url=url, label=label)

    async def _keep(self, worker: Worker) -> None:
        """Run a worker to its end, again after a bug; once the wakeup is closed, no more."""

        async def run() -> None:
            try:
                await worker.run()
            except Exception as bug:
                if not self.store.wakeup.closing:
                    raise
                report_bug(Part.DELIVERY, bug)

        await run_again(Part.DELIVERY, run)
