"""What is said of an alert: that it opened, changed, still holds, or is over. Nothing is said twice."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind
from egressd.model.notification import Alerting, Flapping
from egressd.wording import stamp

CHANGES_APART = 600.0
"""Seconds between two changes of one alert, unless it becomes more urgent."""
GROWN = 2
"""So many times the targets are worth telling..."""
MANY_MORE = 3
"""...where they are so many more."""


def next_notice(before: Alert | None, after: Alert, *, now: datetime, rules: Alerting) -> Notice | None:
    """Return what is to be said, with the alert as it is once that is said; None: nothing."""
    was_open = before is not None and before.is_open
    if after.is_open and not was_open:
        return _notice(after, NoticeKind.OPENED, now=now, change=_flaps(after, rules.flapping))
    if was_open and after.state is AlertState.RESOLVED:
        return _notice(after, NoticeKind.CLOSED, now=now, change=", ".join(after.succeeded_by))
    if after.state is not AlertState.FIRING or after.told is None or after.told_at is None:
        return None
    quiet = (now - datetime.fromisoformat(after.told_at)).total_seconds()
    change = _change(after.told, after.condition)
    urgent = after.condition.severity.rank < after.told.severity.rank
    if change and (urgent or quiet >= CHANGES_APART):
        return _notice(after, NoticeKind.CHANGED, now=now, change=change)
    if rules.reminder is not None and quiet >= rules.reminder:
        return _notice(after, NoticeKind.REMINDED, now=now)
    return None


def identity(alert: Alert) -> str:
    """Return the id of the next thing said of an alert: the same, however often it is sent."""
    return hashlib.sha256(f"{alert.id}\0{alert.opened}\0{alert.notices}".encode()).hexdigest()[:32]


def _notice(alert: Alert, kind: NoticeKind, *, now: datetime, change: str = "") -> Notice:
    moment = stamp(now)
    said = replace(alert, told=alert.condition, told_at=moment, notices=alert.notices + 1)
    before = None if kind is NoticeKind.OPENED else alert.told
    return Notice(id=identity(alert), at=moment, kind=kind, alert=said, change=change, before=before)


def _change(told: Condition, now: Condition) -> str:
    """Say in words what is different enough to be told."""
    words = []
    if told.severity is not now.severity:
        words.append(f"was {told.severity}, is {now.severity}")
    if told.alertname is AlertName.UNREACHABLE and told.reason != now.reason:
        words.append(f"the reason was {told.reason}, is {now.reason}")
    before, after = len(told.targets), len(now.targets)
    if after >= GROWN * before and after - before >= MANY_MORE:
        words.append(f"touches {after} targets, were {before}")
    return "; ".join(words)


def _flaps(alert: Alert, flapping: Flapping) -> str:
    """Say so where an alert is opened again and again; from then on it is held open."""
    times = len(alert.openings)
    if times < flapping.times:
        return ""
    return (
        f"it comes and goes: opened {times} times within {flapping.within / 60:.0f} minutes, "
        f"and held open until it is calm for {flapping.hold / 60:.0f}"
    )
