"""When failures began, in seconds by a common clock, and whether several began together or one after another.

A result is had now and then, so a failure began after the last result that worked and by the first that did
not. Together is what begins within minutes; one after another is proved by a site that still worked while
another failed already.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from egressd.fleet.thresholds import ROLLOUT, TOGETHER
from egressd.fleet.values import Onset
from egressd.model.observation import Timestamp
from egressd.wording import stamp

_PRECISE = 2 * TOGETHER
"""Seconds between the last result that worked and the first that failed, up to which a time is told."""


class Began(Struct, frozen=True, kw_only=True):
    """An onset in Unix seconds."""

    after: float | None
    by: float

    @property
    def is_precise(self) -> bool:
        """Whether it is known well enough to be compared by the minute."""
        return self.after is not None and self.by - self.after <= _PRECISE


def seconds(moment: Timestamp) -> float:
    """Return a time in Unix seconds."""
    return datetime.fromisoformat(moment).timestamp()


def at_seconds(moment: float) -> Timestamp:
    """Return a time of Unix seconds."""
    return stamp(datetime.fromtimestamp(moment, UTC))


def corrected(moment: Timestamp, offset: float | None) -> Timestamp:
    """Return a time by the common clock; `offset` is what the site's clock lacks, in seconds."""
    return stamp(datetime.fromisoformat(moment) + timedelta(seconds=offset)) if offset else moment


def began_at(onset: Onset) -> Began:
    """Return an onset in seconds."""
    return Began(after=None if onset.after is None else seconds(onset.after), by=seconds(onset.by))


def began_together(onsets: Sequence[Began]) -> tuple[int, ...]:
    """Return the places of the most onsets that lie within `TOGETHER` of their median; precise ones only."""
    order = sorted((one.by, place) for place, one in enumerate(onsets) if one.is_precise)
    times = [by for by, _ in order]
    best: tuple[int, ...] = ()
    for first, _ in enumerate(order):
        last = bisect_right(times, times[first] + 2 * TOGETHER)
        if last - first <= len(best):
            continue
        median = times[(first + last - 1) // 2]
        near = [place for by, place in order[first:last] if abs(by - median) <= TOGETHER]
        if len(near) > len(best):
            best = tuple(near)
    return best


def may_have_begun_in(one: Began, first: float, last: float) -> bool:
    """Whether a failure can have begun between two times, or so near that it is together with them."""
    return first - TOGETHER <= one.by and (one.after is None or one.after <= last + TOGETHER)


def began_one_after_another(onsets: Sequence[Began]) -> tuple[int, ...]:
    """Return the places of the most onsets within `ROLLOUT` that cannot be of one moment; empty: none.

    Each worked before, and some were seen working while others failed already, minutes apart.
    """
    order = sorted((one.by, place) for place, one in enumerate(onsets) if one.after is not None)
    times = [by for by, _ in order]
    best: tuple[int, ...] = ()
    for first, _ in enumerate(order):
        last = bisect_right(times, times[first] + ROLLOUT)
        if last - first > len(best):
            best = tuple(place for _, place in order[first:last])
    some = [onsets[place] for place in best]
    return best if len(some) > 1 and _are_apart(some) else ()


def _are_apart(some: Iterable[Began]) -> bool:
    known = tuple(some)
    first = min(one.by for one in known)
    return any(one.after is not None and one.after >= first and one.by - first > TOGETHER for one in known)
