"""Alertmanager: one push to one peer, in as many requests as it takes."""

from __future__ import annotations

from datetime import datetime

from egressd.model.alert import Alert
from egressd.model.notification import Alerting, Receiver
from egressd.notify.alertmanager.payload import CONTENT_TYPE, alert_entries, push_bodies
from egressd.notify.result import DeliveryResult, arrived
from egressd.notify.transport.answer import Success
from egressd.notify.transport.http import HttpRequest, send_request

SUCCESS = Success(
    words="nothing, as Alertmanager does",
    holds=lambda answer: answer.text.lower() in ("", "ok") or answer.document is not None,
)
"""Alertmanager's answer is empty (its OpenAPI, `postAlerts`); what takes its place may say it in JSON."""
_PATH = "/api/v2/alerts"


async def push_alerts(
    receiver: Receiver, url: str, alerts: tuple[Alert, ...], *, now: datetime, rules: Alerting
) -> DeliveryResult:
    """Push to one peer what fires and what has ended.

    Stops at the first request that fails and can be retried: the next push repeats all of them. A refused
    request does not stop the others.
    """
    target = _target(url)
    ended = arrived()
    for body in push_bodies(alert_entries(alerts, now=now, rules=rules)):
        delivery = await send_request(
            receiver, target, HttpRequest(body=body, content_type=CONTENT_TYPE, success=SUCCESS)
        )
        if delivery.retry:
            return delivery
        ended = ended if delivery.ok else delivery
    return ended


def _target(url: str) -> str:
    base = url.rstrip("/")
    return base if base.endswith(_PATH) else base + _PATH
