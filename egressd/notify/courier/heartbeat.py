"""The heartbeat: a URL is called because a sweep was completed, never because time has passed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from egressd import clock
from egressd.model.notification import Receiver, ReceiverKind
from egressd.notify.courier.attempt import Attempts
from egressd.notify.courier.office import Beat, Office, heard

SHARE = 0.8
"""Of the interval, that one call may take; a call is tried again only until the interval is over."""


@dataclass(slots=True, kw_only=True)
class Heartbeat:
    """The task of one receiver. Only the last sweep counts; what was missed is not made up for."""

    name: str
    office: Office
    beat: Beat
    attempts: Attempts
    _seen: int = field(init=False)
    _owed_since: float | None = None

    def __post_init__(self) -> None:
        self._seen = self.office.current.counters.sweeps

    async def run(self) -> None:
        """Call after each sweep."""
        while (receiver := self._configured()) is not None:
            rung = self.office.bell.next
            if self.office.bell.closing:
                return
            seconds = self._due_in()
            if seconds == 0:
                await self._call(receiver)
            else:
                await heard(rung, seconds)

    def _configured(self) -> Receiver | None:
        receiver = self.office.current.settings.notify.receiver(self.name)
        return receiver if receiver is not None and receiver.kind is ReceiverKind.HEARTBEAT else None

    def _due_in(self) -> float | None:
        """Return when to call for the last sweep; None: it was called for, or it is too late."""
        snapshot = self.office.current
        if snapshot.counters.sweeps > self._seen:
            self._seen, self._owed_since = snapshot.counters.sweeps, clock.monotonic()
            self.attempts.forget()
        if self._owed_since is None:
            return None
        left = self._owed_since + snapshot.settings.interval - clock.monotonic()
        if self.attempts.wait > left:
            self._owed_since = None
            return None
        return self.attempts.wait

    async def _call(self, receiver: Receiver) -> None:
        most = SHARE * self.office.current.settings.interval
        quick = replace(receiver, timeout=min(receiver.timeout, most))
        seen = self._seen
        delivery = await self.attempts.make(self.beat(quick), what=receiver.name)
        self.office.tried(receiver.name, delivery)
        if seen == self._seen and (delivery.ok or not delivery.retry):
            self._owed_since = None
