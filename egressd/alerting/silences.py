"""Which silences are active, and what they cover. Probing goes on under a silence; notifications do not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from egressd.alerting.pattern import matches_any
from egressd.model.alert import Silence
from egressd.model.notification import TimeInterval
from egressd.model.plan import Plan, Target
from egressd.wording import stamp


def active_silences(
    intervals: Iterable[TimeInterval], silences: Iterable[Silence], now: datetime
) -> tuple[Silence, ...]:
    """Return the silences active `now` (aware): those of time intervals, then those opened by hand."""
    scheduled = (_last_occurrence(one, now) for one in intervals)
    return tuple(one for one in (*scheduled, *silences) if one is not None and _is_active(one, now))


def next_start(interval: TimeInterval, after: datetime) -> datetime:
    """Return when a time interval begins next, in UTC."""
    return next(_starts(interval, after)).astimezone(UTC)


def covers_target(silence: Silence, target: Target, source: str) -> bool:
    """Whether a silence covers a target probed from a source."""
    scope = silence.scope
    return (
        matches_any(scope.targets, (target.id, target.endpoint, target.host, target.shown_host))
        and matches_any(scope.profiles, target.profiles)
        and matches_any(scope.sources, (source,))
    )


def silenced_pairs(plan: Plan, silences: Iterable[Silence]) -> frozenset[tuple[str, str]]:
    """Return the target ids and sources of a plan that any of the silences covers."""
    silences = tuple(silences)
    if not silences:  # the usual case, and plans are large
        return frozenset()
    targets = {one.id: one for one in plan.targets}
    pairs = {(name, probe.source) for probe in plan.probes for name in probe.targets if name in targets}
    return frozenset(
        (name, source)
        for name, source in pairs
        if any(covers_target(one, targets[name], source) for one in silences)
    )


def _is_active(silence: Silence, now: datetime) -> bool:
    return datetime.fromisoformat(silence.began) <= now < datetime.fromisoformat(silence.ends)


def _last_occurrence(interval: TimeInterval, now: datetime) -> Silence | None:
    """Return the last occurrence that began by `now` and may last; None: there is none."""
    length = timedelta(seconds=interval.seconds)
    began = None
    for start in _starts(interval, now - length - timedelta(minutes=1)):
        if start > now:
            break
        began = start
    if began is None:
        return None
    return Silence(
        name=interval.name,
        began=stamp(began),
        ends=stamp(began.astimezone(UTC) + length),
        reason=interval.reason,
        scope=interval.scope,
    )


def _starts(interval: TimeInterval, after: datetime) -> Iterator[datetime]:
    return CronSim(interval.schedule, after.astimezone(ZoneInfo(interval.timezone)))
