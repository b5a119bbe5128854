"""Maintenance: when nothing is to be said, and about what. Probing goes on as ever."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim

from egressd.alerting.pattern import matches_any
from egressd.model.alert import Silence
from egressd.model.notification import Scope, TimeInterval
from egressd.model.plan import Plan, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSilence:
    """A maintenance window that covers this moment."""

    name: str
    began: datetime
    ends: datetime
    reason: str
    scope: Scope
    by: str = ""
    """Who opened it by hand; empty: the configuration."""

    @property
    def covers_all(self) -> bool:
        """Whether nothing is left out."""
        return self.scope == Scope()

    def covers(self, target: Target, source: str) -> bool:
        """Say whether a target seen from a source is covered."""
        scope = self.scope
        return (
            matches_any(scope.targets, (target.id, target.endpoint, target.host))
            and matches_any(scope.profiles, target.profiles)
            and matches_any(scope.sources, (source,))
        )


def in_force(
    windows: Iterable[TimeInterval], silences: Iterable[Silence], now: datetime
) -> tuple[ActiveSilence, ...]:
    """Return what is in force now (aware), planned windows first."""
    planned = (_planned(one, now) for one in windows)
    by_hand = (_by_hand(one) for one in silences)
    return tuple(one for one in (*planned, *by_hand) if one is not None and one.began <= now < one.ends)


def next_start(window: TimeInterval, after: datetime) -> datetime:
    """Return when a planned window begins next, in UTC."""
    return next(_starts(window, after)).astimezone(UTC)


def covered_pairs(plan: Plan, windows: Iterable[ActiveSilence]) -> frozenset[tuple[str, str]]:
    """Return the targets and sources that any of the windows covers."""
    windows = tuple(windows)
    if not windows:  # as nearly always
        return frozenset()
    targets = {one.id: one for one in plan.targets}
    pairs = {(name, probe.source) for probe in plan.probes for name in probe.targets if name in targets}
    return frozenset(
        (name, source) for name, source in pairs if any(one.covers(targets[name], source) for one in windows)
    )


def _planned(window: TimeInterval, now: datetime) -> ActiveSilence | None:
    """Return the window's last turn that began not later than now, where it may still last."""
    lasts = timedelta(seconds=window.seconds)
    turn = None
    for start in _starts(window, now - lasts - timedelta(minutes=1)):
        if start > now:
            break
        turn = start.astimezone(UTC)
    if turn is None:
        return None
    return ActiveSilence(
        name=window.name, began=turn, ends=turn + lasts, reason=window.reason, scope=window.scope
    )


def _starts(window: TimeInterval, after: datetime) -> Iterator[datetime]:
    return CronSim(window.schedule, after.astimezone(ZoneInfo(window.timezone)))


def _by_hand(one: Silence) -> ActiveSilence:
    return ActiveSilence(
        name=one.name,
        began=datetime.fromisoformat(one.began),
        ends=datetime.fromisoformat(one.ends),
        reason=one.reason,
        scope=Scope(targets=one.targets, sources=one.sources),
        by=one.by,
    )
