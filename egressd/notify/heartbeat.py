"""The heartbeat: a URL is called because a sweep was completed, never because time has passed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from egressd import clock
from egressd.model.notification import Feed, Receiver
from egressd.notify.interface import Beat, DeliveryStore
from egressd.notify.retry import Retry
from egressd.notify.wakeup import wait_for

SHARE = 0.8
"""Of the interval, that one call may take; a call is tried again only until the interval is over."""


@dataclass(slots=True, kw_only=True)
class HeartbeatWorker:
    """The task of one receiver. Only the last sweep counts; what was missed is not made up for."""

    name: str
    store: DeliveryStore
    beat: Beat
    retry: Retry
    _seen: int = field(init=False)
    _owed_since: float | None = None

    def __post_init__(self) -> None:
        self._seen = self.store.current.counters.sweeps

    async def run(self) -> None:
        """Call after each sweep."""
        while (receiver := self._configured()) is not None:
            woken = self.store.wakeup.next
            if self.store.wakeup.closing:
                return
            seconds = self._due_in()
            if seconds == 0:
                await self._call(receiver)
            else:
                await wait_for(woken, seconds)

    def _configured(self) -> Receiver | None:
        receiver = self.store.current.settings.notify.receiver(self.name)
        return receiver if receiver is not None and receiver.feed is Feed.SWEEPS else None

    def _due_in(self) -> float | None:
        """Return when to call for the last sweep; None: it was called for, or it is too late."""
        snapshot = self.store.current
        if snapshot.counters.sweeps > self._seen:
            self._seen, self._owed_since = snapshot.counters.sweeps, clock.monotonic()
            self.retry.forget()
        if self._owed_since is None:
            return None
        left = self._owed_since + snapshot.settings.interval - clock.monotonic()
        if self.retry.wait > left:
            self._owed_since = None
            return None
        return self.retry.wait

    async def _call(self, receiver: Receiver) -> None:
        most = SHARE * self.store.current.settings.interval
        quick = replace(receiver, timeout=min(receiver.timeout, most))
        seen = self._seen
        delivery = await self.retry.make(self.beat(quick), what=receiver.name)
        self.store.tried(receiver.name, delivery)
        if seen == self._seen and (delivery.ok or not delivery.retry):
            self._owed_since = None
