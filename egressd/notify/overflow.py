"""Which notices a full queue drops: the least urgent first, and of those the ones that say least. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from egressd.model.alert import NoticeKind, Queued

_REPEATED, _OVER, _NEWS = range(3)
"""A change or reminder that later notices of its alert repeat; an alert that ended before it was told; the
rest."""

Unit = tuple[int, int, tuple[Queued, ...]]
"""What is dropped together: how urgent its alert is (greater is less urgent), what it is, and the notices."""


def choose_dropped(waiting: Sequence[Queued], excess: int) -> frozenset[int]:
    """Return the numbers of `excess` notices to drop of one receiver's queue, or of a few more.

    A critical notice is dropped only where all that wait are critical. An alert that began and ended while
    the receiver could not be reached is dropped as a whole: its end alone would puzzle.
    """
    dropped: set[int] = set()
    for _, _, notices in sorted(_units(waiting), key=_expendable_first):
        if len(dropped) >= excess:
            break
        dropped.update(one.number for one in notices)
    return frozenset(dropped)


def _expendable_first(unit: Unit) -> tuple[int, int, int]:
    rank, kind, notices = unit
    return -rank, kind, notices[0].number


def _units(waiting: Sequence[Queued]) -> Iterator[Unit]:
    by_alert = sorted(waiting, key=lambda one: (one.notice.alert.id, one.number))
    for _, group in groupby(by_alert, key=lambda one: one.notice.alert.id):
        notices = tuple(group)
        rank = min(one.notice.alert.condition.severity.rank for one in notices)
        over = _untold_and_over(notices)
        if over:
            yield rank, _OVER, notices[:over]
        for place, one in enumerate(notices[over:], over + 1):
            repeated = one.notice.kind in (NoticeKind.CHANGED, NoticeKind.REMINDED) and place < len(notices)
            yield rank, _REPEATED if repeated else _NEWS, (one,)


def _untold_and_over(notices: Sequence[Queued]) -> int:
    """Return how many of an alert's notices, from the first, tell of what began and ended meanwhile."""
    kinds = [one.notice.kind for one in notices]
    if kinds[0] is not NoticeKind.OPENED or NoticeKind.CLOSED not in kinds:
        return 0
    return len(kinds) - kinds[::-1].index(NoticeKind.CLOSED)
