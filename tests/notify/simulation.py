"""The delivery store on a simulated disk, receivers whose answers the test sets, and a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from unittest.mock import patch

from msgspec.structs import replace

from egressd import clock
from egressd.daemon.delivery_store import DaemonDeliveryStore
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.model.alert import Alert, Notice
from egressd.model.catalog import Discovery
from egressd.model.event import Event
from egressd.model.notification import Alerting, Notify, Receiver
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, ReceiverStatus, Snapshot, StateStatus
from egressd.notify.interface import Senders
from egressd.notify.outbox import bounds_of, enqueue
from egressd.notify.result import DeliveryResult, arrived
from egressd.notify.supervisor import DeliverySupervisor
from egressd.notify.transport.http import HttpTransport
from tests.notify.notices import notice
from tests.notify.samples import sample_receiver

HOOK = sample_receiver("webhook")
CHAT = sample_receiver("slack", "chat", digest=3)
PEERS = sample_receiver(
    "alertmanager", "am", transport=HttpTransport(urls=("http://one.example", "http://two.example"))
)
HEARTBEAT = sample_receiver("heartbeat", "heart")
Answer = Callable[[], DeliveryResult]


@dataclass
class Disk:
    """Keeps the last snapshot that was saved completely."""

    slow: float = 0.0
    full: bool = False
    saved: Snapshot | None = None

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        await asyncio.sleep(self.slow)
        if self.full:
            return StateStatus(problem="No space left on device")
        self.saved = snapshot
        return StateStatus()


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One delivery attempt."""

    at: float
    """Seconds since the start."""
    receiver: str
    ids: tuple[str, ...]
    """Ids of notices, or labels of alerts with a leading `-` where resolved."""
    dropped: int = 0
    skip: int = 0
    timeout: float = 0.0


@dataclass
class Simulation:
    """Delivery store, disk, receivers, and what was sent."""

    delivery_store: DaemonDeliveryStore
    disk: Disk
    answers: dict[str, Answer] = field(default_factory=dict)
    """By receiver, or by URL of a peer; without an entry everything is accepted at once."""
    takes: dict[str, float] = field(default_factory=dict)
    """Seconds until the answer."""
    sent: list[Sent] = field(default_factory=list)
    unsaved: list[Sent] = field(default_factory=list)
    """Attempts for notices that were not on the disk."""
    begun: float = field(default_factory=lambda: clock.monotonic())  # noqa: PLW0108 - the test's clock
    count: int = 0

    @property
    def holder(self) -> SnapshotHolder:
        return self.delivery_store.holder

    def sent_to(self, receiver: str) -> list[Sent]:
        """Every attempt for a receiver or a peer."""
        return [one for one in self.sent if one.receiver == receiver]

    def received(self, receiver: str) -> list[str]:
        """The ids that a receiver was sent, in order."""
        return [name for one in self.sent_to(receiver) for name in one.ids]

    def status(self, receiver: str) -> ReceiverStatus:
        return next(one for one in self.holder.current.receivers if one.name == receiver)

    async def enqueue(self, count: int = 1) -> None:
        """Queue notices for every receiver, as the store does: in the holder, then on the disk."""
        current = self.holder.current
        outbox, notify = current.outbox, current.settings.notify
        for _ in range(count):
            self.count += 1
            names = [one.name for one in notify.receivers]
            outbox = enqueue(outbox, [(notice(self.count), names)], bounds_of(notify))
        self.holder.update(outbox=outbox)
        await self.delivery_store.store.record(())

    async def overflow(self) -> None:
        """Queue one more notice as an evaluation does, where the bound may drop some."""
        before = self.holder.current
        self.count += 1
        posted = notice(self.count)
        with patch("egressd.daemon.state_store.advance_alerts", lambda *_, **__: ((), (posted,))):
            await self.delivery_store.store.tick()
        assert self.holder.current is not before

    async def set_alerts(self, *alerts: Alert) -> None:
        """Set the current alerts."""
        self.holder.update(alerts=alerts)
        await self.delivery_store.store.record(())

    async def sweep(self) -> None:
        """Count a completed sweep."""
        counters = self.holder.current.counters
        self.holder.update(counters=replace(counters, sweeps=counters.sweeps + 1))
        await self.delivery_store.store.record(())

    async def configure(self, *receivers: Receiver) -> None:
        """Reload with these receivers."""
        settings = replace(self.holder.current.settings, notify=Notify(receivers=receivers))
        self.delivery_store.store.adopt(replace(self.holder.current, settings=settings))
        await self.delivery_store.store.record(())

    async def deliver(
        self, receiver: Receiver, batch: tuple[Notice, ...], *, dropped: int, rules: Alerting, skip: int = 0
    ) -> DeliveryResult:
        ids = tuple(one.id for one in batch)
        sent = Sent(at=self._now(), receiver=receiver.name, ids=ids, dropped=dropped, skip=skip)
        there = (
            {one.notice.id for one in self.disk.saved.outbox.of(receiver.name)} if self.disk.saved else set()
        )
        self.unsaved += [] if there.issuperset(ids) else [sent]
        return await self._answer(receiver.name, sent)

    async def push(
        self, receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> DeliveryResult:
        ids = tuple(
            f"{'' if one.is_open else '-'}{'/'.join(value for _, value in one.condition.labels)}"
            for one in alerts
        )
        return await self._answer(url, Sent(at=self._now(), receiver=url, ids=ids))

    async def beat(self, receiver: Receiver) -> DeliveryResult:
        sent = Sent(at=self._now(), receiver=receiver.name, ids=(), timeout=receiver.timeout)
        return await self._answer(receiver.name, sent)

    async def _answer(self, name: str, sent: Sent) -> DeliveryResult:
        self.sent.append(sent)
        await asyncio.sleep(self.takes.get(name, 0.0))
        return self.answers.get(name, arrived)()

    def _now(self) -> float:
        return round(clock.monotonic() - self.begun, 3)


def make_simulation(*receivers: Receiver, before: Snapshot | None = None) -> Simulation:
    """Return a simulation, with the state that a previous run saved; call it inside the loop."""
    now = clock.timestamp()
    settings = Settings(notify=Notify(receivers=receivers))
    fresh = Snapshot(settings=settings, config=ConfigStatus(digest="", since=now), started=now)
    if before is not None:
        fresh = replace(fresh, outbox=before.outbox, alerts=before.alerts)
    disk = Disk(saved=before)
    holder = SnapshotHolder(fresh)
    store = StateStore(holder=holder, keeper=disk, on_events=lambda _: None)
    store.adopt(fresh)
    store.saved = holder.current
    simulation = Simulation(delivery_store=DaemonDeliveryStore(holder=holder, store=store), disk=disk)
    simulation.count = before.outbox.next_number * 1000 if before is not None else 0
    return simulation


@asynccontextmanager
async def running_deliveries(simulation: Simulation) -> AsyncIterator[Simulation]:
    """Run the delivery tasks until the end of the block, then cancel them, as a crash would."""
    senders = Senders(deliver=simulation.deliver, push=simulation.push, beat=simulation.beat)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            DeliverySupervisor(store=simulation.delivery_store, senders=senders, chance=lambda: 0.999).run()
        )
        await asyncio.sleep(0)
        yield simulation
        task.cancel()
