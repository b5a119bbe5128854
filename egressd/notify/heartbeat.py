"""The heartbeat: a URL is called because a sweep was completed, never because time has passed."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec.structs import replace

from egressd import clock
from egressd.model.notification import Feed, Receiver
from egressd.notify.interface import Beat, DeliveryStore
from egressd.notify.result import DeliveryResult
from egressd.notify.retry import Retry
from egressd.notify.transport.answer import BUSY, GIVEN_UP, Success
from egressd.notify.transport.http import send_get
from egressd.notify.wakeup import wait_for

SUCCESS = Success(errors={"ok (not found)": GIVEN_UP, "ok (rate limited)": BUSY})
"""What services for heartbeats answer differs; these two of Healthchecks look like success."""
SHARE = 0.8
"""The share of the interval that one call may take; a call is retried only until the interval is over."""


async def call_heartbeat(receiver: Receiver) -> DeliveryResult:
    """Call the receiver's URL once."""
    return await send_get(receiver, success=SUCCESS)


@dataclass(slots=True, kw_only=True)
class HeartbeatWorker:
    """The delivery task of one heartbeat. Only the latest sweep counts; missed calls are not repeated."""

    name: str
    store: DeliveryStore
    beat: Beat
    retry: Retry
    _sweeps: int = field(init=False)
    _due_since: float | None = None
    """When the latest sweep was seen that is not called for yet, on the monotonic clock."""

    def __post_init__(self) -> None:
        self._sweeps = self.store.current.counters.sweeps

    async def run(self) -> None:
        """Call after each sweep, as long as the receiver is configured."""
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
        """Return the seconds until the call for the latest sweep; None: it was made, or it is too late."""
        snapshot = self.store.current
        if snapshot.counters.sweeps > self._sweeps:
            self._sweeps, self._due_since = snapshot.counters.sweeps, clock.monotonic()
            self.retry.reset()
        if self._due_since is None:
            return None
        left = self._due_since + snapshot.settings.interval - clock.monotonic()
        if self.retry.wait > left:
            self._due_since = None
            return None
        return self.retry.wait

    async def _call(self, receiver: Receiver) -> None:
        most = SHARE * self.store.current.settings.interval
        quick = replace(receiver, timeout=min(receiver.timeout, most))
        sweeps = self._sweeps
        delivery = await self.retry.attempt(self.beat(quick), receiver=receiver.name)
        self.store.tried(receiver.name, delivery)
        if sweeps == self._sweeps and (delivery.ok or not delivery.retry):
            self._due_since = None
