"""Alerts about certificates: TLS inspection with its start, and certificates that expire soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.alerting.conditions import EXPIRING_WITHIN, conditions_of
from egressd.alerting.context import AlertContext
from egressd.clock import timestamp
from egressd.model.alert import AlertName, Condition
from egressd.model.endpoint import SampleKind
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Belief, Standing, Standings
from egressd.model.verdict import Blame, Confidence, Outcome
from tests.metrics.snapshots import EXPIRY, Row, make_snapshot, make_sweep

SEEN = datetime(2026, 11, 20, 3, 10, tzinfo=UTC)
FORGED = Belief(
    outcome=Outcome.DEGRADED,
    reason="tls_mitm_trusted_ca",
    blame=Blame.TLS_INSPECTION,
    confidence=Confidence.HIGH,
    evidence=("issued by Corp CA",),
)
INSPECTED = Row(outcome=Outcome.DEGRADED, reason="tls_mitm_trusted_ca")


def found(snapshot: Snapshot, fault: AlertName, *, now: datetime = SEEN) -> list[Condition]:
    """Return the conditions of a kind."""
    assert snapshot.sweep is not None
    context = AlertContext(snapshot=snapshot, sweep=snapshot.sweep, limits={})
    return [one for one in conditions_of(context, now=now) if one.alertname is fault]


def believing(snapshot: Snapshot, **changes: object) -> Snapshot:
    """Return the snapshot with another standing of its one target."""
    (one,) = snapshot.standings.targets
    changed: Standing = replace(one, **changes)
    return replace(snapshot, standings=Standings(targets=(changed,), findings=()))


def test_inspection_began_at_the_first_result_that_showed_it() -> None:
    """Before it is confirmed and after; with its own evidence, not that of the ok belief before."""
    snapshot = make_snapshot(make_sweep(INSPECTED))
    good, since = "2026-11-01T00:00:00.000Z", "2026-11-20T03:09:00.000Z"
    fresh = believing(
        snapshot, belief=Belief(outcome=Outcome.OK), since=good, pending=FORGED, pending_since=since
    )
    known = believing(snapshot, belief=FORGED, since=since)
    for one in (fresh, known):
        (condition,) = found(one, AlertName.INTERCEPTED)
        assert (condition.since, condition.reason, condition.evidence) == (
            since,
            "tls_mitm_trusted_ca",
            ("issued by Corp CA",),
        )
        assert dict(condition.labels).keys() >= {"target", "source"}


def test_known_inspection_is_not_newer_for_another_failure() -> None:
    """The pending belief may be another failure: the condition is made from the confirmed one."""
    snapshot = believing(
        make_snapshot(make_sweep(INSPECTED)),
        belief=FORGED,
        since="2026-11-20T03:00:00.000Z",
        pending=Belief(outcome=Outcome.DEGRADED, reason="http_slow"),
        pending_since="2026-11-20T03:09:00.000Z",
    )
    (condition,) = found(snapshot, AlertName.INTERCEPTED)
    assert (condition.since, condition.reason) == ("2026-11-20T03:00:00.000Z", "tls_mitm_trusted_ca")


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00.000Z", "0001-01-05T00:00:00.000Z"])
def test_a_certificate_that_ended_at_the_beginning_of_time(end: str) -> None:
    """An end within a week of the first moment a datetime holds is a condition like any other."""
    (over,) = found(make_snapshot(make_sweep(Row(expiry=end))), AlertName.EXPIRING)
    assert (over.since, over.reason) == ("0001-01-01T00:00:00.000Z", "tls_cert_expired")


def test_the_certificate_of_an_own_server_is_its_owners() -> None:
    """Azure is not to blame for what the operator runs."""
    own = make_snapshot(make_sweep(Row(sample=SampleKind.GIVEN)))
    (one,) = found(own, AlertName.EXPIRING, now=datetime.fromisoformat(EXPIRY))
    assert one.blame is Blame.ENDPOINT_OWNER


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59.999Z", None])
def test_an_end_that_is_far_or_unknown_is_no_condition(end: str | None) -> None:
    """Nothing is known to expire."""
    assert found(make_snapshot(make_sweep(Row(expiry=end))), AlertName.EXPIRING) == []


def test_a_certificate_that_ends_soon_is_one_condition_for_its_host() -> None:
    """From a week before it expires; whom to ask depends on the issuer."""
    ends = datetime.fromisoformat(EXPIRY)
    begins = ends - timedelta(seconds=EXPIRING_WITHIN)
    two = make_snapshot(make_sweep(Row(), Row(profiles=("connected-machine",))))
    assert found(two, AlertName.EXPIRING, now=begins) == []
    (one,) = found(two, AlertName.EXPIRING, now=begins + timedelta(seconds=1))
    assert (one.since, one.reason, one.blame) == (timestamp(begins), "tls_cert_expiring", Blame.AZURE_SERVICE)
    assert len(one.targets) == 2
    assert one.profiles == ("connected-machine", "resource-bridge")
    assert dict(one.labels).keys() >= {"source", "host", "port"}
    (over,) = found(two, AlertName.EXPIRING, now=ends)
    assert over.reason == "tls_cert_expired"
    (inspected,) = found(make_snapshot(make_sweep(INSPECTED)), AlertName.EXPIRING, now=ends)
    assert inspected.blame is Blame.TLS_INSPECTION
    assert "authority" in inspected.advice
