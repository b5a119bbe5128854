"""Fold one judged sweep into what was believed, and say what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from egressd.model.event import TargetChanged, TargetEvent, TargetRemoved
from egressd.model.notification import Flapping
from egressd.model.observation import Timestamp
from egressd.model.standing import NOTHING, Belief, Lifecycle, Standing, Standings
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, Verdict
from egressd.standing.explicit import explicit_pairs
from egressd.standing.findings import advance_findings
from egressd.standing.flapping import add_result, change_share
from egressd.standing.lifecycle import TargetSignal, Thresholds, next_target_state
from egressd.standing.text import LONGEST_LINE, shorten

CALM = Flapping()
NONE: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One look at one target from one source, and how it is to be taken."""

    target: str
    source: str
    belief: Belief
    now: Timestamp
    worse: int
    """Looks in a row that it takes to believe a failure like this one."""
    better: int
    covered: bool
    flapping: Flapping

    @property
    def good(self) -> bool:
        return self.belief.outcome.reachable


def advance(
    standings: Standings,
    sweep: Sweep,
    *,
    now: Timestamp,
    fresh: frozenset[tuple[str, str]] | None = None,
    patience: Thresholds = Thresholds(),  # noqa: B008 - frozen
    flapping: Flapping = CALM,
    covered: frozenset[tuple[str, str]] = NONE,
) -> tuple[Standings, tuple[TargetEvent, ...]]:
    """Return what is believed after this sweep, and the events that led there.

    `fresh` names, by target and source, what was really looked at; None: everything. The verdicts of
    others rest on older looks and count for nothing here. Targets the sweep does not know are forgotten.
    `covered` names what a maintenance window covers: it is looked at and believed as ever.
    """
    if sweep.recording.id == standings.recording:
        return standings, ()
    known = {one.key: one for one in standings.targets}
    told = explicit_pairs(sweep.recording, fresh)
    kept: list[Standing] = []
    events: list[TargetEvent] = []
    for target, seen in _looks(sweep):
        key = (target, seen.source)
        before = known.get(key)
        if fresh is not None and key not in fresh:
            kept += [before] if before is not None else []
            continue
        look = _Look(
            target=target,
            source=seen.source,
            belief=belief_of(seen.verdict),
            now=now,
            worse=patience.explicit if key in told else patience.silent,
            better=patience.better,
            covered=key in covered,
            flapping=flapping,
        )
        after = _take(before, look)
        kept.append(after)
        events += _changes(before, after)
    here = {one.key for one in kept}  # all that was known and is still asked for was kept
    events += [event for key, one in known.items() if key not in here for event in _gone(one, now=now)]
    touched = None if fresh is None else frozenset(target for target, _ in fresh)
    findings, changes = advance_findings(
        standings.findings,
        sweep.findings,
        now=now,
        asked=frozenset(one.target for one in sweep.verdicts),
        fresh=touched,
        patience=patience,
        confirmed=frozenset(one.target for one in kept if one.settled and not one.up),
    )
    kept.sort(key=lambda one: one.key)
    made = Standings(targets=tuple(kept), findings=findings, recording=sweep.recording.id)
    return made, (*events, *changes)


def belief_of(verdict: Verdict) -> Belief:
    """Return what a verdict would have us believe, bounded in size."""
    return Belief(
        outcome=verdict.outcome,
        phase=verdict.phase,
        reason=verdict.reason,
        blame=verdict.blame,
        confidence=verdict.confidence,
        evidence=shorten(verdict.evidence),
        advice=verdict.advice[: 2 * LONGEST_LINE],
    )


def _looks(sweep: Sweep) -> Iterator[tuple[str, SourceVerdict]]:
    for verdict in sweep.verdicts:
        for seen in verdict.by_source:
            yield verdict.target, seen


def _take(before: Standing | None, look: _Look) -> Standing:
    success = look.now if look.good else None
    if before is None or (before.unknown and success):
        return _first(before, look)
    before = replace(
        before,
        last_success=success or before.last_success,
        looks=add_result(before.looks, reachable=look.good),
    )
    if look.belief.key == before.belief.key:
        return _agrees(before, look)
    return _differs(before, look)


def _first(before: Standing | None, look: _Look) -> Standing:
    """A target that is well is believed at once; one that is not must be seen again first."""
    settled = look.good or look.worse <= 1
    made = Standing(
        target=look.target,
        source=look.source,
        state=before.state if before else Lifecycle.OK,
        belief=look.belief if settled else NOTHING,
        since=look.now,
        last_changed=look.now,
        last_success=look.now if look.good else None,
        pending=None if settled else look.belief,
        pending_since=None if settled else look.now,
        looks=add_result(before.looks if before else "", reachable=look.good),
    )
    return _moved(made, look, enough=settled)


def _agrees(before: Standing, look: _Look) -> Standing:
    streak = before.streak + 1 if before.settled else 1
    after = replace(before, belief=look.belief, streak=streak, pending=None, pending_since=None)
    return _moved(after, look, enough=False)


def _differs(before: Standing, look: _Look) -> Standing:
    """Count looks that contradict what is believed the same way: reachable, or not."""
    same = before.pending is not None and before.pending.outcome.reachable is look.good
    streak = before.streak + 1 if same else 1
    since = (before.pending_since if same else None) or look.now
    if streak < (look.better if look.good else look.worse):
        after = replace(before, streak=streak, pending=look.belief, pending_since=since)
        return _moved(after, look, enough=False)
    after = replace(
        before,
        belief=look.belief,
        since=since,
        last_changed=look.now,
        streak=streak,
        pending=None,
        pending_since=None,
    )
    return _moved(after, look, enough=True)


def _moved(after: Standing, look: _Look, *, enough: bool) -> Standing:
    return replace(after, state=next_target_state(after.state, _signal(after, look, enough=enough)))


def _signal(after: Standing, look: _Look, *, enough: bool) -> TargetSignal:
    """Say what a look means; `after` still is in the state before it."""
    if look.covered:
        return TargetSignal.SILENCED
    share = change_share(after.looks)
    fluttering = after.state is Lifecycle.FLAPPING and share > look.flapping.low
    if fluttering or share >= look.flapping.high:
        return TargetSignal.UNSTABLE
    if after.state in (Lifecycle.FLAPPING, Lifecycle.MAINTENANCE):
        return TargetSignal.STABLE_UP if after.up else TargetSignal.STABLE_DOWN
    if enough:
        return TargetSignal.RECOVERED if look.good else TargetSignal.FAILED
    return TargetSignal.GOOD if look.good else TargetSignal.BAD


def _changes(before: Standing | None, after: Standing) -> Iterator[TargetChanged]:
    """Tell a confirmed change; a target that is well at first sight is none."""
    known = None if before is None or before.unknown else before
    if after.unknown or (known is not None and known.belief.key == after.belief.key):
        return
    if known is None and after.belief.outcome is Outcome.OK:
        return
    yield TargetChanged(
        at=after.last_changed,
        since=after.since,
        target=after.target,
        source=after.source,
        before=known.belief if known else None,
        before_since=known.since if known else None,
        after=after.belief,
    )


def _gone(before: Standing, *, now: Timestamp) -> Iterator[TargetRemoved]:
    """Tell that a target left that was not well: who reads on must not take it for one that still fails."""
    if before.unknown or before.belief.outcome is Outcome.OK:
        return
    yield TargetRemoved(
        at=now,
        target=before.target,
        source=before.source,
        before=before.belief,
        before_since=before.since,
    )
