"""Who keeps a condition quiet: its cause, a window, or that it comes and goes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from egressd.alerting.context import AlertContext, Pair
from egressd.alerting.silences import ActiveSilence
from egressd.model.alert import AlertName, Condition

OF_ONE_TARGET = frozenset(
    {AlertName.UNREACHABLE, AlertName.UNKNOWN, AlertName.DEGRADED, AlertName.INTERCEPTED, AlertName.FLAPPING}
)
"""What a cause speaks for."""
MAINTENANCE = "maintenance/"
"""How a window is called among what keeps an alert quiet: this, and its name."""
SUSPECTED = "suspected"
"""A cause is seen that is not confirmed yet: the next looks will say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibitor:
    """What keeps others quiet at one moment."""

    by_target: dict[str, list[str]]
    """Ids of causes, by the targets they explain."""
    flapping: frozenset[Pair]
    suspected: frozenset[str]
    windows: tuple[ActiveSilence, ...]
    covered: dict[str, frozenset[Pair]]
    """What each window covers, by its name."""

    @classmethod
    def of(
        cls, context: AlertContext, conditions: Collection[Condition], windows: tuple[ActiveSilence, ...]
    ) -> Inhibitor:
        """Find out who speaks for whom."""
        by_target: dict[str, list[str]] = {}
        for one in conditions:
            for target in one.targets if one.alertname is AlertName.CAUSE else ():
                by_target.setdefault(target, []).append(one.id)
        pairs = [one.key for one in context.standings]
        return cls(
            by_target=by_target,
            flapping=frozenset(_pair(one) for one in conditions if one.alertname is AlertName.FLAPPING),
            suspected=context.suspected,
            windows=windows,
            covered={
                one.name: frozenset(pair for pair in pairs if one.covers(context.targets[pair[0]], pair[1]))
                for one in windows
            },
        )

    def over(self, one: Condition, context: AlertContext) -> tuple[str, ...]:
        """Return the ids of what keeps a condition quiet."""
        return (*self._others(one), *self._windows(one, context))

    def _others(self, one: Condition) -> Iterator[str]:
        if one.alertname not in OF_ONE_TARGET:
            return
        target = one.targets[0]
        yield from self.by_target.get(target, ())
        if target in self.suspected and target not in self.by_target:
            yield SUSPECTED
        if one.alertname is not AlertName.FLAPPING and _pair(one) in self.flapping:
            yield f"{AlertName.FLAPPING}/{target}@{one.sources[0]}"

    def _windows(self, one: Condition, context: AlertContext) -> Iterator[str]:
        mine = _pairs(one, context) if self.windows else frozenset()
        for window in self.windows:
            if window.covers_all or (mine and mine <= self.covered[window.name]):
                yield f"{MAINTENANCE}{window.name}"


def _pair(one: Condition) -> Pair:
    return (one.targets[0], one.sources[0])


def _pairs(one: Condition, context: AlertContext) -> frozenset[Pair]:
    """Return the targets and sources a condition is about, as far as they fail."""
    if one.alertname in OF_ONE_TARGET:
        return frozenset({_pair(one)})
    targets = frozenset(one.targets)
    return frozenset(pair for pair in context.failing if pair[0] in targets)
