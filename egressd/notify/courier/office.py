"""What couriers ask of whoever keeps the queue, the bell that wakes them, and the ways out they take."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from egressd.model.alert import Alert, Notice, Queued
from egressd.model.notification import Alerting, Receiver
from egressd.model.snapshot import Snapshot
from egressd.notify.delivery import Delivery


@dataclass(slots=True)
class Bell:
    """Rings for everybody who waits. Take `next` before looking, so that no ring is missed."""

    next: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the next ring."""
    closing: bool = False
    """Whether it rang for the last time: try what is due once, and go home."""

    def ring(self) -> None:
        """Wake everybody up: something has changed."""
        rung, self.next = self.next, asyncio.Event()
        rung.set()

    def close(self) -> None:
        """Ring for the last time."""
        self.closing = True
        self.ring()


async def heard(rung: asyncio.Event, seconds: float | None) -> bool:
    """Wait for a ring, but not longer than some seconds; return whether it rang."""
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return False
    return True


class Office(Protocol):
    """Who keeps the queue, the counts and how each receiver does."""

    @property
    def bell(self) -> Bell:
        """What rings whenever something was saved."""
        ...

    @property
    def current(self) -> Snapshot:
        """The newest picture that was saved: nothing is told that a crash could make us forget."""
        ...

    def tried(self, receiver: str, delivery: Delivery, *, peer: str = "") -> None:
        """Count an attempt, and note how it ended; `peer` tells several places of a receiver apart."""
        ...

    async def delivered(self, receiver: str, batch: tuple[Queued, ...], *, confessed: int) -> None:
        """Take out of the queue what has arrived, and save that."""
        ...

    async def refused(self, receiver: str, batch: tuple[Queued, ...], *, why: str) -> None:
        """Give up what a receiver will never take, say so, and save that."""
        ...


class Deliver(Protocol):
    """One delivery of notices."""

    def __call__(
        self, receiver: Receiver, batch: tuple[Notice, ...], *, dropped: int, rules: Alerting, skip: int = 0
    ) -> Awaitable[Delivery]:
        """Deliver; network trouble is part of what is returned. `skip` parts have arrived already."""
        ...


class Push(Protocol):
    """All alerts for one Alertmanager."""

    def __call__(
        self, receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
    ) -> Awaitable[Delivery]:
        """Push; network trouble is part of what is returned."""
        ...


class Beat(Protocol):
    """One call of a heartbeat's URL."""

    def __call__(self, receiver: Receiver) -> Awaitable[Delivery]:
        """Call; network trouble is part of what is returned."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways out: `egressd.notify.send`, or a test's."""

    deliver: Deliver
    push: Push
    beat: Beat
