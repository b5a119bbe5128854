"""One step of the alerts: the same with a look at the network and without. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from egressd import clock
from egressd.alerting import advance_alerts, in_force, receivers_for
from egressd.alerting.silences import ActiveSilence
from egressd.model.alert import Alert, AlertName, Notice, NoticeKind, Outbox, Silence
from egressd.model.event import NoticePosted
from egressd.model.notification import Notify
from egressd.model.snapshot import Counters, Maintenance, ReceiverStatus, Snapshot
from egressd.notify.outbox import bounds_of, dropped_of, enqueue, restrict

MOST_NAMED = 100
"""Targets that an event names at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a step led to."""

    snapshot: Snapshot
    events: tuple[NoticePosted, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()
    """Notices that the bound cost, by receiver."""


def active_silences(
    snapshot: Snapshot, silences: tuple[Silence, ...], now: datetime
) -> tuple[ActiveSilence, ...]:
    """Return the maintenance windows that are in force now."""
    return in_force(snapshot.settings.alerting.maintenance, silences, now)


def evaluate(
    snapshot: Snapshot, windows: tuple[ActiveSilence, ...], *, now: datetime, limits: Mapping[str, float]
) -> Evaluation:
    """Advance the alerts, and queue what is to be said of them.

    `limits`: seconds a profile may be offline, by profile.
    """
    alerts, notices = advance_alerts(snapshot, windows, now=now, limits=limits)
    outbox, events = _post(snapshot, notices)
    dropped = tuple(_fresh_drops(snapshot.outbox, outbox, snapshot.settings.notify))
    after = replace(
        snapshot,
        alerts=alerts,
        outbox=outbox,
        maintenance=tuple(_shown(one) for one in windows),
        receivers=tuple(receiver_statuses(snapshot.receivers, snapshot.settings.notify, outbox)),
        counters=count_dropped(snapshot.counters, dropped),
    )
    return Evaluation(snapshot=after, events=events, dropped=dropped)


def fit_receivers(snapshot: Snapshot) -> tuple[Snapshot, tuple[tuple[str, int], ...]]:
    """Fit queue, counts and receiver_statuses to the receivers that are configured.

    Returns what waited for receivers that are not there any more as well.
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
    dropped = tuple(_fresh_drops(snapshot.outbox, outbox, notify))
    known = snapshot.receivers or _failing(snapshot.alerts)
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
    """Yield how each receiver does, with what waits for it now."""
    known = {one.name: one for one in before}
    counts = Counter(queued.receiver for queued in outbox.waiting)
    for one in notify.receivers:
        status = known.get(one.name) or ReceiverStatus(name=one.name)
        yield replace(status, waiting=counts[one.name])


def count_dropped(counters: Counters, dropped: Iterable[tuple[str, int]]) -> Counters:
    """Add notices that were given up."""
    return replace(counters, notifications_dropped=add_counts(counters.notifications_dropped, dropped))


def add_counts(counts: Mapping[str, int], more: Iterable[tuple[str, int]]) -> Mapping[str, int]:
    """Return counts by name, with more of some of them."""
    found = Counter(counts)
    for name, count in more:
        found[name] += count
    return MappingProxyType(dict(found))


def _post(snapshot: Snapshot, notices: tuple[Notice, ...]) -> tuple[Outbox, tuple[NoticePosted, ...]]:
    notify = snapshot.settings.notify
    letters = [(notice, receivers_for(notice, notify)) for notice in notices]
    outbox = enqueue(snapshot.outbox, letters, bounds_of(notify))
    return outbox, tuple(_posted(notice, receivers) for notice, receivers in letters)


def _posted(notice: Notice, receivers: tuple[str, ...]) -> NoticePosted:
    alert, condition = notice.alert, notice.alert.condition
    return NoticePosted(
        at=notice.at,
        notice=notice.id,
        said=notice.kind,
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


def _fresh_drops(before: Outbox, after: Outbox, notify: Notify) -> Iterable[tuple[str, int]]:
    for one in notify.receivers:
        count = dropped_of(after, one.name) - dropped_of(before, one.name)
        if count > 0:
            yield one.name, count


def _shown(one: ActiveSilence) -> Maintenance:
    return Maintenance(
        name=one.name,
        began=clock.timestamp(one.began),
        ends=clock.timestamp(one.ends),
        reason=one.reason,
        by=one.by,
    )


def _zeroed(counts: Mapping[str, int], names: Iterable[str]) -> Mapping[str, int]:
    return MappingProxyType({name: counts.get(name, 0) for name in names})


def _failing(alerts: Iterable[Alert]) -> Iterable[ReceiverStatus]:
    """Yield who failed before a restart: nobody has tried since, so nothing is mended."""
    for one in alerts:
        if one.is_open and one.condition.alertname is AlertName.NOTIFICATIONS_FAILING:
            name = dict(one.condition.labels).get("receiver", "")
            why = next(iter(one.condition.evidence), "")
            yield ReceiverStatus(name=name, failing_since=one.condition.since, why=why)
