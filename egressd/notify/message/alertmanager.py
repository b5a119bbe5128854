"""Alerts as Alertmanager's API v2 takes them, and what a peer must be told is over.

A label set is an alert's whole identity there, and ours change: the reason becomes known, the severity rises.
The set before must then be ended. Part of that is in the alert itself (`told` is the condition as it was
when something was last said); the rest is in what we pushed. `Shown` remembers that, one per peer, in memory
only: after a restart it is empty, and what it would have ended ends by itself `HOLD` after its last push.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from egressd.model.alert import Alert, AlertState, Condition
from egressd.model.notification import Alerting
from egressd.model.observation import Timestamp
from egressd.notify.message.words.labels import fingerprint, fires, labels_of
from egressd.notify.message.words.notes import annotate
from egressd.notify.message.words.span import moment
from egressd.notify.message.words.split import pack

HOLD = timedelta(minutes=4)
"""How long a firing alert is believed without word from us: two pushes may be lost, a minute apart."""
REPEAT = timedelta(minutes=15)
"""How long an end is told again, as Prometheus does."""
MOST = 64
"""Alerts in one request, as Prometheus sends them."""
LARGEST = 1_000_000
"""Bytes of one request, but for an alert that is larger alone."""
TYPE = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One alert of a request."""

    labels: Mapping[str, str]
    notes: Mapping[str, str]
    begins: datetime
    ends: datetime
    fires: bool

    @property
    def key(self) -> str:
        """The label set, as Alertmanager's fingerprint."""
        return fingerprint(self.labels)


Shown = tuple[Entry, ...]
"""What a peer was told, and not yet long enough that it is over. Empty at first."""


def entries(alerts: Iterable[Alert], shown: Shown, *, now: datetime, rules: Alerting) -> tuple[Entry, ...]:
    """Return all a peer is to be told now, by label set: what fires, and what is over.

    Where two claim one label set, the one that fires is right.
    """
    told = tuple(one for alert in alerts for one in _of_alert(alert, now=now, rules=rules))
    there = {one.key for one in told}
    ended = tuple(_ended(one, now) for one in shown if one.key not in there)
    best: dict[str, Entry] = {}
    for one in (*ended, *told):
        if one.key not in best or one.fires >= best[one.key].fires:
            best[one.key] = one
    return tuple(best.values())


def remember(told: Iterable[Entry], *, now: datetime) -> Shown:
    """Return what a peer must hear of again after it has taken these: all that fires, and fresh ends."""
    return tuple(one for one in told if one.fires or now - one.ends < REPEAT)


def requests(told: Iterable[Entry]) -> tuple[bytes, ...]:
    """Return the bodies of the requests that tell a peer, in order."""
    bodies = [_json(_document(one)) for one in told]
    return tuple(f"[{','.join(group)}]".encode() for group in pack(bodies, LARGEST, len, most=MOST))


def _of_alert(alert: Alert, *, now: datetime, rules: Alerting) -> Iterator[Entry]:
    if alert.state is AlertState.PENDING:
        return
    firing = fires(alert)
    yield _entry(alert, alert.condition, ends=None if firing else _end(alert, now), now=now, rules=rules)
    if alert.told is not None and labels_of(alert.told, rules) != labels_of(alert.condition, rules):
        yield _entry(alert, alert.told, ends=_end(alert, now), now=now, rules=rules)


def _entry(
    alert: Alert, condition: Condition, *, ends: datetime | None, now: datetime, rules: Alerting
) -> Entry:
    begins = min(now, moment(alert.opened or alert.started))
    return Entry(
        labels=labels_of(condition, rules),
        notes=annotate(alert, rules),
        begins=begins,
        ends=now + HOLD if ends is None else max(begins, ends),
        fires=ends is None,
    )


def _end(alert: Alert, now: datetime) -> datetime:
    """Return when it was over: never after now, or Alertmanager would hold it for firing until then."""
    return min(now, moment(alert.closed)) if alert.closed is not None else now


def _ended(one: Entry, now: datetime) -> Entry:
    ends = max(one.begins, now) if one.fires else one.ends
    return Entry(labels=one.labels, notes=one.notes, begins=one.begins, ends=ends, fires=False)


def _document(one: Entry) -> dict[str, Any]:
    return {
        "labels": dict(one.labels),
        "annotations": dict(one.notes),
        "startsAt": _time(one.begins),
        "endsAt": _time(one.ends),
    }


def _time(at: datetime) -> Timestamp:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
