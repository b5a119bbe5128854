"""Apply the findings of a sweep to the standings of findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.event import FindingClosed, FindingOpened
from egressd.model.observation import Timestamp
from egressd.model.standing import FindingStanding
from egressd.model.verdict import Finding
from egressd.standing.lifecycle import Thresholds
from egressd.standing.membership import LastLook, Remainder, remainder
from egressd.standing.text import LONGEST_LINE, MOST_TARGETS, shorten, shorten_suspects

FindingEvent = FindingOpened | FindingClosed


class FindingPass(Struct, frozen=True, kw_only=True):
    """What one pass means for the findings, besides what it found."""

    now: Timestamp
    planned: frozenset[str]
    """The targets of the plan: no finding names others, and one that has lost all of its own is closed."""
    probed: frozenset[str] | None
    """The targets that were probed; None: all. A finding that concerns none of them stays as it was; one
    without targets is about the path, which every sweep tests."""
    thresholds: Thresholds
    confirmed: frozenset[str] = frozenset()
    """Targets known to fail: a finding of only those is confirmed as fast."""
    looks: Mapping[str, LastLook] = field(default_factory=dict)
    """How the targets stand that findings explained so far."""

    def touches(self, old: FindingStanding | None, new: Finding | None) -> bool:
        """Whether the pass says anything about a finding."""
        if self.probed is None:
            return True
        mine = {*(old.explained if old else ()), *(new.targets if new else ())}
        return not mine or not self.probed.isdisjoint(mine)


def advance_findings(
    before: Iterable[FindingStanding], found: Iterable[Finding], step: FindingPass
) -> tuple[tuple[FindingStanding, ...], tuple[FindingEvent, ...]]:
    """Return the standings of the findings, and events for those that were opened or closed."""
    known = {one.id: one for one in before}
    seen = {one.id: one for one in found}
    rest = {
        key: remainder(old, seen.get(key), step.looks, now=step.now, probed=step.probed)
        for key, old in known.items()
        if old.opened
    }
    held = frozenset(
        name for one in rest.values() if one.in_repair for name in (*one.failing, *one.recovering)
    )
    named = {key: _named(known.get(key), one, step, held) for key, one in seen.items()}
    claimed = _claims(one for one in named.values() if one is not None and one.opened)
    kept: list[FindingStanding] = []
    events: list[FindingEvent] = []
    for key in sorted({*known, *seen}):
        old = known.get(key)
        if old is not None and key not in seen and _is_deserted(old, step.planned):
            after = None
        elif not step.touches(old, seen.get(key)):
            after = _without_others(old, step.planned)
        else:
            left = _unclaimed(rest.get(key, Remainder()), claimed, key)
            after = _with_rest(old, named.get(key), left, step, is_superseded=_is_superseded(old, claimed))
        kept += [after] if after is not None else []
        events += _events(old, after, now=step.now)
    return tuple(kept), tuple(events)


def _named(
    old: FindingStanding | None, new: Finding, step: FindingPass, held: frozenset[str]
) -> FindingStanding | None:
    """Return the standing of a finding that the sweep names; None: the pass says nothing about it.

    What others explain whose targets are being repaired is not opened as another cause meanwhile.
    """
    if not step.touches(old, new):
        return old
    known_to_fail = bool(new.targets) and step.confirmed.issuperset(new.targets)
    worse = step.thresholds.explicit if known_to_fail else step.thresholds.silent
    after = _seen(old, new, now=step.now, worse=worse)
    was_open = old is not None and old.opened
    is_held = bool(new.targets) and held.issuperset(new.targets)
    return replace(after, opened=False) if is_held and not was_open else after


def _claims(opened: Iterable[FindingStanding]) -> Mapping[str, str]:
    """Return the open finding that names each target."""
    return {name: one.id for one in opened for name in one.targets}


def _unclaimed(left: Remainder, claimed: Mapping[str, str], key: str) -> Remainder:
    return replace(left, failing=tuple(one for one in left.failing if claimed.get(one, key) == key))


def _held(old: FindingStanding, left: Remainder) -> FindingStanding:
    """Return a finding that the sweep does not name, and that targets stay with; with what they show now."""
    after = replace(old, targets=(), clearing=False, streak=1)
    now = left.belief
    if now is None:
        return after
    return replace(
        after,
        confidence=now.confidence,
        evidence=now.evidence,
        advice=now.advice,
        blame_confidence=now.blame_confidence,
        suspects=now.suspects,
    )


def _is_superseded(old: FindingStanding | None, claimed: Mapping[str, str]) -> bool:
    """Whether open findings of other ids name every target of a finding."""
    return (
        old is not None
        and bool(old.targets)
        and all(claimed.get(one, old.id) != old.id for one in old.targets)
    )


def _with_rest(
    old: FindingStanding | None,
    named: FindingStanding | None,
    left: Remainder,
    step: FindingPass,
    *,
    is_superseded: bool,
) -> FindingStanding | None:
    """Return a finding together with what stays with it; None once it is closed."""
    if named is not None:
        after = named
    elif left.failing and old is not None:
        after = _held(old, left)
    else:
        better = 1 if is_superseded else step.thresholds.better
        missed = _missed(_without_others(old, step.planned), left, better=better)
        return missed and replace(missed, recovering=left.recovering or None, repaired_at=left.repaired_at)
    targets = tuple(dict.fromkeys((*after.targets, *left.failing)))
    return replace(
        after,
        targets=targets[:MOST_TARGETS],
        recovering=left.recovering[:MOST_TARGETS] or None,
        repaired_at=left.repaired_at,
    )


def _is_deserted(old: FindingStanding, planned: frozenset[str]) -> bool:
    """Whether none of its targets is planned any more, so that no probe could close it."""
    return bool(old.explained) and planned.isdisjoint(old.explained)


def _without_others(old: FindingStanding | None, planned: frozenset[str]) -> FindingStanding | None:
    if old is None or planned.issuperset(old.explained):
        return old
    return replace(
        old,
        targets=tuple(one for one in old.targets if one in planned),
        recovering=tuple(one for one in old.recovering or () if one in planned) or None,
    )


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


def _missed(old: FindingStanding | None, left: Remainder, *, better: int) -> FindingStanding | None:
    """Return a finding that was not seen this time; None once it is closed.

    It is not closed while some of its targets have answered, which is not confirmed yet; and at once when all
    have left it.
    """
    if old is None or not old.opened:
        return None
    streak = old.streak + 1 if old.clearing else 1
    targets = tuple(one for one in old.targets if one not in left.recovering and one not in left.gone)
    deserted = bool(old.targets) and not targets
    over = (deserted or streak >= better) and not left.recovering
    return None if over else replace(old, targets=targets, clearing=True, streak=streak)


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
