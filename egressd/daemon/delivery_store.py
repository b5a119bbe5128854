"""The queue of notices as delivery workers see it, on top of the state store."""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.daemon.evaluate import add_counts, count_dropped, receiver_statuses
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.state_store import StateStore
from egressd.log import get_logger
from egressd.model.alert import Queued
from egressd.model.snapshot import Counters, ReceiverStatus, Snapshot
from egressd.notify.alertmanager.worker import peer_labels
from egressd.notify.outbox import remove_delivered
from egressd.notify.result import DeliveryResult
from egressd.notify.wakeup import Wakeup

log = get_logger("egressd")


class DaemonDeliveryStore(Struct, kw_only=True):
    """Gives workers saved notices, and records how deliveries went."""

    holder: SnapshotHolder
    store: StateStore
    _failures: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)
    """By receiver, then by peer: failing since, and the last error."""

    @property
    def wakeup(self) -> Wakeup:
        """Set whenever a snapshot was saved."""
        return self.store.wakeup

    @property
    def current(self) -> Snapshot:
        """The newest saved snapshot."""
        return self.store.saved

    def tried(self, receiver: str, delivery: DeliveryResult, *, peer: str = "") -> None:
        """Count an attempt and keep its outcome; changes are logged."""
        before = self._status(receiver)
        now = clock.timestamp()
        failures = self._known_failures(receiver)
        if delivery.ok:
            failures.pop(peer, None)
        else:
            since, _ = failures.get(peer, ((not failures and before.failing_since) or now, ""))
            failures[peer] = (since, f"{peer}: {delivery.why}" if peer else delivery.why)
        first = min(failures.values(), default=None)
        after = replace(
            before,
            failing_since=first[0] if first else None,
            unreached_since=None if delivery.ok else before.unreached_since or self._unreached(receiver),
            why=first[1] if first else "",
            delivered_at=now if delivery.ok else before.delivered_at,
        )
        self._put(after, _count(self.holder.current.counters, receiver, failed=not delivery.ok))
        _log_change(before, after, delivery)

    def _known_failures(self, receiver: str) -> dict[str, tuple[str, str]]:
        """Return the failures by peer, without peers that are not configured any more."""
        peers, known = self._peers(receiver), self._failures.get(receiver, {})
        self._failures[receiver] = {peer: known[peer] for peer in known if peer in peers}
        return self._failures[receiver]

    def _peers(self, receiver: str) -> frozenset[str]:
        """Return the configured peers; a receiver that has none is one without a label."""
        configured = self.holder.current.settings.notify.receiver(receiver)
        if configured is None:
            return frozenset()
        return frozenset(peer_labels(configured).values()) or frozenset({""})

    def _unreached(self, receiver: str) -> str | None:
        """Return since when every peer fails; None: one does not, or was not tried yet."""
        failures = self._failures[receiver]
        if not failures or self._peers(receiver) - failures.keys():
            return None
        return max(since for since, _ in failures.values())

    async def delivered(self, receiver: str, batch: tuple[Queued, ...], *, dropped_reported: int) -> None:
        """Take delivered notices out of the queue and save."""
        if dropped_reported:
            log.info(
                "dropped notifications were reported to a receiver",
                receiver=receiver,
                dropped=dropped_reported,
            )
        self._take_out(receiver, batch, dropped_reported=dropped_reported)
        await self.store.record(())

    async def refused(self, receiver: str, batch: tuple[Queued, ...], *, why: str) -> None:
        """Drop notices that a receiver refuses, log them and save."""
        log.error(
            "notifications were refused and are dropped",
            receiver=receiver,
            why=why,
            notices=[f"{one.notice.kind} {one.notice.alert.id}" for one in batch],
        )
        counters = count_dropped(self.holder.current.counters, ((receiver, len(batch)),))
        self.holder.update(counters=counters)
        self._take_out(receiver, batch, dropped_reported=0)
        await self.store.record(())

    def _take_out(self, receiver: str, batch: tuple[Queued, ...], *, dropped_reported: int) -> None:
        current = self.holder.current
        outbox = remove_delivered(
            current.outbox, (one.number for one in batch), receiver, dropped_reported=dropped_reported
        )
        found = receiver_statuses(current.receivers, current.settings.notify, outbox)
        self.holder.update(outbox=outbox, receivers=tuple(found))

    def _status(self, receiver: str) -> ReceiverStatus:
        found = (one for one in self.holder.current.receivers if one.name == receiver)
        return next(found, ReceiverStatus(name=receiver))

    def _put(self, status: ReceiverStatus, counters: Counters) -> None:
        receivers = self.holder.current.receivers
        updated = tuple(status if one.name == status.name else one for one in receivers)
        self.holder.update(receivers=updated, counters=counters)


def _count(counters: Counters, receiver: str, *, failed: bool) -> Counters:
    """Count an attempt; a receiver that is not configured any more gets no metric series."""
    if receiver not in counters.notifications:
        return counters
    return replace(
        counters,
        notifications=add_counts(counters.notifications, ((receiver, 1),)),
        notifications_failed=add_counts(counters.notifications_failed, ((receiver, int(failed)),)),
    )


def _log_change(before: ReceiverStatus, after: ReceiverStatus, delivery: DeliveryResult) -> None:
    if after.failing_since is None:
        if before.failing_since is not None:
            log.info("notifications are delivered again", receiver=after.name, since=before.failing_since)
        if delivery.ok and delivery.why:
            log.warning("a notification was delivered incompletely", receiver=after.name, why=delivery.why)
    elif before.failing_since is None or before.why != after.why:
        log.warning(
            "notifications can't be delivered", receiver=after.name, why=after.why, waiting=after.waiting
        )
