"""The notification queue: bounded, in order, each notice once for each receiver. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from egressd.model.alert import Notice, Outbox, Queued
from egressd.model.notification import Feed, Notify, Receiver
from egressd.notify.overflow import choose_dropped


def bounds_of(notify: Notify) -> dict[str, int]:
    """Return how many notices may wait for each receiver that is fed from the queue."""
    return {one.name: one.queue for one in notify.receivers if one.feed is Feed.NOTICES}


def enqueue(
    outbox: Outbox, notices: Iterable[tuple[Notice, Iterable[str]]], bounds: Mapping[str, int]
) -> Outbox:
    """Queue notices in this order, each for those of its receivers that have a bound.

    Beyond it, the least urgent are dropped. What waits for a receiver already is not queued for it again.
    """
    queued = {(one.receiver, one.notice.id) for one in outbox.waiting}
    waiting, number = list(outbox.waiting), outbox.next_number
    for notice, receivers in notices:
        for name in receivers:
            if name in bounds and (name, notice.id) not in queued:
                queued.add((name, notice.id))
                waiting.append(Queued(receiver=name, number=number, notice=notice))
                number += 1
    return _bounded(replace(outbox, waiting=tuple(waiting), next_number=number), bounds)


def due_in(outbox: Outbox, receiver: Receiver, now: datetime) -> float | None:
    """Return in how many seconds the queue of a receiver is due; None: it is empty.

    The whole queue is due once its first notice has waited as long as it should. A clock that was set back
    delays nothing.
    """
    waiting = outbox.of(receiver.name)
    if not waiting:
        return None
    age = (now - datetime.fromisoformat(waiting[0].notice.at)).total_seconds()
    return 0.0 if age < 0 else max(0.0, receiver.wait - age)


def batch_of(outbox: Outbox, receiver: Receiver) -> tuple[Queued, ...]:
    """Return what the next delivery takes: the first notice, or all where they are a digest."""
    waiting = outbox.of(receiver.name)
    digest = receiver.digest is not None and len(waiting) > receiver.digest
    return waiting if digest else waiting[:1]


def dropped_of(outbox: Outbox, receiver: str) -> int:
    """Return how many notices of a receiver were dropped and not reported to it yet."""
    return dict(outbox.dropped).get(receiver, 0)


def remove_delivered(
    outbox: Outbox, numbers: Iterable[int], receiver: str, *, dropped_reported: int = 0
) -> Outbox:
    """Remove delivered notices, and the count of dropped ones that was reported with them.

    What was dropped while it was being sent has arrived after all, and is not counted as dropped.
    """
    arrived = frozenset(numbers)
    waiting = {one.number for one in outbox.of(receiver)}
    left = dropped_of(outbox, receiver) - dropped_reported - len(arrived - waiting)
    kept = tuple(one for one in outbox.waiting if one.receiver != receiver or one.number not in arrived)
    return _with_dropped(replace(outbox, waiting=kept), {receiver: max(0, left)})


def restrict(outbox: Outbox, bounds: Mapping[str, int]) -> tuple[Outbox, tuple[tuple[str, int], ...]]:
    """Restrict the queue to configured receivers and their bounds.

    Returns the queue, and how many notices waited for each receiver that is no longer configured.
    """
    lost = Counter(one.receiver for one in outbox.waiting if one.receiver not in bounds)
    kept = replace(
        outbox,
        waiting=tuple(one for one in outbox.waiting if one.receiver in bounds),
        dropped=tuple((name, count) for name, count in outbox.dropped if name in bounds),
    )
    return _bounded(kept, bounds), tuple(sorted(lost.items()))


def _bounded(outbox: Outbox, bounds: Mapping[str, int]) -> Outbox:
    """Drop the least urgent notices beyond the bounds, and count them."""
    lengths = Counter(one.receiver for one in outbox.waiting)
    gone = {
        name: choose_dropped(outbox.of(name), lengths[name] - bound)
        for name, bound in bounds.items()
        if lengths[name] > bound
    }
    if not gone:
        return outbox
    numbers = frozenset[int]().union(*gone.values())
    kept = tuple(one for one in outbox.waiting if one.number not in numbers)
    counts = {name: dropped_of(outbox, name) + len(found) for name, found in gone.items()}
    return _with_dropped(replace(outbox, waiting=kept), counts)


def _with_dropped(outbox: Outbox, changes: Mapping[str, int]) -> Outbox:
    counts = {**dict(outbox.dropped), **changes}
    return replace(outbox, dropped=tuple(sorted((name, count) for name, count in counts.items() if count)))
