"""What changed between two judged sweeps, per target and source: new failures apart from old ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from egressd.attribution import baseline_of
from egressd.model.observation import Timestamp
from egressd.model.recording import Baseline, BaselineEntry
from egressd.model.verdict import Outcome, Sweep


class ChangeKind(StrEnum):
    """How a target changed, seen from a source, in the order in which changes are shown. Values are API."""

    NEW_FAILURE = "new_failure"
    """Blocked or down now; not before, or not a target before."""
    OTHER_REASON = "other_cause"
    """Blocked or down as before, for another reason."""
    NOW_UNKNOWN = "unsure"
    """Reachable before, unknown now."""
    RECOVERED = "mended"
    """Blocked, down or unknown before, reachable now."""
    WORSE = "worse"
    """Ok before, degraded now."""
    BETTER = "better"
    """Degraded before, ok now."""
    ADDED = "appeared"
    """A new target that is not failing."""
    REMOVED = "gone"
    """No longer a target."""


FAILING = frozenset({Outcome.BLOCKED, Outcome.DOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One target seen from one source; `before` or `after` is None where it was not a target."""

    kind: ChangeKind
    target: str
    source: str
    before: str | None
    after: str | None
    reason_before: str | None = None
    reason_after: str | None = None
    random: bool = False
    """Whether it is a random label, which does not count as a new failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepDiff:
    """All changes, the worst first, and how many targets did not change."""

    before: str
    """The id of the run that is compared with."""
    before_started: Timestamp
    after: str
    after_started: Timestamp
    changes: tuple[Change, ...]
    unchanged: int
    still_failing: int
    """How many of the unchanged are blocked or down."""
    findings_opened: tuple[str, ...] = ()
    findings_closed: tuple[str, ...] = ()
    """Titles."""

    @property
    def new_failures(self) -> tuple[Change, ...]:
        """The new failures, without random labels."""
        return tuple(one for one in self.changes if one.kind is ChangeKind.NEW_FAILURE and not one.random)

    def count(self, kind: ChangeKind) -> int:
        """Count the changes of a kind."""
        return sum(one.kind is kind for one in self.changes)


def compare_sweeps(before: Sweep, after: Sweep) -> SweepDiff:
    """Compare two sweeps."""
    return compare_baselines(baseline_of(before), baseline_of(after))


def diff_since_baseline(sweep: Sweep) -> SweepDiff | None:
    """Compare a sweep with its baseline; None if it has none."""
    baseline = sweep.recording.baseline
    return None if baseline is None else compare_baselines(baseline, baseline_of(sweep))


def compare_baselines(before: Baseline, after: Baseline) -> SweepDiff:
    """Compare two baselines, the summaries kept of sweeps."""
    old, new = _by_key(before.marks), _by_key(after.marks)
    keys = dict.fromkeys((*new, *old))
    found = [one for key in keys if (one := _change(old.get(key), new.get(key))) is not None]
    same = [new[key] for key in new if key in old and _change(old[key], new[key]) is None]
    return SweepDiff(
        before=before.run,
        before_started=before.started,
        after=after.run,
        after_started=after.started,
        changes=tuple(sorted(found, key=lambda one: list(ChangeKind).index(one.kind))),
        unchanged=len(same),
        still_failing=sum(Outcome(one.outcome) in FAILING for one in same),
        findings_opened=_titles(after, without=before),
        findings_closed=_titles(before, without=after),
    )


def _by_key(marks: Iterable[BaselineEntry]) -> dict[tuple[str, str], BaselineEntry]:
    return {(one.target, one.source): one for one in marks}


def _titles(one: Baseline, *, without: Baseline) -> tuple[str, ...]:
    known = {name for name, _ in without.findings}
    return tuple(title for name, title in one.findings if name not in known)


def _change(before: BaselineEntry | None, after: BaselineEntry | None) -> Change | None:
    kind = _kind(before, after)
    some = after or before
    if kind is None or some is None:
        return None
    return Change(
        kind=kind,
        target=some.target,
        source=some.source,
        before=before.outcome if before is not None else None,
        after=after.outcome if after is not None else None,
        reason_before=before.reason if before is not None else None,
        reason_after=after.reason if after is not None else None,
        random=some.random,
    )


def _kind(before: BaselineEntry | None, after: BaselineEntry | None) -> ChangeKind | None:
    """Classify a change; None if nothing changed."""
    if after is None:
        return ChangeKind.REMOVED
    now = Outcome(after.outcome)
    if before is None:
        return ChangeKind.NEW_FAILURE if now in FAILING else ChangeKind.ADDED
    was = Outcome(before.outcome)
    if now in FAILING:
        other = before.reason != after.reason or was is not now
        return (ChangeKind.OTHER_REASON if other else None) if was in FAILING else ChangeKind.NEW_FAILURE
    if now is Outcome.UNKNOWN:
        return None if was is Outcome.UNKNOWN else ChangeKind.NOW_UNKNOWN
    if not was.reachable:
        return ChangeKind.RECOVERED
    if was is now:
        return None
    return ChangeKind.WORSE if now is Outcome.DEGRADED else ChangeKind.BETTER
