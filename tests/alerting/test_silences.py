"""When silences are active: planned by a time interval in its time zone, or opened by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from egressd.alerting.silences import active_silences, next_start, silenced_pairs
from egressd.model.alert import Silence
from egressd.model.endpoint import Need
from egressd.model.notification import Scope, TimeInterval
from tests.alerting.simulation import plan_of

NIGHT = TimeInterval(name="night", schedule="0 2 * * SAT", seconds=4 * 3600, timezone="Europe/Berlin")


def at(text: str) -> datetime:
    """Return a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "inside"),
    [
        ("2026-11-21T00:59:59", False),
        ("2026-11-21T01:00:00", True),  # 02:00 in Berlin, in winter
        ("2026-11-21T04:59:59", True),
        ("2026-11-21T05:00:00", False),
        ("2026-11-22T02:00:00", False),
        ("2026-07-18T00:00:00", True),  # 02:00 in Berlin, in summer
        ("2026-07-18T04:00:00", False),
    ],
)
def test_a_time_interval_is_in_local_time(moment: str, inside: bool) -> None:
    """It begins by the local time of its zone, and lasts as long as configured."""
    assert bool(active_silences((NIGHT,), (), at(moment))) is inside


def test_a_time_interval_longer_than_its_period_is_always_active() -> None:
    """Of overlapping occurrences the last one counts."""
    hourly = TimeInterval(name="all", schedule="0 * * * *", seconds=7200)
    (one,) = active_silences((hourly,), (), at("2026-11-21T10:30:00"))
    assert (one.began, one.ends) == ("2026-11-21T10:00:00.000Z", "2026-11-21T12:00:00.000Z")


@pytest.mark.parametrize("day", range(0, 365, 13))
def test_a_silence_begins_at_the_next_start(day: int) -> None:
    """Not a second before, in summer and in winter."""
    start = next_start(NIGHT, at("2026-01-01T12:00:00") + timedelta(days=day))
    assert active_silences((NIGHT,), (), start)
    assert not active_silences((NIGHT,), (), start - timedelta(seconds=1))


def test_a_silence_opened_by_hand_ends_by_itself() -> None:
    """It is active from its beginning up to its end, and names its user."""
    change = Silence(
        name="CHG-1",
        began="2026-11-21T10:00:00.000Z",
        ends="2026-11-21T12:00:00.000Z",
        reason="new rules",
        by="root",
    )
    assert not active_silences((), (change,), at("2026-11-21T09:59:59"))
    (one,) = active_silences((), (change,), at("2026-11-21T11:59:59"))
    assert (one.name, one.by, one.covers_all) == ("CHG-1", "root", True)
    assert not active_silences((), (change,), at("2026-11-21T12:00:00"))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), {("a", "one"), ("a", "two"), ("b", "one"), ("b", "two")}),
        (Scope(targets=("a*",)), {("a", "one"), ("a", "two")}),
        (Scope(targets=("*.example",), sources=("t*",)), {("a", "two"), ("b", "two")}),
        (Scope(profiles=("resource-*",), targets=("row-b",)), {("b", "one"), ("b", "two")}),
        (Scope(profiles=("scvmm",)), set()),
    ],
)
def test_a_scope_covers_what_it_names(scope: Scope, expected: set[tuple[str, str]]) -> None:
    """Targets by id, endpoint or host, sources and profiles by name; what is empty excludes nothing."""
    plan = plan_of({"a": Need.REQUIRED, "b": Need.REQUIRED}, ("one", "two"))
    interval = TimeInterval(name="w", schedule="* * * * *", seconds=3600, scope=scope)
    silences = active_silences((interval,), (), at("2026-11-21T10:30:00"))
    assert silenced_pairs(plan, silences) == expected
