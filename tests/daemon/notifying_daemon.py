"""A daemon without a network that sends notifications as fast as it can, to be killed.

`python -m tests.daemon.notifying_daemon DIRECTORY SEED` makes hosts fail and recover, and
notifies a receiver, which is a file, until it is killed. With the seed `drain` it delivers what is queued.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from egressd import clock
from egressd.daemon.delivery_store import DaemonDeliveryStore
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.model.alert import Alert, Notice
from egressd.model.notification import Alerting, Flapping, Notify, Receiver
from egressd.model.recording import ProbeRecord, Recording
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.notify.interface import Senders
from egressd.notify.result import DeliveryResult, arrived, failed
from egressd.notify.supervisor import DeliverySupervisor
from egressd.state import Persistence
from tests.daemon.simulation import FakeSession, SimulatedNetwork, plan_of, trail_of
from tests.notify.samples import sample_receiver
from tests.standing.sweeps import VANTAGE

HOSTS = tuple(f"h{number}" for number in range(6))
RECEIVED = "received"
SETTINGS = Settings(
    alerting=Alerting(
        instance="here:1", explicit=1, silent=1, better=1, flapping=Flapping(high=101.0, times=10_000)
    ),
    notify=Notify(receivers=(sample_receiver("webhook", "file", queue=10_000),)),
)


class FileReceiver:
    """A receiver that appends to a file, which survives a kill, and fails now and then."""

    def __init__(self, directory: Path, choose: random.Random) -> None:
        self._file = (directory / RECEIVED).open("a", encoding="utf-8", buffering=1)
        self._choose = choose

    async def deliver(
        self, receiver: Receiver, batch: tuple[Notice, ...], *, dropped: int, rules: Alerting, skip: int = 0
    ) -> DeliveryResult:
        await asyncio.sleep(0)
        if self._choose.random() < 0.02:
            return failed("away")
        (one,) = batch
        self._file.write(f"{one.id} {one.kind} {one.alert.id}\n")
        return arrived()

    async def push(
        self, receiver: Receiver, url: str, alerts: tuple[Alert, ...], **_: object
    ) -> DeliveryResult:
        raise AssertionError(url)

    async def beat(self, receiver: Receiver) -> DeliveryResult:
        raise AssertionError(receiver.name)


async def notify(directory: Path, seed: str) -> None:
    """Notify until killed, or deliver only what is queued."""
    keeper, choose = Persistence(directory), random.Random(seed)
    saved, status = await keeper.open()
    assert status.problem == ""
    now = clock.timestamp()
    snapshot = Snapshot(
        settings=SETTINGS,
        config=ConfigStatus(digest="", since=now),
        started=now,
        standings=saved.standings,
        alerts=saved.alerts,
        outbox=saved.outbox,
    )
    holder = SnapshotHolder(snapshot)
    store = StateStore(holder=holder, keeper=keeper, on_events=lambda _: None)
    store.adopt(snapshot)
    await store.record(())
    file = FileReceiver(directory, choose)
    senders = Senders(deliver=file.deliver, push=file.push, beat=file.beat)
    async with asyncio.TaskGroup() as group:
        deliveries = group.create_task(
            DeliverySupervisor(
                store=DaemonDeliveryStore(holder=holder, store=store), senders=senders, chance=lambda: 0.0
            ).run()
        )
        sys.stdout.write("open\n")
        sys.stdout.flush()
        if seed == "drain":
            while holder.current.outbox.waiting:  # noqa: ASYNC110 - an empty queue has no event
                await asyncio.sleep(0.05)
            deliveries.cancel()
        else:
            await _probe_forever(store, seed, choose)
    await keeper.close(holder.current, ())


async def _probe_forever(store: StateStore, seed: str, choose: random.Random) -> None:
    plan = plan_of(len(HOSTS))
    session = FakeSession(SimulatedNetwork(), SETTINGS, plan=plan, identity="here")
    down = {one.target for one in store.holder.current.standings.targets if not one.up}
    words = {one.id: "refused" if one.targets[0] in down else None for one in plan.probes}
    number = 0
    while True:
        number += 1
        name = choose.choice(list(words))
        words[name] = None if words[name] else "refused"
        for probe, how in words.items():
            session.results.add(ProbeRecord(probe=probe, trails=(trail_of(how),)))
        recording = Recording(
            id=f"{seed}-{number}",
            started=clock.timestamp(),
            finished=clock.timestamp(),
            interrupted=False,
            plan=plan,
            vantage=VANTAGE,
            records=(),
        )
        await store.apply(session, of=recording, probes=frozenset(words), seconds=0.1)
        await asyncio.sleep(0.005)


if __name__ == "__main__":
    asyncio.run(notify(Path(sys.argv[1]), sys.argv[2]))
