"""JSON for programs: labels of the rules, start and end of alerts, stable ids."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from egressd.alerting.notices import next_notice
from egressd.model.alert import Alert, AlertState, NoticeKind
from egressd.model.notification import Severity
from egressd.notify.alertmanager.payload import alert_entries, push_bodies
from egressd.notify.content.labels import fingerprint, labels_of
from egressd.notify.receivers.cloudevents import cloud_events
from egressd.notify.receivers.webhook import webhook_body
from tests.notify.content.sample import CAUSE, CLOSED, DOUBTED, OPENED, RULES, alert, message_of, notice, over
from tests.notify.receivers.schemas import CLOUDEVENT, POSTABLE_ALERTS, WEBHOOK, check

NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)
LATER = replace(CAUSE, labels=(("reason", "tcp_timeout"),), reason="tcp_timeout", severity=Severity.WARNING)


def pushed(*alerts: Alert) -> list[dict[str, Any]]:
    """Return what is pushed for alerts."""
    bodies = push_bodies(alert_entries(alerts, now=NOW, rules=RULES))
    documents = [json.loads(body) for body in bodies]
    for one in documents:
        check(POSTABLE_ALERTS, one)
    return [one for document in documents for one in document]


def posted(kind: NoticeKind = NoticeKind.OPENED, **fields: Any) -> dict[str, Any]:
    """Return the body that a webhook is sent."""
    document: dict[str, Any] = json.loads(webhook_body(message_of(notice(kind, **fields)), receiver="hook"))
    check(WEBHOOK, document)
    return document


def test_labels_are_those_of_the_rules() -> None:
    """Labels are name, severity, sender, job, instance, distinguishing and external ones; none is empty."""
    assert labels_of(CAUSE, RULES) == {
        "alertname": "EgressCause",
        "blame": "firewall_l7",
        "datacenter": "ams",
        "finding": "site-tls-reset",
        "instance": "bridge-1:10980",
        "job": "egressd",
        "reason": "tls_reset_after_hello",
        "sent_by": "egressd",
        "severity": "critical",
    }


def test_an_invalid_label_name_is_left_out_alone() -> None:
    """An invalid label name is omitted, or Alertmanager would refuse all; external labels overwrite none."""
    rules = replace(
        RULES,
        labels=(
            ("9bad", "x"),
            ("bad-name", "x"),
            ("é", "x"),
            ("job", "other"),
            ("sent_by", "me"),
            ("ok_1", "y"),
        ),
    )
    labels = labels_of(CAUSE, rules)
    assert labels["ok_1"] == "y"
    assert (labels["job"], labels["sent_by"]) == ("egressd", "egressd")
    assert all(re.fullmatch(r"[a-zA-Z_]\w*", name, re.ASCII) for name in labels)


def test_no_annotation_of_the_rules_is_missing() -> None:
    """Templates for the shipped rules work for pushed alerts too."""
    path = Path(__file__).parents[3] / "config/prometheus/egressd-alerts.yml"
    rules = yaml.safe_load(path.read_text("utf-8"))
    wanted = {name for group in rules["groups"] for rule in group["rules"] for name in rule["annotations"]}
    (one,) = pushed(alert())
    assert wanted <= set(one["annotations"])
    assert one["annotations"]["targets"].split("\n") == list(CAUSE.targets)
    assert one["annotations"]["ask"] == CAUSE.advice


@pytest.mark.parametrize(
    ("pushed_alert", "ends"),
    [
        (alert(), "2026-11-21T04:08:00.000Z"),
        (alert(AlertState.RESOLVING, cleared_at=CLOSED), "2026-11-21T04:08:00.000Z"),
        (alert(AlertState.SUPPRESSED, suppressed_by=("maintenance/patch",)), "2026-11-21T04:08:00.000Z"),
        (alert(AlertState.SUPPRESSED, suppressed_by=("EgressCause/x",)), "2026-11-21T04:08:00.000Z"),
        (alert(AlertState.SUPPRESSED, suppressed_by=("suspected",)), "2026-11-21T04:08:00.000Z"),
        (over(), CLOSED),
        (over(closed="2026-11-22T00:00:00.000Z"), "2026-11-21T04:00:00.000Z"),
        (over(closed="2026-11-20T00:00:00.000Z"), OPENED),
    ],
)
def test_end_times(pushed_alert: Alert, ends: str) -> None:
    """An open alert ends in eight minutes, whatever keeps it quiet; a resolved one at its end."""
    (one,) = pushed(pushed_alert)
    assert (one["startsAt"], one["endsAt"]) == (OPENED, ends)


def test_a_pending_alert_is_not_pushed() -> None:
    """A pending alert is not pushed."""
    assert pushed(alert(AlertState.PENDING, opened=None, notified=None)) == []


def test_a_label_set_that_changed_is_ended() -> None:
    """After a change of reason the old label set is ended and the new one fires."""
    new, old = pushed(alert(condition=LATER))
    assert (new["labels"]["reason"], new["endsAt"]) == ("tcp_timeout", "2026-11-21T04:08:00.000Z")
    assert (old["labels"]["reason"], old["endsAt"]) == ("tls_reset_after_hello", "2026-11-21T04:00:00.000Z")
    assert (old["labels"]["severity"], new["labels"]["severity"]) == ("critical", "warning")


def test_of_two_alerts_with_one_label_set_the_firing_one_is_pushed() -> None:
    """An old label set that is another alert's current one is not ended, in either order."""
    fires, changed = alert(), alert(condition=replace(LATER, id="other"))
    for both in ((fires, changed), (changed, fires)):
        found = {one["labels"]["reason"]: one["endsAt"] for one in pushed(*both)}
        assert found == dict.fromkeys(("tls_reset_after_hello", "tcp_timeout"), "2026-11-21T04:08:00.000Z")


def test_many_alerts_are_several_requests() -> None:
    """A request has at most 64 alerts and a megabyte."""
    alerts = [alert(condition=replace(CAUSE, labels=(("target", str(n)),))) for n in range(150)]
    alerts = [replace(one, notified=None) for one in alerts]
    sizes = [len(json.loads(body)) for body in push_bodies(alert_entries(alerts, now=NOW, rules=RULES))]
    assert sizes == [64, 64, 22]
    wide = [replace(one, condition=replace(one.condition, targets=("x" * 250,) * 2000)) for one in alerts[:4]]
    assert [len(json.loads(body)) for body in push_bodies(alert_entries(wide, now=NOW, rules=RULES))] == [
        1
    ] * 4


def test_no_alerts_are_no_request() -> None:
    """Without alerts there is no request."""
    assert push_bodies(alert_entries((), now=NOW, rules=RULES)) == ()


def test_fingerprints_are_fnv_1a() -> None:
    """Without labels it is the FNV offset basis; the order of labels does not matter."""
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})


def test_the_group_key_of_a_webhook_stays() -> None:
    """An alert has one group key from opening to end, with any labels."""
    opened, closed = posted(), posted(NoticeKind.CLOSED)
    changed = posted(NoticeKind.CHANGED, about=alert(condition=LATER), change="the reason", before=CAUSE)
    assert opened["groupKey"] == closed["groupKey"] == changed["groupKey"]
    assert opened["groupKey"] == '{}/{egressd_alert="EgressCause/site-tls-reset"}:{alertname="EgressCause"}'
    assert [one["status"] for one in (opened, changed, closed)] == ["firing", "firing", "resolved"]
    assert [one["status"] for one in changed["alerts"]] == ["firing", "resolved"]
    assert changed["alerts"][0]["annotations"]["change"] == "the reason"
    assert "reason" not in changed["commonLabels"]
    assert changed["alerts"][1]["fingerprint"] == opened["alerts"][0]["fingerprint"]
    end = posted(NoticeKind.CLOSED, about=over(condition=LATER, notified=LATER), before=CAUSE)
    assert [one["status"] for one in end["alerts"]] == ["resolved", "resolved"]
    assert opened["alerts"][0]["endsAt"] == "0001-01-01T00:00:00Z"
    assert closed["alerts"][0]["endsAt"] == CLOSED
    assert opened["alerts"][0]["fingerprint"] == closed["alerts"][0]["fingerprint"]


def test_a_webhook_reports_dropped_notices() -> None:
    """The number of dropped notices is in an annotation."""
    document = json.loads(webhook_body(message_of(notice(), dropped=7), receiver="hook"))
    assert "7 notifications" in document["commonAnnotations"]["dropped"]


def test_a_change_carries_the_condition_before() -> None:
    """A change has the previous condition, so that a receiver can end the alert under its old labels."""
    now = datetime(2026, 11, 21, 5, tzinfo=UTC)
    urgent = alert(condition=replace(LATER, severity=Severity.CRITICAL), notified=LATER)
    change = next_notice(urgent, urgent, now=now, rules=RULES)
    assert change is not None
    assert (change.kind, change.before, change.alert.notified) == (
        NoticeKind.CHANGED,
        LATER,
        urgent.condition,
    )
    opened = next_notice(None, alert(notified=LATER), now=now, rules=RULES)
    assert opened is not None
    assert opened.before is None


def test_an_event_has_every_field() -> None:
    """A CloudEvent has id, type, subject and source; the data is the alert."""
    (body,) = cloud_events(message_of(notice(), dropped=3))
    document = json.loads(body)
    check(CLOUDEVENT, document)
    assert document["id"] == "notice-opened"
    assert document["type"] == "io.egressd.alert.opened"
    assert document["source"] == "/egressd/bridge-1%3A10980"
    data = document["data"]
    assert data["labels"] == labels_of(CAUSE, RULES)
    assert (data["targets"], data["evidence"]) == (list(CAUSE.targets), list(CAUSE.evidence))
    assert (data["blame"], data["ask"], data["dropped"]) == ("firewall_l7", CAUSE.advice, 3)
    assert (data["blame_confidence"], data["suspects"]) == (None, [])


def test_an_event_says_who_else_is_suspected() -> None:
    """A program that opens tickets sees how sure the blame is, and what would decide."""
    (body,) = cloud_events(message_of(notice(about=alert(condition=DOUBTED))))
    data = json.loads(body)["data"]
    assert data["blame_confidence"] == "medium"
    assert data["suspects"] == [
        {"blame": "firewall_l7", "decided_by": "the URL log for 10.20.0.11:51234 at 02:13:05"},
        {"blame": "azure_service", "decided_by": "the same from another network"},
    ]
