"""Apply one judged sweep to the standings, and return the events of what was confirmed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.event import TargetChanged, TargetEvent, TargetRemoved
from egressd.model.notification import Flapping
from egressd.model.observation import Timestamp
from egressd.model.standing import NOTHING, Belief, FindingStanding, Lifecycle, Standing, Standings
from egressd.model.verdict import Outcome, SourceVerdict, Sweep, Verdict
from egressd.standing.ending import UNSEEN, ProbeEnding, endings_of
from egressd.standing.findings import FindingEvent, FindingPass, advance_findings
from egressd.standing.flapping import add_result, change_share
from egressd.standing.lifecycle import TargetSignal, Thresholds, next_target_state
from egressd.standing.membership import last_looks
from egressd.standing.onset import failing_since
from egressd.standing.text import LONGEST_LINE, shorten, shorten_suspects

FLAPPING = Flapping()
NONE: frozenset[tuple[str, str]] = frozenset()


class _Result(Struct, frozen=True, kw_only=True):
    """One result of one target and source, and the rules to apply it by."""

    target: str
    source: str
    belief: Belief
    ending: str | None
    """How it ended; None: nothing was seen."""
    now: Timestamp
    worse: int
    """Consecutive results that confirm a failure like this one."""
    better: int
    silenced: bool
    flapping: Flapping

    @property
    def good(self) -> bool:
        return self.belief.outcome.reachable


_Step = tuple[Standing | None, tuple[TargetChanged, ...]]
"""A standing after a result, None: there is none yet; and the events that led there."""


def advance(
    standings: Standings,
    sweep: Sweep,
    *,
    now: Timestamp,
    fresh: frozenset[tuple[str, str]] | None = None,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 - frozen
    flapping: Flapping = FLAPPING,
    silenced: frozenset[tuple[str, str]] = NONE,
    on_bug: OnBug = raise_bug,
) -> tuple[Standings, tuple[TargetEvent, ...]]:
    """Return the standings after a sweep, and the events that led there.

    `fresh` are the targets and sources that were probed; None: all. The other verdicts rest on older probes
    and are not applied again. Targets that are not in the sweep are dropped. `silenced` are the targets and
    sources that a silence covers: they are probed and judged as ever. `on_bug` is called with what keeps a
    standing from advancing: it stays as it is.
    """
    if sweep.recording.id == standings.recording:
        return standings, ()
    known = {one.key: one for one in standings.targets}
    endings: Mapping[tuple[str, str], ProbeEnding] = isolate(
        Part.STANDINGS, on_bug, lambda: endings_of(sweep.recording, fresh), lambda _: {}
    )

    def result_of(target: str, seen: SourceVerdict) -> _Result:
        key = (target, seen.source)
        ending = endings.get(key, UNSEEN)
        return _Result(
            target=target,
            source=seen.source,
            belief=belief_of(seen.verdict),
            now=now,
            ending=ending.text,
            worse=thresholds.explicit if ending.explicit else thresholds.silent,
            better=thresholds.better,
            silenced=key in silenced,
            flapping=flapping,
        )

    kept, events = _advance_targets(known, sweep, fresh, result_of=result_of, on_bug=on_bug)
    here = {one.key for one in kept}
    events += [event for key, one in known.items() if key not in here for event in _removal(one, now=now)]
    advance_found = partial(
        _advance_found, standings, sweep, kept, now=now, fresh=fresh, thresholds=thresholds
    )
    findings, changes = isolate(Part.STANDINGS, on_bug, advance_found, lambda _: (standings.findings, ()))
    kept.sort(key=lambda one: one.key)
    made = Standings(targets=tuple(kept), findings=findings, recording=sweep.recording.id)
    return made, (*events, *changes)


def _advance_found(
    before: Standings,
    sweep: Sweep,
    after: Collection[Standing],
    *,
    now: Timestamp,
    fresh: frozenset[tuple[str, str]] | None,
    thresholds: Thresholds,
) -> tuple[tuple[FindingStanding, ...], tuple[FindingEvent, ...]]:
    """Apply the findings of a sweep; `after` are the standings of the targets after it."""
    explained = frozenset(name for one in before.findings if one.opened for name in one.explained)
    step = FindingPass(
        now=now,
        planned=frozenset(one.target for one in sweep.verdicts),
        probed=None if fresh is None else frozenset(target for target, _ in fresh),
        thresholds=thresholds,
        confirmed=frozenset(one.target for one in after if one.settled and not one.up),
        looks=last_looks({one.key: one for one in before.targets}, after, explained),
    )
    return advance_findings(before.findings, sweep.findings, step)


def _advance_targets(
    known: Mapping[tuple[str, str], Standing],
    sweep: Sweep,
    fresh: frozenset[tuple[str, str]] | None,
    *,
    result_of: Callable[[str, SourceVerdict], _Result],
    on_bug: OnBug,
) -> tuple[list[Standing], list[TargetEvent]]:
    """Apply the fresh verdicts; one that can't be applied leaves its standing as it is."""
    kept: list[Standing] = []
    events: list[TargetEvent] = []

    def step(before: Standing | None, target: str, seen: SourceVerdict) -> _Step:
        after = _apply(before, result_of(target, seen))
        return after, tuple(_changes(before, after))

    for target, seen in _verdicts(sweep):
        key = (target, seen.source)
        before = known.get(key)
        after, changed = _unmoved(before)
        if fresh is None or key in fresh:
            after, changed = isolate(
                Part.STANDINGS, on_bug, partial(step, before, target, seen), partial(_unmoved, before)
            )
        kept += [after] if after is not None else []
        events += changed
    return kept, events


def _unmoved(before: Standing | None, _why: str = "") -> _Step:
    return before, ()


def belief_of(verdict: Verdict) -> Belief:
    """Return the belief that a verdict supports, bounded in size."""
    return Belief(
        outcome=verdict.outcome,
        phase=verdict.phase,
        reason=verdict.reason,
        blame=verdict.blame,
        confidence=verdict.confidence,
        evidence=shorten(verdict.evidence),
        advice=verdict.advice[: 2 * LONGEST_LINE],
        blame_confidence=verdict.blame_confidence,
        suspects=shorten_suspects(verdict.suspects),
    )


def _verdicts(sweep: Sweep) -> Iterator[tuple[str, SourceVerdict]]:
    for verdict in sweep.verdicts:
        for seen in verdict.by_source:
            yield verdict.target, seen


def _apply(before: Standing | None, result: _Result) -> Standing:
    success = result.now if result.good else None
    if before is None or (before.unknown and success):
        return _first(before, result)
    before = replace(
        before,
        last_success=success or before.last_success,
        failing_since=None if success else failing_since(before, result.belief, now=result.now),
        results=add_result(before.results, reachable=result.good),
    )
    if result.belief.key == before.belief.key:
        return _agrees(before, result)
    return _differs(before, result)


def _first(before: Standing | None, result: _Result) -> Standing:
    """Confirm a reachable target at once; a failure must be seen again first."""
    settled = result.good or result.worse <= 1
    made = Standing(
        target=result.target,
        source=result.source,
        state=before.state if before else Lifecycle.OK,
        belief=result.belief if settled else NOTHING,
        since=result.now,
        last_changed=result.now,
        last_success=result.now if result.good else None,
        failing_since=None if result.good else failing_since(before, result.belief, now=result.now),
        pending=None if settled else result.belief,
        pending_since=None if settled else result.now,
        ending=result.ending if settled else None,
        results=add_result(before.results if before else "", reachable=result.good),
    )
    return _moved(made, result, enough=settled)


def _agrees(before: Standing, result: _Result) -> Standing:
    streak = before.streak + 1 if before.settled else 1
    after = replace(
        before, belief=result.belief, ending=result.ending, streak=streak, pending=None, pending_since=None
    )
    return _moved(after, result, enough=False)


def _differs(before: Standing, result: _Result) -> Standing:
    """Count consecutive results that contradict the belief in the same way: reachable, or not."""
    same = before.pending is not None and before.pending.outcome.reachable is result.good
    streak = before.streak + 1 if same else 1
    since = (before.pending_since if same else None) or result.now
    if streak < (result.better if result.good else result.worse):
        after = replace(before, streak=streak, pending=result.belief, pending_since=since)
        return _moved(after, result, enough=False)
    after = replace(
        before,
        belief=result.belief,
        ending=result.ending,
        since=since,
        last_changed=result.now,
        streak=streak,
        pending=None,
        pending_since=None,
    )
    return _moved(after, result, enough=True)


def _moved(after: Standing, result: _Result, *, enough: bool) -> Standing:
    return replace(after, state=next_target_state(after.state, _signal(after, result, enough=enough)))


def _signal(after: Standing, result: _Result, *, enough: bool) -> TargetSignal:
    """Return what a result means; `after.state` is still the state before it."""
    if result.silenced:
        return TargetSignal.SILENCED
    share = change_share(after.results)
    still_flapping = after.state is Lifecycle.FLAPPING and share > result.flapping.low
    if still_flapping or share >= result.flapping.high:
        return TargetSignal.UNSTABLE
    if after.state in (Lifecycle.FLAPPING, Lifecycle.SILENCED):
        return TargetSignal.STABLE_UP if after.up else TargetSignal.STABLE_DOWN
    if enough:
        return TargetSignal.RECOVERED if result.good else TargetSignal.FAILED
    return TargetSignal.GOOD if result.good else TargetSignal.BAD


def _changes(before: Standing | None, after: Standing) -> Iterator[TargetChanged]:
    """Yield a confirmed change; a target that is ok from the start is none."""
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


def _removal(before: Standing, *, now: Timestamp) -> Iterator[TargetRemoved]:
    """Yield the removal of a target that was not ok: the history must not show it as failing still."""
    if before.unknown or before.belief.outcome is Outcome.OK:
        return
    yield TargetRemoved(
        at=now,
        target=before.target,
        source=before.source,
        before=before.belief,
        before_since=before.since,
    )
