"""One evaluation of the alerts, after a probe or when time has passed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from egressd.alerting import receivers_for
from egressd.model.alert import Alert, AlertName, Notice, NoticeKind, Outbox, Silence
from egressd.model.event import NoticePosted
from egressd.model.notification import Notify
from egressd.model.snapshot import Counters, ReceiverStatus, Snapshot
from egressd.notify.outbox import bounds_of, dropped_of, enqueue, restrict

MOST_NAMED = 100
"""Targets in one event at most."""


class Evaluation(Struct, frozen=True, kw_only=True):
    """The result of one evaluation."""

    snapshot: Snapshot
    events: tuple[NoticePosted, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()
    """Notices dropped because a queue was full, by receiver."""


def take_over_alerts(
    snapshot: Snapshot, alerts: tuple[Alert, ...], notices: tuple[Notice, ...], silences: tuple[Silence, ...]
) -> Evaluation:
    """Put advanced alerts into a snapshot and queue the notices that are due.

    `silences` are those with which they were advanced.
    """
    outbox, events = _queue(snapshot, notices)
    dropped = tuple(_new_drops(snapshot.outbox, outbox, snapshot.settings.notify))
    after = replace(
        snapshot,
        alerts=alerts,
        outbox=outbox,
        silences=silences,
        receivers=tuple(receiver_statuses(snapshot.receivers, snapshot.settings.notify, outbox)),
        counters=count_dropped(snapshot.counters, dropped),
    )
    return Evaluation(snapshot=after, events=events, dropped=dropped)


def fit_receivers(snapshot: Snapshot) -> tuple[Snapshot, tuple[tuple[str, int], ...]]:
    """Fit queue, counters and statuses to the configured receivers.

    Returns also how many notices are dropped with receivers that are not configured any more, by name.
    """
    notify, counters = snapshot.settings.notify, snapshot.counters
    outbox, lost = restrict(snapshot.outbox, bounds_of(notify))
    names = [one.name for one in notify.receivers]
    fitted = replace(
        counters,
        notifications=_zeroed(counters.notifications, names),
        notifications_failed=_zeroed(counters.notifications_failed, names),
        notifications_dropped=_zeroed(counters.notifications_dropped, names),
    )
    dropped = tuple(_new_drops(snapshot.outbox, outbox, notify))
    known = snapshot.receivers or _failing_before_restart(snapshot.alerts)
    made = replace(
        snapshot,
        outbox=outbox,
        counters=count_dropped(fitted, dropped),
        receivers=tuple(receiver_statuses(known, notify, outbox)),
    )
    return made, lost


def receiver_statuses(
    before: Iterable[ReceiverStatus], notify: Notify, outbox: Outbox
) -> Iterable[ReceiverStatus]:
    """Yield the status of each configured receiver, with the length of its queue."""
    known = {one.name: one for one in before}
    counts = Counter(queued.receiver for queued in outbox.waiting)
    for one in notify.receivers:
        status = known.get(one.name) or ReceiverStatus(name=one.name)
        yield replace(status, waiting=counts[one.name])


def count_dropped(counters: Counters, dropped: Iterable[tuple[str, int]]) -> Counters:
    """Add dropped notices."""
    return replace(counters, notifications_dropped=add_counts(counters.notifications_dropped, dropped))


def add_counts(counts: Mapping[str, int], more: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Return counts by name, increased."""
    found = Counter(counts)
    for name, count in more:
        found[name] += count
    return MappingProxyType(dict(found))


def _queue(snapshot: Snapshot, notices: tuple[Notice, ...]) -> tuple[Outbox, tuple[NoticePosted, ...]]:
    notify = snapshot.settings.notify
    addressed = [(notice, receivers_for(notice, notify)) for notice in notices]
    outbox = enqueue(snapshot.outbox, addressed, bounds_of(notify))
    return outbox, tuple(_event(notice, receivers) for notice, receivers in addressed)


def _event(notice: Notice, receivers: tuple[str, ...]) -> NoticePosted:
    alert, condition = notice.alert, notice.alert.condition
    return NoticePosted(
        at=notice.at,
        notice=notice.id,
        notice_kind=notice.kind,
        alert=alert.id,
        alertname=condition.alertname,
        severity=condition.severity,
        summary=condition.summary,
        since=condition.since,
        reason=condition.reason,
        resolution=alert.resolution if notice.kind is NoticeKind.CLOSED else None,
        change=notice.change,
        targets=condition.targets[:MOST_NAMED],
        receivers=receivers,
    )


def _new_drops(before: Outbox, after: Outbox, notify: Notify) -> Iterable[tuple[str, int]]:
    for one in notify.receivers:
        count = dropped_of(after, one.name) - dropped_of(before, one.name)
        if count > 0:
            yield one.name, count


def _zeroed(counts: Mapping[str, int], names: Iterable[str]) -> Mapping[str, int]:
    return MappingProxyType({name: counts.get(name, 0) for name in names})


def _failing_before_restart(alerts: Iterable[Alert]) -> Iterable[ReceiverStatus]:
    """Yield receivers with an open alert: they count as failing until a delivery succeeds."""
    for one in alerts:
        if one.is_open and one.condition.alertname is AlertName.NOTIFICATIONS_FAILING:
            name = dict(one.condition.labels).get("receiver", "")
            why = next(iter(one.condition.evidence), "")
            since = one.condition.since
            yield ReceiverStatus(name=name, failing_since=since, unreached_since=since, why=why)
