"""Pushes the alerts to one peer of an Alertmanager: every minute, and whenever they change.

Alertmanager resolves an alert that is not sent again, so nothing is queued: what a peer missed is in the next
push. The end of an alert is sent for at least five minutes, and until the peer has taken it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.alerting import audience_of
from egressd.model.alert import Alert, AlertState, Resolution
from egressd.model.notification import Alerting, Feed, Labels, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.content.labels import labels_of
from egressd.notify.interface import DeliveryStore, Push
from egressd.notify.retry import Retry
from egressd.notify.transport.http import HttpTransport
from egressd.notify.wakeup import wait_for

RESEND = 60.0
"""Seconds between two pushes of what is unchanged."""
KEPT = 300.0
"""Seconds for which the end of an alert is sent at least..."""
KEPT_MOST = 900.0
"""...and at most, where it was never taken."""

Identity = Labels
"""What Alertmanager knows an alert by: all its labels."""
Pushed = tuple[Identity, bool, str | None, str | None]
"""An identity, whether its alert is open, and when it was opened and closed: changes are pushed at once."""


class AlertmanagerWorker(Struct, kw_only=True):
    """The delivery task of one peer."""

    name: str
    url: str
    label: str
    """What logs call it; the URL may hold a secret."""
    store: DeliveryStore
    push: Push
    retry: Retry
    _receiver: Receiver | None = None
    _taken: frozenset[Pushed] = frozenset()
    """What it has taken of the present alerts."""
    _open: dict[Identity, Alert] = field(default_factory=dict)
    """What it holds for firing."""
    _ended: dict[Identity, Alert] = field(default_factory=dict)
    """Alerts whose labels have changed: they must end under the old ones."""
    _pushed_at: float = 0.0

    async def run(self) -> None:
        """Push as long as the peer is configured."""
        while (receiver := self._configured()) is not None:
            wakeup = self.store.wakeup
            woken = wakeup.next
            alerts = self._current_alerts(receiver)
            seconds = self._due_in(alerts)
            if seconds == 0:
                await self._push(receiver, alerts)
            elif wakeup.closing:
                return
            else:
                await wait_for(woken, seconds)

    def _configured(self) -> Receiver | None:
        receiver = self.store.current.settings.notify.receiver(self.name)
        if receiver != self._receiver:
            self._receiver = receiver
            self.retry.reset()
        return receiver if receiver is not None and self.url in peer_labels(receiver) else None

    def _due_in(self, alerts: tuple[Alert, ...]) -> float | None:
        if not alerts:
            return None
        if self.retry.failures:
            return self.retry.wait
        if not self._taken.issuperset(self._state_of(one) for one in alerts):
            return 0.0
        return max(0.0, self._pushed_at + RESEND - clock.monotonic())

    def _current_alerts(self, receiver: Receiver) -> tuple[Alert, ...]:
        """Return the alerts to push now, with the ends of those whose labels have changed."""
        now = clock.now()
        routed = sorted(_routed(self.store.current, receiver), key=lambda one: one.is_open)  # open ones win
        known = {self._identity(one): one for one in routed}
        found = {identity: one for identity, one in known.items() if self._is_current(one, now)}
        for identity in known.keys() - found.keys():  # over, and sent long enough
            self._open.pop(identity, None)
        for identity in self._open.keys() - found.keys():
            self._ended.setdefault(identity, _end(self._open.pop(identity), clock.timestamp(now)))
        self._ended = {
            identity: one
            for identity, one in self._ended.items()
            if identity not in found and self._is_current(one, now)
        }
        return (*found.values(), *self._ended.values())

    def _is_current(self, alert: Alert, now: datetime) -> bool:
        if alert.is_open:
            return True
        if alert.closed is None:
            return False
        age = (now - datetime.fromisoformat(alert.closed)).total_seconds()
        return age <= (KEPT if self._state_of(alert) in self._taken else KEPT_MOST)

    async def _push(self, receiver: Receiver, alerts: tuple[Alert, ...]) -> None:
        pushed = frozenset(self._state_of(one) for one in alerts)
        firing = {self._identity(one): one for one in alerts if one.is_open}
        attempt = self.push(receiver, self.url, alerts, now=clock.now(), rules=self._rules)
        delivery = await self.retry.attempt(attempt, receiver=receiver.name)
        self.store.tried(receiver.name, delivery, peer=self.label)
        self._pushed_at = clock.monotonic()
        if delivery.ok or not delivery.retry:
            self._taken, self._open = pushed, firing
        else:  # it may have taken some of it
            self._open |= firing

    @property
    def _rules(self) -> Alerting:
        return self.store.current.settings.alerting

    def _identity(self, alert: Alert) -> Identity:
        return tuple(labels_of(alert.condition, self._rules).items())

    def _state_of(self, alert: Alert) -> Pushed:
        return (self._identity(alert), alert.is_open, alert.opened, alert.closed)


def peer_labels(receiver: Receiver) -> dict[str, str]:
    """Return what logs call each peer of an Alertmanager, by its URL."""
    if receiver.feed is not Feed.ALERTS or not isinstance(receiver.transport, HttpTransport):
        return {}
    return {url: f"peer {number}" for number, url in enumerate(receiver.transport.urls, 1)}


def _routed(snapshot: Snapshot, receiver: Receiver) -> Iterator[Alert]:
    """Yield the alerts that were opened and are routed to this receiver."""
    for one in snapshot.alerts:
        if one.state is AlertState.PENDING:
            continue
        if receiver.name in audience_of(one.condition, snapshot.settings.notify, closed=not one.is_open):
            yield one


def _end(alert: Alert, at: str) -> Alert:
    return replace(alert, state=AlertState.RESOLVED, closed=at, resolution=Resolution.SUPERSEDED)
