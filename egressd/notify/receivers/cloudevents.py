"""CloudEvents 1.0 in structured mode.

An intermediary need not take more than 64 KiB (CloudEvents 1.0, "Size Limits"): an alert with more
to name is several events that share its lists. Each has an id of its own, the same on every try.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Literal
from urllib.parse import quote

from egressd.model.alert import Alert, Notice
from egressd.model.notification import Alerting, Receiver
from egressd.net.scrub import scrub
from egressd.notify.content import facts
from egressd.notify.content.labels import labels_of
from egressd.notify.content.layout import pack
from egressd.notify.content.message import Message
from egressd.notify.interface import Part
from egressd.notify.receivers.interface import ReceiverType
from egressd.notify.schema import QueueSettings, UrlSettings
from egressd.notify.transport.http import posts

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
LARGEST = 64 * 1024
"""Bytes of one event."""
_LISTS = ("targets", "evidence", "sources", "profiles", "succeeded_by")

Item = tuple[str, str]
"""The name of a list, and one thing in it."""


class CloudEventsSettings(QueueSettings, UrlSettings):
    """A URL that takes CloudEvents."""

    type: Literal["cloudevents"]
    """CloudEvents 1.0 in JSON."""


class _CloudEvents:
    settings = CloudEventsSettings

    def parts(self, receiver: Receiver, message: Message) -> Iterable[Part]:
        """Post the events of one notice."""
        return posts(receiver, cloud_events(message), CONTENT_TYPE)


RECEIVER: ReceiverType = _CloudEvents()


def cloud_events(message: Message) -> tuple[bytes, ...]:
    """Return the bodies of the POSTs."""
    notice, rules = message.notice, message.rules
    known = _known(notice, message.dropped, rules)
    room = LARGEST - len(_json(_event(notice, known, (), part=9999, parts=9999, rules=rules)))
    shares = pack(tuple(_items(notice.alert)), room, _size, most=LARGEST)
    return tuple(
        _json(_event(notice, known, share, part=part, parts=len(shares), rules=rules))
        for part, share in enumerate(shares, 1)
    )


def _event(
    notice: Notice, known: dict[str, Any], share: Iterable[Item], *, part: int, parts: int, rules: Alerting
) -> dict[str, Any]:
    share = tuple(share)
    lists = {name: [item for kind, item in share if kind == name] for name in _LISTS}
    return {
        "specversion": "1.0",
        "id": notice.id if part == 1 else f"{notice.id}/{part}",
        "source": f"/egressd/{quote(rules.instance, safe='')}",
        "type": f"io.egressd.alert.{notice.kind.value}",
        "subject": notice.alert.id,
        "time": notice.at,
        "datacontenttype": "application/json",
        "data": {**known, **lists, "part": part, "parts": parts},
    }


def _known(notice: Notice, dropped: int, rules: Alerting) -> dict[str, Any]:
    """Return what every event of the notice says."""
    alert, condition = notice.alert, notice.alert.condition
    return {
        "notice": notice.id,
        "kind": notice.kind.value,
        "change": scrub(notice.change, facts.LONGEST_TITLE),
        "alert": alert.id,
        "name": condition.alertname.value,
        "state": alert.state.value,
        "severity": condition.severity.value,
        "labels": labels_of(condition, rules),
        "labels_before": labels_of(notice.before, rules) if notice.before else None,
        "summary": scrub(condition.summary, facts.LONGEST_TITLE),
        "since": condition.since,
        "opened": alert.opened,
        "closed": alert.closed,
        "resolution": alert.resolution.value if alert.resolution else None,
        "reason": condition.reason,
        "phase": condition.phase.value if condition.phase else None,
        "confidence": condition.confidence.value if condition.confidence else None,
        "blame": condition.blame.value if condition.blame else None,
        "blame_confidence": condition.blame_confidence.value if condition.blame_confidence else None,
        "suspects": [
            {"blame": one.blame.value, "decided_by": scrub(one.decided_by, facts.LONGEST_LINE)}
            for one in condition.suspects or ()
        ],
        "ask": facts.advice_of(condition),
        "runbook": facts.runbook(condition, rules),
        "dropped": dropped,
    }


def _items(alert: Alert) -> Iterator[Item]:
    condition = alert.condition
    for name, found in zip(
        _LISTS,
        (
            facts.target_names(condition),
            facts.evidence_of(condition),
            *(
                tuple(scrub(one, facts.LONGEST_NAME) for one in names)
                for names in (condition.sources, condition.profiles, alert.succeeded_by)
            ),
        ),
        strict=True,
    ):
        yield from ((name, item) for item in found)


def _size(item: Item) -> int:
    return len(_json(item[1])) + len(",")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
