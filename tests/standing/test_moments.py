"""What is remembered moves with a clock that is set, as far as that clock wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd.model.alert import Alert, AlertState, Condition
from egressd.model.snapshot import Counters
from egressd.model.standing import FindingStanding, Standing
from egressd.standing.moments import MOMENTS, ClockStep, after_step
from egressd.wording import stamp
from tests.notify.notices import alert

BEGAN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def step(by: timedelta) -> ClockStep:
    """Return a step after an hour."""
    return ClockStep(began=BEGAN, before=BEGAN + HOUR, now=BEGAN + HOUR + by)


@pytest.mark.parametrize("by", [timedelta(days=200), HOUR, -HOUR, timedelta(days=-200)])
def test_durations_stay(by: timedelta) -> None:
    """What began a quarter of an hour ago still did."""
    one = step(by)
    moved = one.moved(stamp(one.before - HOUR / 4))
    assert one.now - datetime.fromisoformat(moved) == HOUR / 4


def test_what_another_clock_wrote_stays() -> None:
    """A state file tells what was right at that time; nothing is later than now."""
    earlier = stamp(BEGAN - timedelta(days=3))
    assert step(timedelta(days=200)).moved(earlier) == earlier
    assert step(-HOUR).moved(earlier) == earlier
    back = step(timedelta(days=-200))
    assert back.moved(earlier) == stamp(back.now)
    assert ClockStep.none(BEGAN).moved(stamp(BEGAN + HOUR)) == stamp(BEGAN)
    assert ClockStep.none(BEGAN).moved(earlier) == earlier


@pytest.mark.parametrize("text", ["", "yesterday", "2026-W01-1Z", "9999"])
def test_what_is_no_moment_stays(text: str) -> None:
    """As a state file may hold that was damaged."""
    assert step(HOUR).moved(text) == text


def test_alerts_and_counters_move_as_a_whole() -> None:
    """Every moment of an alert, those of its condition and openings included; texts are left alone."""
    at = stamp(BEGAN + HOUR / 2)
    after = stamp(BEGAN + HOUR / 2 + timedelta(days=200))
    old = replace(
        alert(),
        state=AlertState.RESOLVING,
        started=at,
        opened=at,
        cleared_at=at,
        notified_at=at,
        openings=(at, at),
    )
    old = replace(old, condition=replace(old.condition, since=at, summary=at))
    new = after_step((old,), step(timedelta(days=200)))[0]
    moments = (new.started, new.opened, new.cleared_at, new.notified_at, *new.openings, new.condition.since)
    assert set(moments) == {after}
    assert new.condition.summary == at
    counters = after_step(Counters(profiles={"bridge": at}, completed=at), step(timedelta(days=200)))
    assert counters.profiles == {"bridge": after}


def test_every_moment_is_known() -> None:
    """A field that is added to what is remembered moves as well."""
    for kind in (Alert, Condition, FindingStanding, Standing):
        named = {name for name, hint in kind.__annotations__.items() if "Timestamp" in hint}
        assert named <= MOMENTS, kind
