"""A day of faults before two real Alertmanagers: they show what is so, no more and no less.

Hours pass between looks; what is sent is shifted to the Alertmanagers' own time.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from egressd import clock
from egressd.model.alert import Alert, Queued
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Feed, Notify, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.alertmanager.push import push_alerts
from egressd.notify.dispatch import deliver
from egressd.notify.interface import Senders
from egressd.notify.result import DeliveryResult
from egressd.notify.supervisor import DeliverySupervisor
from egressd.notify.transport.http import HttpTransport, send_get
from egressd.notify.wakeup import Wakeup
from tests.alerting.simulation import AlertSimulation, silence
from tests.alertmanager.peers import PATIENCE, PROGRAM, Hook, Peer, two_peers, until

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
SECOND_PEER = 8.0
"""Seconds after which the second peer has seen that the first has told; it waits for five."""


@dataclass(kw_only=True)
class Desk:
    """An office that keeps what the simulation shows, and counts attempts."""

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
class Day:
    """The simulation, the couriers, and both peers."""

    simulation: AlertSimulation
    desk: Desk
    peers: tuple[Peer, Peer]
    hook: Hook
    steady: timedelta | None = None
    """How far the simulation is behind the Alertmanagers, where it keeps step with them."""

    def shift(self) -> timedelta:
        """Return how far the simulation is behind."""
        return self.steady if self.steady is not None else datetime.now(UTC) - self.simulation.now

    def keep_step(self) -> None:
        """Let no more time pass in the simulation than for the Alertmanagers, from now on."""
        self.steady = datetime.now(UTC) - self.simulation.now

    def live(self, words: dict[str, str] | None = None) -> None:
        """Look four times, now."""
        for _ in range(4):
            assert self.steady is not None
            self.simulation.probe(
                words, seconds=(datetime.now(UTC) - self.steady - self.simulation.now).total_seconds()
            )

    def show(self, *expected: str, on: tuple[Peer, ...] = ()) -> None:
        """Hand over what the simulation says now; both peers must show these alerts, and no others."""
        self.desk.current = replace(self.simulation.snapshot, settings=self.desk.current.settings)
        self.desk.wakeup.wake_all()
        self._expected = Counter(expected)
        self._on = on or self.peers

    async def shown(self) -> None:
        """Wait until they do."""
        await asyncio.to_thread(
            until, self._is_shown, lambda: ([shown(one) for one in self._on], self._expected)
        )

    def _is_shown(self) -> bool:
        return all(shown(one) == self._expected for one in self._on)

    async def expect(self, *expected: str, on: tuple[Peer, ...] = ()) -> None:
        """Show what is so, and wait until the peers do."""
        self.show(*expected, on=on)
        await self.shown()


def shown(peer: Peer) -> Counter[str]:
    """Return what a peer shows, shortly: the name, the severity and what it is about."""
    return Counter(short(one["labels"]) for one in peer.alerts())


def short(labels: dict[str, str]) -> str:
    """Return the name, the severity and what an alert is about."""
    about = labels.get("finding") or labels.get("target") or labels.get("profile") or ""
    return f"{labels['alertname']}/{labels['severity']}/{about}"


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[tuple[Peer, Peer, Hook]]:
    """Two peers that gossip."""
    with two_peers(tmp_path) as both:
        yield both


@asynccontextmanager
async def day(peers: tuple[Peer, Peer, Hook], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Begin a day in which all is well."""
    first, second, hook = peers
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
    desk = Desk(current=replace(simulation.snapshot, settings=settings))
    one = Day(simulation=simulation, desk=desk, peers=(first, second), hook=hook)

    async def push(
        receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> DeliveryResult:
        moved = tuple(shift(each, one.shift()) for each in alerts)
        return await push_alerts(receiver, url, moved, now=datetime.now(UTC), rules=rules)

    courier = DeliverySupervisor(
        store=desk, senders=Senders(deliver=deliver, push=push, beat=send_get), chance=lambda: 0.5
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(courier.run())
        yield one
        task.cancel()


def shift(alert: Alert, by: timedelta) -> Alert:
    """Move an alert to another time."""

    def moved(moment: str | None) -> str | None:
        return clock.timestamp(datetime.fromisoformat(moment) + by) if moment else None

    return replace(alert, opened=moved(alert.opened), closed=moved(alert.closed))


async def test_a_day_of_faults(peers: tuple[Peer, Peer, Hook], monkeypatch: pytest.MonkeyPatch) -> None:
    """What amtool shows at the end of each act is exactly what is wrong then, on both peers."""
    async with day(peers, monkeypatch) as one:
        simulation = one.simulation
        plain, secure = dict.fromkeys(PLAIN, PORT80), dict.fromkeys(SECURE, SNI)
        await one.expect()

        simulation.repeat(4, {"t25": SNI})
        await one.expect("EgressTargetUnreachable/critical/t25")

        simulation.repeat(4, {"t25": SNI, **plain}, findings={"port80": PLAIN})
        await one.expect("EgressTargetUnreachable/critical/t25", "EgressCause/critical/port80")

        # Two causes interleaved, and the lone target becomes part of the second: it has no alert of its own.
        both = {"port80": PLAIN, "sni": (*SECURE, "t25")}
        simulation.repeat(4, {"t25": SNI, **plain, **secure}, findings=both, seconds=HOUR)
        await one.expect("EgressCause/critical/port80", "EgressCause/critical/sni")

        # The first is mended; of the second the lone target is left, and goes on under its own name.
        simulation.repeat(4, {"t25": SNI})
        await one.expect("EgressTargetUnreachable/critical/t25")

        # It fails in another way now: another set of labels, one alert.
        simulation.repeat(4, {"t25": "down:dns_nxdomain"}, seconds=600)
        await one.expect("EgressTargetUnreachable/critical/t25")
        assert {each["labels"]["reason"] for each in one.peers[0].alerts()} == {"dns_nxdomain"}

        # A silence suppresses new ones, and leaves those that were notified as they are.
        simulation.silences = (silence("night", 240, began=simulation.now),)
        simulation.repeat(4, {"t25": "down:dns_nxdomain", **plain}, findings={"port80": PLAIN}, seconds=600)
        await one.expect("EgressTargetUnreachable/critical/t25")
        simulation.repeat(4, {"t25": "down:dns_nxdomain", **plain}, findings={"port80": PLAIN}, seconds=HOUR)
        await one.expect("EgressTargetUnreachable/critical/t25", "EgressCause/critical/port80")

        simulation.repeat(4)
        await one.expect()

        # A target that comes and goes is one alert.
        for _ in range(15):
            simulation.probe({"t03": SNI})
            simulation.probe()
        await one.expect("EgressTargetFlapping/warning/t03")
        simulation.repeat(30)
        await one.expect()
        assert not [key for key in one.desk.attempts if not key[1]]
        await asyncio.to_thread(until, lambda: is_settled(one.hook), lambda: one.hook.heard)


def is_settled(hook: Hook) -> bool:
    """Say whether every alert that was told is told to be over."""
    last = {}
    for message in hook.heard:
        for alert in message["alerts"]:
            last[alert["fingerprint"]] = alert["status"]
    return bool(last) and set(last.values()) == {"resolved"}


async def test_a_peer_that_is_down_delays_and_loses_nothing(
    peers: tuple[Peer, Peer, Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one shows everything at once; when it is back, it shows the same."""
    async with day(peers, monkeypatch) as one:
        first, second = one.peers
        await asyncio.to_thread(second.kill)
        one.simulation.repeat(4, dict.fromkeys(PLAIN, PORT80), findings={"port80": PLAIN})
        began = clock.monotonic()
        await one.expect("EgressCause/critical/port80", on=(first,))
        assert clock.monotonic() - began < PATIENCE / 3
        one.simulation.repeat(4, {**dict.fromkeys(PLAIN, PORT80), "t29": SNI}, findings={"port80": PLAIN})
        await one.expect("EgressCause/critical/port80", "EgressTargetUnreachable/critical/t29", on=(first,))
        await asyncio.to_thread(second.start)
        await asyncio.to_thread(second.settle)
        await one.expect("EgressCause/critical/port80", "EgressTargetUnreachable/critical/t29")
        one.simulation.repeat(4)
        await one.expect()
        assert [ok for _, ok in one.desk.attempts.elements()].count(False) > 0


async def test_it_groups_and_deduplicates_and_knows_the_alerts_of_the_rules(
    peers: tuple[Peer, Peer, Hook], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two peers, many pushes and Prometheus beside us: each alert is told once, and once that it is over."""
    async with day(peers, monkeypatch) as one:
        one.keep_step()
        one.live({"t01": SNI, "t02": SNI})
        expected = ("EgressTargetUnreachable/critical/t01", "EgressTargetUnreachable/critical/t02")
        await one.expect(*expected)
        for _ in range(3):
            one.live({"t01": SNI, "t02": SNI})
            await one.expect(*expected)
        as_prometheus = [
            {"labels": each["labels"], "startsAt": each["startsAt"], "annotations": {"summary": "by rule"}}
            for each in one.peers[0].alerts()
        ]
        for peer in one.peers:
            await asyncio.to_thread(post, peer, as_prometheus)
        await one.expect(*expected)
        await asyncio.to_thread(until, lambda: len(one.hook.told("firing")) >= 2, lambda: one.hook.heard)
        await asyncio.sleep(SECOND_PEER)
        one.live()
        await one.expect()
        await asyncio.to_thread(until, lambda: is_settled(one.hook), lambda: one.hook.heard)
        await asyncio.sleep(SECOND_PEER)
        firing = [message for message in one.hook.heard if message["status"] == "firing"]
        over = [message for message in one.hook.heard if message["status"] == "resolved"]
        assert [len(message["alerts"]) for message in (*firing, *over)] == [2, 2]


def post(peer: Peer, alerts: list[dict[str, Any]]) -> None:
    """Send alerts as Prometheus does."""
    request = urllib.request.Request(
        f"{peer.url}/api/v2/alerts",
        data=json.dumps(alerts).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status == 200
