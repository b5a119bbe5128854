"""Fold the findings of a sweep into what was believed of shared causes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from egressd.model.event import FindingClosed, FindingOpened
from egressd.model.observation import Timestamp
from egressd.model.standing import FindingStanding
from egressd.model.verdict import Finding
from egressd.standing.lifecycle import Thresholds
from egressd.standing.text import LONGEST_LINE, MOST_TARGETS, shorten

FindingEvent = FindingOpened | FindingClosed


def advance_findings(
    before: Iterable[FindingStanding],
    found: Iterable[Finding],
    *,
    now: Timestamp,
    asked: frozenset[str],
    fresh: frozenset[str] | None,
    patience: Thresholds,
    confirmed: frozenset[str] = frozenset(),
) -> tuple[tuple[FindingStanding, ...], tuple[FindingEvent, ...]]:
    """Return the findings as they stand now, and which of them were opened or closed.

    `asked` are the targets there are: no finding names others, and one that has lost all of its targets is
    over. `confirmed` are those that are believed to fail: a cause of those alone needs no more patience than
    they did.

    Where only some targets were looked at, a finding that none of them belongs to stays as it was; one
    without targets is a fact about the path, which every look tries anew.
    """
    known = {one.id: one for one in before}
    seen = {one.id: one for one in found}
    kept: list[FindingStanding] = []
    events: list[FindingEvent] = []
    for key in sorted({*known, *seen}):
        old, new = known.get(key), seen.get(key)
        if old is not None and new is None and _is_deserted(old, asked):
            after = None
        elif not _is_touched(old, new, fresh):
            after = _without_others(old, asked)
        elif new is not None:
            known_to_fail = bool(new.targets) and confirmed.issuperset(new.targets)
            worse = patience.explicit if known_to_fail else patience.silent
            after = _shown(old, new, now=now, worse=worse)
        else:
            after = _missed(_without_others(old, asked), patience=patience)
        kept += [after] if after is not None else []
        events += _tell(old, after, now=now)
    return tuple(kept), tuple(events)


def _is_deserted(old: FindingStanding, asked: frozenset[str]) -> bool:
    """Say whether nobody asks for anything it explains: no look can end it any more."""
    return bool(old.targets) and asked.isdisjoint(old.targets)


def _without_others(old: FindingStanding | None, asked: frozenset[str]) -> FindingStanding | None:
    if old is None or asked.issuperset(old.targets):
        return old
    return replace(old, targets=tuple(one for one in old.targets if one in asked))


def _is_touched(old: FindingStanding | None, new: Finding | None, fresh: frozenset[str] | None) -> bool:
    if fresh is None:
        return True
    mine = {*(old.targets if old else ()), *(new.targets if new else ())}
    return not mine or not fresh.isdisjoint(mine)


def _shown(old: FindingStanding | None, new: Finding, *, now: Timestamp, worse: int) -> FindingStanding:
    streak = old.streak + 1 if old is not None and not old.fading else 1
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
        since=old.since if old is not None else now,
        opened=opened or streak >= worse,
        streak=streak,
    )


def _missed(old: FindingStanding | None, *, patience: Thresholds) -> FindingStanding | None:
    """Return a finding that was not seen this time; None once it is gone."""
    if old is None or not old.opened:
        return None
    streak = old.streak + 1 if old.fading else 1
    return None if streak >= patience.better else replace(old, fading=True, streak=streak)


def _tell(
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
        )
    elif old is not None and was and after is None:
        yield FindingClosed(at=now, since=old.since, finding=old.id, reason=old.reason, title=old.title)
