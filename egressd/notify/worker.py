"""Delivers from the queue of one receiver: in order, the next batch only when the one before is delivered."""

from __future__ import annotations

from msgspec import Struct

from egressd import clock
from egressd.model.alert import Outbox, Queued
from egressd.model.notification import Feed, Receiver
from egressd.notify.interface import Deliver, DeliveryStore
from egressd.notify.outbox import batch_of, dropped_of, due_in
from egressd.notify.result import DeliveryResult
from egressd.notify.retry import Retry
from egressd.notify.wakeup import wait_for

STUCK_AFTER = 10
"""Answered failures in a row, some minutes, after which the next notice is tried too: a receiver that fails
on one message must not keep all that come after it."""

Batch = tuple[Queued, ...]


class QueueWorker(Struct, kw_only=True):
    """The delivery task of one receiver with a queue."""

    name: str
    store: DeliveryStore
    deliver: Deliver
    retry: Retry
    _receiver: Receiver | None = None
    _partial: tuple[Batch, int] = ((), 0)
    """What was not delivered completely, and how many parts of it have arrived."""
    _alone_until: int = 0
    """The number of the last notice of a digest that was refused: those are delivered one by one."""

    async def run(self) -> None:
        """Deliver what is due, as long as the receiver is configured."""
        while (receiver := self._configured()) is not None:
            wakeup = self.store.wakeup
            woken = wakeup.next
            seconds = self._due_in(receiver)
            if seconds == 0:
                await self._deliver(receiver)
            elif wakeup.closing:
                return
            else:
                await wait_for(woken, seconds)

    def _configured(self) -> Receiver | None:
        """Return the receiver as configured now; after a change the next attempt is made at once."""
        receiver = self.store.current.settings.notify.receiver(self.name)
        if receiver != self._receiver:
            self._receiver, self._partial = receiver, ((), 0)
            self.retry.reset()
        return None if receiver is None or receiver.feed is not Feed.NOTICES else receiver

    def _due_in(self, receiver: Receiver) -> float | None:
        seconds = due_in(self.store.current.outbox, receiver, clock.now())
        if seconds is None:
            return None
        return max(0.0 if self.store.wakeup.closing else seconds, self.retry.wait)

    async def _deliver(self, receiver: Receiver) -> None:
        snapshot = self.store.current
        batch, skip = self._batch(snapshot.outbox, receiver)
        dropped = dropped_of(snapshot.outbox, receiver.name)
        delivery = await self._attempt(receiver, batch, dropped=dropped, skip=skip)
        count = len(batch) if delivery.ok else delivery.delivered
        arrived, rest = batch[:count], batch[count:]
        self._partial = (rest, delivery.parts)
        if arrived:
            await self.store.delivered(receiver.name, arrived, dropped_reported=dropped)
        stuck = delivery.answered and self.retry.failures >= STUCK_AFTER
        if len(rest) > 1 and (stuck or not delivery.retry):
            # One of them may be the reason; the others must not wait for it, nor be lost with it.
            self._partial, self._alone_until = ((), 0), rest[-1].number
        elif stuck and await self._next_arrives(receiver, after=rest):
            await self._set_aside(receiver, rest, f"another one was taken meanwhile; {delivery.why}")
        elif not delivery.ok and not delivery.retry:
            await self._set_aside(receiver, rest, delivery.why)

    async def _attempt(
        self, receiver: Receiver, batch: Batch, *, dropped: int = 0, skip: int = 0
    ) -> DeliveryResult:
        attempt = self.deliver(
            receiver,
            tuple(one.notice for one in batch),
            dropped=dropped,
            rules=self.store.current.settings.alerting,
            skip=skip,
        )
        delivery = await self.retry.attempt(attempt, receiver=receiver.name)
        self.store.tried(receiver.name, delivery)
        return delivery

    async def _next_arrives(self, receiver: Receiver, *, after: Batch) -> bool:
        """Deliver the notice behind what is stuck; return whether it arrived: then these are the reason."""
        last = after[-1].number
        following = tuple(one for one in self.store.current.outbox.of(receiver.name) if one.number > last)[:1]
        if not following or not (await self._attempt(receiver, following)).ok:
            return False
        await self.store.delivered(receiver.name, following, dropped_reported=0)
        return True

    async def _set_aside(self, receiver: Receiver, batch: Batch, why: str) -> None:
        self._partial = ((), 0)
        await self.store.refused(receiver.name, batch, why=why)

    def _batch(self, outbox: Outbox, receiver: Receiver) -> tuple[Batch, int]:
        """Return what to deliver, and how many parts of it have arrived already.

        A message that arrived in part is continued, unless some of its notices were dropped meanwhile.
        """
        batch, parts = self._partial
        if parts and batch == outbox.of(receiver.name)[: len(batch)]:
            return batch, parts
        batch = batch_of(outbox, receiver)
        return batch[:1] if batch and batch[0].number <= self._alone_until else batch, 0
