"""What the delivery tasks need from the rest: the store of the queue, and functions that send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from egressd.model.alert import Alert, Notice, Queued
from egressd.model.notification import Alerting, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.result import DeliveryResult
from egressd.notify.wakeup import Wakeup

Part = Callable[[], Awaitable[DeliveryResult]]
"""One part of a message, ready to be sent."""
Beat = Callable[[Receiver], Awaitable[DeliveryResult]]
"""Calls a heartbeat's URL once; a network error is part of the result."""


class DeliveryStore(Protocol):
    """Keeps the queue, the counts and the status of each receiver."""

    @property
    def wakeup(self) -> Wakeup:
        """What is triggered whenever something was saved."""
        ...

    @property
    def current(self) -> Snapshot:
        """The newest snapshot that was saved: nothing is sent that a crash could make us forget."""
        ...

    def tried(self, receiver: str, delivery: DeliveryResult, *, peer: str = "") -> None:
        """Count an attempt, and note how it ended; `peer` tells the peers of an Alertmanager apart."""
        ...

    async def delivered(self, receiver: str, batch: tuple[Queued, ...], *, dropped_reported: int) -> None:
        """Remove delivered notices from the queue and save; `dropped_reported` dropped ones were reported."""
        ...

    async def refused(self, receiver: str, batch: tuple[Queued, ...], *, why: str) -> None:
        """Remove notices that a receiver will never take, log that, and save."""
        ...


class Deliver(Protocol):
    """Delivers notices to a receiver."""

    def __call__(
        self, receiver: Receiver, batch: tuple[Notice, ...], *, dropped: int, rules: Alerting, skip: int = 0
    ) -> Awaitable[DeliveryResult]:
        """Deliver; a network error is part of the result. `skip` parts have arrived already."""
        ...


class Push(Protocol):
    """Pushes alerts to one peer of an Alertmanager."""

    def __call__(
        self, receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> Awaitable[DeliveryResult]:
        """Push; a network error is part of the result."""
        ...


class Senders(Struct, frozen=True, kw_only=True):
    """The functions that send: the real ones, or a test's."""

    deliver: Deliver
    push: Push
    beat: Beat
