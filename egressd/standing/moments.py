"""What is remembered of the past, when the clock is set: its moments move with the clock.

Durations are differences of such moments: how long something holds, or is quiet. A clock that is set back
would stop them for as long as it was ahead, and one that is set ahead would let them all be over at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.observation import Timestamp
from egressd.wording import is_stamp, stamp

MOMENTS = frozenset(
    {
        "since",
        "last_changed",
        "last_success",
        "failing_since",
        "pending_since",
        "repaired_at",
        "started",
        "opened",
        "closed",
        "cleared_at",
        "notified_at",
        "openings",
        "profiles",
    }
)
"""The fields of standings, alerts and counters that hold a moment of the past, or several."""

T = TypeVar("T")


class ClockStep(Struct, frozen=True, kw_only=True):
    """A clock that was set. What it showed after `began` and up to `before` was wrong by the same time."""

    began: datetime
    """When this clock was read first."""
    before: datetime
    """What it would show now, had it not been set."""
    now: datetime

    @classmethod
    def none(cls, now: datetime) -> ClockStep:
        """Return that no step is known: only moments that are to come can't be right."""
        return cls(began=now, before=now, now=now)

    def moved(self, moment: Timestamp) -> Timestamp:
        """Return a moment by the clock as it is now; none is later than now."""
        if not is_stamp(moment):
            return moment
        when = datetime.fromisoformat(moment)
        if self.began <= when <= self.before:
            return stamp(min(when + (self.now - self.before), self.now))
        return stamp(self.now) if when > self.now else moment


def after_step(value: T, step: ClockStep) -> T:
    """Return standings, alerts or counters with their moments by the clock as it is now."""
    found: T = _moved(value, step.moved)
    return found


def _moved(value: object, move: Callable[[Timestamp], Timestamp]) -> Any:
    if isinstance(value, tuple):
        return tuple(_moved(one, move) for one in value)
    if not isinstance(value, Struct):
        return value
    changed = {}
    for name in value.__struct_fields__:
        old = getattr(value, name)
        new = _moment(old, move) if name in MOMENTS else _moved(old, move)
        if new != old:
            changed[name] = new
    return replace(value, **changed) if changed else value


def _moment(value: object, move: Callable[[Timestamp], Timestamp]) -> Any:
    match value:
        case str():
            return move(value)
        case tuple():
            return tuple(_moment(one, move) for one in value)
        case Mapping():
            return {key: _moment(one, move) for key, one in value.items()}
        case _:
            return value
