"""Webhooks: a notice in the JSON of Alertmanager's own, version 4, so that every program for those takes it.

`groupKey` is the alert's own and stays while its labels change; each alert is one group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from egressd.model.alert import Alert, Condition, Notice, NoticeKind
from egressd.model.notification import Alerting, Receiver
from egressd.notify.content.annotations import annotate
from egressd.notify.content.facts import report_dropped
from egressd.notify.content.labels import fingerprint, labels_of
from egressd.notify.content.message import Message
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import QueueSettings, UrlSettings
from egressd.notify.transport.http import posts

CONTENT_TYPE = "application/json"
NEVER = "0001-01-01T00:00:00Z"
"""The end of what has none, as Go writes it."""


class WebhookSettings(QueueSettings, UrlSettings):
    """A URL that takes a POST."""

    type: Literal["webhook"]
    """The JSON of Alertmanager's own webhooks, version 4."""


class _Webhook:
    settings = WebhookSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Post one notice."""
        return posts(receiver, (webhook_body(message, receiver=receiver.name),), CONTENT_TYPE)


RECEIVER: ReceiverType = _Webhook()


def webhook_body(message: Message, *, receiver: str) -> bytes:
    """Return the body of a POST."""
    notice = message.notice
    alerts = list(_alerts(notice, message.dropped, message.rules))
    group = {"alertname": notice.alert.condition.alertname.value}
    document = {
        "version": "4",
        "groupKey": f"{{}}/{{egressd_alert={json.dumps(notice.alert.id)}}}:{_group(group)}",
        "truncatedAlerts": 0,
        "status": alerts[0]["status"],
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": _common([one["labels"] for one in alerts]),
        "commonAnnotations": _common([one["annotations"] for one in alerts]),
        "externalURL": "",
        "alerts": alerts,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _alerts(notice: Notice, dropped: int, rules: Alerting) -> Iterator[dict[str, Any]]:
    """Yield the alert; where its labels have changed, also the alert as last notified, as ended."""
    alert, over = notice.alert, notice.kind is NoticeKind.CLOSED
    notes = annotate(alert, rules, change=notice.change, dropped=report_dropped(dropped) if dropped else "")
    yield _alert(
        alert, alert.condition, end=(alert.closed or notice.at) if over else None, notes=notes, rules=rules
    )
    before = notice.before
    if before is not None and labels_of(before, rules) != labels_of(alert.condition, rules):
        yield _alert(alert, before, end=notice.at, notes=notes, rules=rules)


def _alert(
    alert: Alert, condition: Condition, *, end: str | None, notes: dict[str, str], rules: Alerting
) -> dict[str, Any]:
    labels = labels_of(condition, rules)
    return {
        "status": "firing" if end is None else "resolved",
        "labels": labels,
        "annotations": notes,
        "startsAt": alert.opened or alert.started,
        "endsAt": end or NEVER,
        "generatorURL": "",
        "fingerprint": fingerprint(labels),
    }


def _common(sets: list[dict[str, str]]) -> dict[str, str]:
    first, *others = sets
    return {name: value for name, value in first.items() if all(one.get(name) == value for one in others)}


def _group(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"
