"""Two real Alertmanagers during a sequence of faults: they have exactly the current alerts, at any time.

Hours of simulated time pass between sweeps; timestamps are shifted to the Alertmanagers' clock.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.model.alert import Alert, Queued
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Feed, Notify, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.dispatch import deliver
from egressd.notify.heartbeat import call_heartbeat
from egressd.notify.interface import Senders
from egressd.notify.result import DeliveryResult
from egressd.notify.supervisor import DeliverySupervisor
from egressd.notify.transport.http import HttpTransport
from egressd.notify.wakeup import Wakeup
from tests.alerting.simulation import AlertSimulation, silence
from tests.alertmanager.peers import PROGRAM, TIMEOUT, Peer, WebhookListener, two_peers, until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        not (shutil.which(PROGRAM) and shutil.which("amtool")),
        reason="Debian's package prometheus-alertmanager is not installed",
    ),
]

NAMES = tuple(f"t{number:02d}" for number in range(30))
PLAIN, SECURE = NAMES[:10], NAMES[10:20]
PORT80 = "blocked:tcp_port_blocked"
SNI = "blocked:tls_sni_reset"
HOUR = 3600.0


@dataclass(kw_only=True)
class DeliveryStoreRecorder:
    """A delivery store with the simulation's snapshot, which counts attempts."""

    current: Snapshot
    wakeup: Wakeup = field(default_factory=Wakeup)
    attempts: Counter[tuple[str, bool]] = field(default_factory=Counter)

    def tried(self, receiver: str, delivery: DeliveryResult, *, peer: str = "") -> None:
        self.attempts[peer, delivery.ok] += 1

    async def delivered(self, receiver: str, batch: tuple[Queued, ...], *, dropped_reported: int) -> None:
        raise AssertionError("Alertmanager has no queue")

    async def refused(self, receiver: str, batch: tuple[Queued, ...], *, why: str) -> None:
        raise AssertionError(why)


@dataclass(kw_only=True)
class FaultSequence:
    """The alert simulation, the delivery supervisor, and both peers."""

    simulation: AlertSimulation
    store: DeliveryStoreRecorder
    peers: tuple[Peer, Peer]
    webhook: WebhookListener

    def time_offset(self) -> timedelta:
        """Return how far the simulation's clock is behind the Alertmanagers'."""
        return datetime.now(UTC) - self.simulation.now

    def publish(self, *expected: str, on: tuple[Peer, ...] = ()) -> None:
        """Publish the simulation's alerts; both peers must have exactly the expected ones."""
        self.store.current = replace(self.simulation.snapshot, settings=self.store.current.settings)
        self.store.wakeup.wake_all()
        self._expected = Counter(expected)
        self._on = on or self.peers

    async def wait_until_shown(self) -> None:
        """Wait until the peers have the expected alerts."""
        await asyncio.to_thread(
            until, self._is_shown, lambda: ([active_alerts(one) for one in self._on], self._expected)
        )

    def _is_shown(self) -> bool:
        return all(active_alerts(one) == self._expected for one in self._on)

    async def expect(self, *expected: str, on: tuple[Peer, ...] = ()) -> None:
        """Publish the simulation's alerts, and wait until the peers have the expected ones."""
        self.publish(*expected, on=on)
        await self.wait_until_shown()


def active_alerts(peer: Peer) -> Counter[str]:
    """Return the keys of a peer's active alerts, counted."""
    return Counter(alert_key(one["labels"]) for one in peer.alerts())


def alert_key(labels: dict[str, str]) -> str:
    """Return name, severity, and finding, target or profile of an alert."""
    about = labels.get("finding") or labels.get("target") or labels.get("profile") or ""
    return f"{labels['alertname']}/{labels['severity']}/{about}"


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[Peer, Peer, WebhookListener]]:
    """Run a cluster of two."""
    with two_peers(tmp_path) as both:
        yield both


@asynccontextmanager
async def fault_sequence(peers: tuple[Peer, Peer, WebhookListener], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the simulation and the supervisor, with every target ok."""
    first, second, webhook = peers
    rules = Alerting(instance="here:10980", labels=(("site", "lab"),))
    simulation = AlertSimulation(targets=dict.fromkeys(NAMES, Need.REQUIRED), rules=rules)
    simulation.repeat(3)
    monkeypatch.setattr(clock, "now", lambda: simulation.now)

    receiver = Receiver(
        name="am",
        type="alertmanager",
        feed=Feed.ALERTS,
        transport=HttpTransport(urls=(first.url, second.url)),
        timeout=3.0,
    )
    settings = replace(simulation.snapshot.settings, notify=Notify(receivers=(receiver,)))
    store = DeliveryStoreRecorder(current=replace(simulation.snapshot, settings=settings))
    one = FaultSequence(simulation=simulation, store=store, peers=(first, second), webhook=webhook)

    async def push(
        receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> DeliveryResult:
        moved = tuple(shift(each, one.time_offset()) for each in alerts)
        return await push_alerts(receiver, url, moved, now=datetime.now(UTC), rules=rules)

    supervisor = DeliverySupervisor(
        store=store, senders=Senders(deliver=deliver, push=push, beat=call_heartbeat), chance=lambda: 0.5
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.run())
        yield one
        task.cancel()


def shift(alert: Alert, by: timedelta) -> Alert:
    """Shift the timestamps of an alert."""

    def moved(moment: str | None) -> str | None:
        return clock.timestamp(datetime.fromisoformat(moment) + by) if moment else None

    return replace(alert, opened=moved(alert.opened), closed=moved(alert.closed))


async def test_alerts_follow_a_sequence_of_faults(
    peers: tuple[Peer, Peer, WebhookListener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each change amtool shows exactly the current alerts, on both peers."""
    async with fault_sequence(peers, monkeypatch) as one:
        simulation = one.simulation
        plain, secure = dict.fromkeys(PLAIN, PORT80), dict.fromkeys(SECURE, SNI)
        await one.expect()

        simulation.repeat(4, {"t25": SNI})
        await one.expect("EgressTargetUnreachable/critical/t25")

        simulation.repeat(4, {"t25": SNI, **plain}, findings={"port80": PLAIN})
        await one.expect("EgressTargetUnreachable/critical/t25", "EgressCause/critical/port80")

        # A second cause covers the single target too, whose own alert stays open: it still fails.
        both = {"port80": PLAIN, "sni": (*SECURE, "t25")}
        simulation.repeat(4, {"t25": SNI, **plain, **secure}, findings=both, seconds=HOUR)
        single = "EgressTargetUnreachable/critical/t25"
        await one.expect(single, "EgressCause/critical/port80", "EgressCause/critical/sni")

        # One cause is resolved; what the other explained still fails.
        simulation.repeat(4, {"t25": SNI})
        await one.expect(single, "EgressCause/critical/sni")

        # Another reason: other labels, still one alert, and no cause.
        simulation.repeat(4, {"t25": "down:dns_nxdomain"}, seconds=200)
        await one.expect("EgressTargetUnreachable/critical/t25")
        assert {each["labels"]["reason"] for each in one.peers[0].alerts()} == {"dns_nxdomain"}

        # A silence suppresses new alerts, and does not change notified ones.
        simulation.silences = (silence("night", 240, began=simulation.now),)
        simulation.repeat(4, {"t25": "down:dns_nxdomain", **plain}, findings={"port80": PLAIN}, seconds=600)
        await one.expect("EgressTargetUnreachable/critical/t25")
        simulation.repeat(4, {"t25": "down:dns_nxdomain", **plain}, findings={"port80": PLAIN}, seconds=HOUR)
        await one.expect("EgressTargetUnreachable/critical/t25", "EgressCause/critical/port80")

        simulation.repeat(4)
        await one.expect()

        # A flapping target is one alert.
        for _ in range(15):
            simulation.probe({"t03": SNI})
            simulation.probe()
        await one.expect("EgressTargetFlapping/warning/t03")
        simulation.repeat(30)
        await one.expect()
        assert not [key for key in one.store.attempts if not key[1]]
        await asyncio.to_thread(until, lambda: all_resolved(one.webhook), lambda: one.webhook.notifications)


def all_resolved(webhook: WebhookListener) -> bool:
    """Return whether the last notification of every alert is that it is resolved."""
    last = {}
    for message in webhook.notifications:
        for alert in message["alerts"]:
            last[alert["fingerprint"]] = alert["status"]
    return bool(last) and set(last.values()) == {"resolved"}


async def test_a_peer_that_is_down_delays_and_loses_nothing(
    peers: tuple[Peer, Peer, WebhookListener], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one peer is down the other has every alert; once back, it has the same ones."""
    async with fault_sequence(peers, monkeypatch) as one:
        first, second = one.peers
        await asyncio.to_thread(second.kill)
        one.simulation.repeat(4, dict.fromkeys(PLAIN, PORT80), findings={"port80": PLAIN})
        began = clock.monotonic()
        await one.expect("EgressCause/critical/port80", on=(first,))
        assert clock.monotonic() - began < TIMEOUT / 3
        one.simulation.repeat(4, {**dict.fromkeys(PLAIN, PORT80), "t29": SNI}, findings={"port80": PLAIN})
        await one.expect("EgressCause/critical/port80", "EgressTargetUnreachable/critical/t29", on=(first,))
        await asyncio.to_thread(second.start)
        await asyncio.to_thread(second.settle)
        await one.expect("EgressCause/critical/port80", "EgressTargetUnreachable/critical/t29")
        one.simulation.repeat(4)
        await one.expect()
        assert [ok for _, ok in one.store.attempts.elements()].count(False) > 0
