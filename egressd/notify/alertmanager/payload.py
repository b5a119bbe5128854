"""Alerts as Alertmanager's API v2 takes them: firing or ended.

A label set is an alert's whole identity there, and ours change: the reason becomes known, the severity
rises. The previous set must then be ended. Here it is ended while the alert still has it (`notified`, the
condition last sent); other sets that a peer has taken are remembered by the worker, which passes them as
ended alerts. They are kept in memory only: what a restart forgets ends by itself, `HOLD` after it was last
sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from egressd.model.alert import Alert, AlertState, Condition
from egressd.model.notification import Alerting
from egressd.notify.content.annotations import annotate
from egressd.notify.content.labels import fingerprint, labels_of
from egressd.notify.content.layout import pack
from egressd.notify.content.times import parse_timestamp
from egressd.wording import stamp

HOLD = timedelta(minutes=8)
"""How long a firing alert holds without another push. Longer than the rules take to notice that egressd is
down (`EgressdDown`) or can't reach an Alertmanager: silence must not be taken for a repair before that."""
MOST = 64
"""Alerts in one request, as Prometheus sends them."""
LARGEST = 1_000_000
"""Bytes of one request, but for an alert that is larger alone."""
CONTENT_TYPE = "application/json"


class AlertEntry(Struct, frozen=True, kw_only=True):
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


def alert_entries(alerts: Iterable[Alert], *, now: datetime, rules: Alerting) -> tuple[AlertEntry, ...]:
    """Return what to push, one entry for each label set; of two alerts with one set, the firing one."""
    best: dict[str, AlertEntry] = {}
    for alert in alerts:
        for one in _of_alert(alert, now=now, rules=rules):
            if one.key not in best or one.fires >= best[one.key].fires:
                best[one.key] = one
    return tuple(best.values())


def push_bodies(found: Iterable[AlertEntry]) -> tuple[bytes, ...]:
    """Return the bodies of the requests, in order."""
    bodies = [_json(_document(one)) for one in found]
    groups = pack(bodies, LARGEST, len, most=MOST) if bodies else ()
    return tuple(f"[{','.join(group)}]".encode() for group in groups)


def _of_alert(alert: Alert, *, now: datetime, rules: Alerting) -> Iterator[AlertEntry]:
    if alert.state is AlertState.PENDING:
        return
    yield _entry(
        alert, alert.condition, ends=None if alert.is_open else _end(alert, now), now=now, rules=rules
    )
    if alert.notified is not None and labels_of(alert.notified, rules) != labels_of(alert.condition, rules):
        yield _entry(alert, alert.notified, ends=_end(alert, now), now=now, rules=rules)


def _entry(
    alert: Alert, condition: Condition, *, ends: datetime | None, now: datetime, rules: Alerting
) -> AlertEntry:
    begins = min(now, parse_timestamp(alert.opened or alert.started))
    return AlertEntry(
        labels=labels_of(condition, rules),
        notes=annotate(alert, rules),
        begins=begins,
        ends=now + HOLD if ends is None else max(begins, ends),
        fires=ends is None,
    )


def _end(alert: Alert, now: datetime) -> datetime:
    """Return when it was over: never after now, or Alertmanager would hold it for firing until then."""
    return min(now, parse_timestamp(alert.closed)) if alert.closed is not None else now


def _document(one: AlertEntry) -> dict[str, Any]:
    return {
        "labels": dict(one.labels),
        "annotations": dict(one.notes),
        "startsAt": stamp(one.begins),
        "endsAt": stamp(one.ends),
    }


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
