"""Apply the findings of a sweep to the standings of findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from egressd.model.event import FindingClosed, FindingOpened
from egressd.model.observation import Timestamp
from egressd.model.standing import FindingStanding
from egressd.model.verdict import Finding
from egressd.standing.lifecycle import Thresholds
from egressd.standing.text import LONGEST_LINE, MOST_TARGETS, shorten, shorten_suspects

FindingEvent = FindingOpened | FindingClosed


def advance_findings(
    before: Iterable[FindingStanding],
    found: Iterable[Finding],
    *,
    now: Timestamp,
    planned: frozenset[str],
    fresh: frozenset[str] | None,
    thresholds: Thresholds,
    confirmed: frozenset[str] = frozenset(),
) -> tuple[tuple[FindingStanding, ...], tuple[FindingEvent, ...]]:
    """Return the standings of the findings, and events for those that were opened or closed.

    `planned` are the targets of the plan: no finding names others, and one that has lost all of its targets
    is closed. `confirmed` are the targets known to fail: a finding of only those is confirmed as fast.
    `fresh` are the targets that were probed; None: all. A finding that concerns none of them stays as it was;
    one without targets is about the path, which every sweep tests.
    """
    known = {one.id: one for one in before}
    seen = {one.id: one for one in found}
    kept: list[FindingStanding] = []
    events: list[FindingEvent] = []
    for key in sorted({*known, *seen}):
        old, new = known.get(key), seen.get(key)
        if old is not None and new is None and _is_deserted(old, planned):
            after = None
        elif not _is_fresh(old, new, fresh):
            after = _without_others(old, planned)
        elif new is not None:
            known_to_fail = bool(new.targets) and confirmed.issuperset(new.targets)
            worse = thresholds.explicit if known_to_fail else thresholds.silent
            after = _seen(old, new, now=now, worse=worse)
        else:
            after = _missed(_without_others(old, planned), thresholds=thresholds)
        kept += [after] if after is not None else []
        events += _events(old, after, now=now)
    return tuple(kept), tuple(events)


def _is_deserted(old: FindingStanding, planned: frozenset[str]) -> bool:
    """Whether none of its targets is planned any more, so that no probe could close it."""
    return bool(old.targets) and planned.isdisjoint(old.targets)


def _without_others(old: FindingStanding | None, planned: frozenset[str]) -> FindingStanding | None:
    if old is None or planned.issuperset(old.targets):
        return old
    return replace(old, targets=tuple(one for one in old.targets if one in planned))


def _is_fresh(old: FindingStanding | None, new: Finding | None, fresh: frozenset[str] | None) -> bool:
    if fresh is None:
        return True
    mine = {*(old.targets if old else ()), *(new.targets if new else ())}
    return not mine or not fresh.isdisjoint(mine)


def _seen(old: FindingStanding | None, new: Finding, *, now: Timestamp, worse: int) -> FindingStanding:
    streak = old.streak + 1 if old is not None and not old.clearing else 1
    opened = old is not None and old.opened
    return FindingStanding(
        id=new.id,
        reason=new.reason,
        blame=new.blame,
        confidence=new.confidence,
        title=new.title[:LONGEST_LINE],
        targets=new.targets[:MOST_TARGETS],
        evidence=shorten(new.evidence),
        advice=new.advice[: 2 * LONGEST_LINE],
        blame_confidence=new.blame_confidence,
        suspects=shorten_suspects(new.suspects),
        since=old.since if old is not None else now,
        opened=opened or streak >= worse,
        streak=streak,
    )


def _missed(old: FindingStanding | None, *, thresholds: Thresholds) -> FindingStanding | None:
    """Return a finding that was not seen this time; None once it is closed."""
    if old is None or not old.opened:
        return None
    streak = old.streak + 1 if old.clearing else 1
    return None if streak >= thresholds.better else replace(old, clearing=True, streak=streak)


def _events(
    old: FindingStanding | None, after: FindingStanding | None, *, now: Timestamp
) -> Iterator[FindingEvent]:
    was = old is not None and old.opened
    if after is not None and after.opened and not was:
        yield FindingOpened(
            at=now,
            since=after.since,
            finding=after.id,
            reason=after.reason,
            blame=after.blame,
            confidence=after.confidence,
            title=after.title,
            targets=after.targets,
            evidence=after.evidence,
            advice=after.advice,
            blame_confidence=after.blame_confidence,
            suspects=after.suspects,
        )
    elif old is not None and was and after is None:
        yield FindingClosed(at=now, since=old.since, finding=old.id, reason=old.reason, title=old.title)
