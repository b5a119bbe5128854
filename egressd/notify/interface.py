"""What couriers ask of whoever keeps the queue, the wakeup that wakes them, and the senders out they take."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from egressd.model.alert import Alert, Notice, Queued
from egressd.model.notification import Alerting, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.result import DeliveryResult
from egressd.notify.wakeup import Wakeup


class DeliveryStore(Protocol):
    """Who keeps the queue, the counts and how each receiver does."""

    @property
    def wakeup(self) -> Wakeup:
        """What rings whenever something was saved."""
        ...

    @property
    def current(self) -> Snapshot:
        """The newest picture that was saved: nothing is told that a crash could make us forget."""
        ...

    def tried(self, receiver: str, delivery: DeliveryResult, *, peer: str = "") -> None:
        """Count an attempt, and note how it ended; `peer` tells several places of a receiver apart."""
        ...

    async def delivered(self, receiver: str, batch: tuple[Queued, ...], *, dropped_reported: int) -> None:
        """Take out of the queue what has arrived, and save that."""
        ...

    async def refused(self, receiver: str, batch: tuple[Queued, ...], *, why: str) -> None:
        """Give up what a receiver will never take, say so, and save that."""
        ...


class Deliver(Protocol):
    """One delivery of notices."""

    def __call__(
        self, receiver: Receiver, batch: tuple[Notice, ...], *, dropped: int, rules: Alerting, skip: int = 0
    ) -> Awaitable[DeliveryResult]:
        """Deliver; network trouble is part of what is returned. `skip` parts have arrived already."""
        ...


class Push(Protocol):
    """All alerts for one Alertmanager."""

    def __call__(
        self, receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> Awaitable[DeliveryResult]:
        """Push; network trouble is part of what is returned."""
        ...


class Beat(Protocol):
    """One call of a heartbeat's URL."""

    def __call__(self, receiver: Receiver) -> Awaitable[DeliveryResult]:
        """Call; network trouble is part of what is returned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """The senders out: `egressd.notify.send`, or a test's."""

    deliver: Deliver
    push: Push
    beat: Beat
