"""When to send a notice about an alert: opened, changed, reminder, resolved. Nothing is sent twice."""

from __future__ import annotations

import hashlib
from datetime import datetime

from msgspec.structs import replace

from egressd.model.alert import Alert, AlertName, AlertState, Condition, Notice, NoticeKind
from egressd.model.notification import Alerting, Flapping
from egressd.wording import stamp

CHANGES_APART = 600.0
"""Seconds between two notices of change, unless the alert becomes more urgent."""
GROWTH_FACTOR, GROWTH_TARGETS = 2, 3
"""An alert has changed when its targets are so many times, and so many, more."""


def next_notice(before: Alert | None, after: Alert, *, now: datetime, rules: Alerting) -> Notice | None:
    """Return the notice that is due, with the alert marked as notified; None: no notice is due."""
    was_open = before is not None and before.is_open
    if after.is_open and not was_open:
        return _notice(after, NoticeKind.OPENED, now=now, change=_flapping_text(after, rules.flapping))
    if was_open and after.state is AlertState.RESOLVED:
        return _notice(after, NoticeKind.CLOSED, now=now, change=", ".join(after.succeeded_by))
    if after.state is not AlertState.FIRING or after.notified is None or after.notified_at is None:
        return None
    elapsed = (now - datetime.fromisoformat(after.notified_at)).total_seconds()
    change = _change_text(after.notified, after.condition)
    urgent = after.condition.severity.rank < after.notified.severity.rank
    if change and (urgent or elapsed >= CHANGES_APART):
        return _notice(after, NoticeKind.CHANGED, now=now, change=change)
    if rules.reminder is not None and elapsed >= rules.reminder:
        return _notice(after, NoticeKind.REMINDED, now=now)
    return None


def notice_id(alert: Alert) -> str:
    """Return the id of an alert's next notice: the same on every retry."""
    return hashlib.sha256(f"{alert.id}\0{alert.opened}\0{alert.notices}".encode()).hexdigest()[:32]


def _notice(alert: Alert, kind: NoticeKind, *, now: datetime, change: str = "") -> Notice:
    at = stamp(now)
    after = replace(alert, notified=alert.condition, notified_at=at, notices=alert.notices + 1)
    before = None if kind is NoticeKind.OPENED else alert.notified
    return Notice(id=notice_id(alert), at=at, kind=kind, alert=after, change=change, before=before)


def _change_text(before: Condition, now: Condition) -> str:
    """Describe the changes that are worth a notice; empty: there are none."""
    words = []
    if before.severity is not now.severity:
        words.append(f"was {before.severity}, is {now.severity}")
    if before.alertname is AlertName.UNREACHABLE and before.reason != now.reason:
        words.append(f"the reason was {before.reason}, is {now.reason}")
    few, many = len(before.targets), len(now.targets)
    if many >= GROWTH_FACTOR * few and many - few >= GROWTH_TARGETS:
        words.append(f"touches {many} targets, were {few}")
    return "; ".join(words)


def _flapping_text(alert: Alert, flapping: Flapping) -> str:
    """Describe that an alert flaps, and from now on resolves late; empty: it does not."""
    times = len(alert.openings)
    if times < flapping.times:
        return ""
    return (
        f"it comes and goes: opened {times} times within {flapping.within / 60:.0f} minutes, "
        f"and held open until it is calm for {flapping.hold / 60:.0f}"
    )
