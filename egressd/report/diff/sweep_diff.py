"""What changed between two judged sweeps, per target and source: new failures apart from old ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution import baseline_of
from egressd.model.observation import Timestamp
from egressd.model.recording import Baseline, BaselineEntry
from egressd.model.verdict import Outcome, Sweep


class ChangeKind(StrEnum):
    """How a target changed, seen from a source, in the order in which changes are shown. Values are API."""

    NEW_FAILURE = "new_failure"
    """Blocked or down now; not before, or not a target before."""
    FIRST_FAILURE = "first_failure"
    """Blocked or down now; not looked at before, so that nobody knows whether it is new."""
    OTHER_REASON = "other_cause"
    """Blocked or down as before, for another reason."""
    NOW_UNKNOWN = "unsure"
    """Known before, unknown now."""
    RECOVERED = "mended"
    """Blocked, down or unknown before, reachable now."""
    FIRST_RESULT = "first_result"
    """Reachable now; not looked at before."""
    WORSE = "worse"
    """Ok before, degraded now."""
    BETTER = "better"
    """Degraded before, ok now."""
    ADDED = "appeared"
    """A new target that is not failing."""
    REMOVED = "gone"
    """No longer a target."""


Key = tuple[str, str]
"""A target's id and a source's name."""
FAILING = frozenset({Outcome.BLOCKED, Outcome.DOWN})
NOT_SEEN = frozenset({"not_probed", "internal_error", "local_paused"})
"""Reasons of a target that was not looked at: neither a failure nor a success has begun since."""


class Change(Struct, frozen=True, kw_only=True):
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


class SweepDiff(Struct, frozen=True, kw_only=True):
    """All changes, the worst first, and how many targets did not change."""

    before: str
    """The id of the run that is compared with."""
    before_started: Timestamp
    before_site: str | None = None
    """Where that run was made; null: an older version does not say."""
    after: str
    after_started: Timestamp
    after_site: str | None = None
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
    old, new = _by_key(_same_sources(before, after)), _by_key(after.marks)
    old = _same_samples(old, new)
    keys = dict.fromkeys((*new, *old))
    found = [one for key in keys if (one := _change(old.get(key), new.get(key))) is not None]
    same = [new[key] for key in new if key in old and _change(old[key], new[key]) is None]
    return SweepDiff(
        before=before.run,
        before_started=before.started,
        before_site=before.site,
        after=after.run,
        after_started=after.started,
        after_site=after.site,
        changes=tuple(sorted(found, key=lambda one: list(ChangeKind).index(one.kind))),
        unchanged=len(same),
        still_failing=sum(Outcome(one.outcome) in FAILING for one in same),
        findings_opened=_titles(after, without=before),
        findings_closed=_titles(before, without=after),
    )


def _by_key(marks: Iterable[BaselineEntry]) -> dict[Key, BaselineEntry]:
    return {(one.target, one.source): one for one in marks}


def _same_sources(before: Baseline, after: Baseline) -> tuple[BaselineEntry, ...]:
    """Return the earlier entries by the sources of the later sweep.

    Where no source has the same name, as in a baseline from another host, each target is compared with what
    was seen of it there: at worst.
    """
    old, new = ({one.source: None for one in marks} for marks in (before.marks, after.marks))
    if old.keys() & new.keys() or not new:
        return before.marks
    worst: dict[str, BaselineEntry] = {}
    for one in before.marks:
        known = worst.setdefault(one.target, one)
        if Outcome(one.outcome).severity > Outcome(known.outcome).severity:
            worst[one.target] = one
    seen_from: dict[str, list[str]] = {}
    for one in after.marks:
        seen_from.setdefault(one.target, []).append(one.source)
    return tuple(
        replace(one, source=source)
        for one in worst.values()
        for source in seen_from.get(one.target, list(new)[:1])
    )


def _same_samples(
    old: Mapping[Key, BaselineEntry], new: Mapping[Key, BaselineEntry]
) -> dict[Key, BaselineEntry]:
    """Return the earlier entries with another sample of a row in the place of one that is no target any more.

    Hosts of a wildcard that a service names are others each time; the row that they stand for is the same.
    """
    left = [one for key, one in old.items() if key not in new]
    found = dict(old)
    for key, entry in new.items():
        if key in old:
            continue
        alike = [one for one in left if _row(one) == _row(entry) and _end(one) == _end(entry)]
        other = min(
            alike, key=lambda one: (one.outcome != entry.outcome, one.reason != entry.reason), default=None
        )
        if other is not None:
            left.remove(other)
            del found[other.target, other.source]
            found[key] = other
    return found


def _end(one: BaselineEntry) -> Outcome | None:
    """Return how an entry ended; None: it failed, in whatever way."""
    outcome = Outcome(one.outcome)
    return None if outcome in FAILING else outcome


def _row(one: BaselineEntry) -> tuple[str, str, str, bool]:
    """Return the row, the port with the path, and the source of an entry."""
    endpoint, _, place = one.target.partition("/")
    return endpoint, place.rpartition(":")[2], one.source, one.random


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
    if was is Outcome.UNKNOWN and before.reason in NOT_SEEN and now is not Outcome.UNKNOWN:
        return ChangeKind.FIRST_FAILURE if now in FAILING else ChangeKind.FIRST_RESULT
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
