"""Fold one judged sweep into what was believed, and say what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from egressd.model.event import TargetChanged, TargetEvent
from egressd.model.observation import Timestamp
from egressd.model.standing import NOTHING, Belief, Lifecycle, Standing, Standings
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, Verdict
from egressd.standing.causes import advance_findings
from egressd.standing.lifecycle import Patience, move
from egressd.standing.text import LONGEST_LINE, shorten


def advance(
    standings: Standings,
    sweep: Sweep,
    *,
    now: Timestamp,
    fresh: frozenset[tuple[str, str]] | None = None,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> tuple[Standings, tuple[TargetEvent, ...]]:
    """Return what is believed after this sweep, and the events that led there.

    `fresh` names, by target and source, what was really looked at; None: everything. The verdicts of
    others rest on older looks and count for nothing here. Targets the sweep does not know are forgotten.
    """
    if sweep.recording.id == standings.recording:
        return standings, ()
    known = {one.key: one for one in standings.targets}
    kept: list[Standing] = []
    events: list[TargetEvent] = []
    for target, seen in _looks(sweep):
        key = (target, seen.source)
        before = known.get(key)
        if fresh is not None and key not in fresh:
            kept += [before] if before is not None else []
            continue
        after = _look(before, target, seen, now=now, patience=patience)
        kept.append(after)
        events += _changes(before, after)
    touched = None if fresh is None else frozenset(target for target, _ in fresh)
    findings, told = advance_findings(
        standings.findings, sweep.findings, now=now, fresh=touched, patience=patience
    )
    kept.sort(key=lambda one: one.key)
    made = Standings(targets=tuple(kept), findings=findings, recording=sweep.recording.id)
    return made, (*events, *told)


def believe(verdict: Verdict) -> Belief:
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


def _look(
    before: Standing | None, target: str, seen: SourceVerdict, *, now: Timestamp, patience: Patience
) -> Standing:
    belief = believe(seen.verdict)
    success = now if belief.outcome.reachable else None
    if before is None or (before.unknown and success):
        return _first(target, seen.source, belief, now=now, patience=patience)
    before = replace(before, last_success=success or before.last_success)
    if belief.key == before.belief.key:
        return _agrees(before, belief)
    return _differs(before, belief, now=now, patience=patience)


def _first(target: str, source: str, belief: Belief, *, now: Timestamp, patience: Patience) -> Standing:
    """A target that is well is believed at once; one that is not must be seen again first."""
    good = belief.outcome.reachable
    settled = good or patience.worse <= 1
    return Standing(
        target=target,
        source=source,
        state=move(Lifecycle.OK, reachable=good, enough=patience.worse <= 1),
        belief=belief if settled else NOTHING,
        since=now,
        last_changed=now,
        last_success=now if good else None,
        pending=None if settled else belief,
        pending_since=None if settled else now,
    )


def _agrees(before: Standing, belief: Belief) -> Standing:
    state = move(before.state, reachable=belief.outcome.reachable, enough=False)
    streak = before.streak + 1 if before.settled else 1
    return replace(before, state=state, belief=belief, streak=streak, pending=None, pending_since=None)


def _differs(before: Standing, belief: Belief, *, now: Timestamp, patience: Patience) -> Standing:
    """Count looks that contradict what is believed the same way: reachable, or not."""
    good = belief.outcome.reachable
    same = before.pending is not None and before.pending.outcome.reachable is good
    streak = before.streak + 1 if same else 1
    needed = patience.better if good else patience.worse
    enough = streak >= needed
    since = (before.pending_since if same else None) or now
    state = move(before.state, reachable=good, enough=enough)
    if not enough:
        return replace(before, state=state, streak=streak, pending=belief, pending_since=since)
    return replace(
        before,
        state=state,
        belief=belief,
        since=since,
        last_changed=now,
        streak=streak,
        pending=None,
        pending_since=None,
    )


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
