"""Which conditions are suppressed: by their cause, by flapping, by a silence."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct

from egressd.alerting.context import AlertContext, cause_id
from egressd.alerting.silences import covers_target
from egressd.model.alert import SILENCE_PREFIX, SUSPECTED, AlertName, Condition, Silence
from egressd.model.verdict import Pair

OF_ONE_TARGET = frozenset(
    {AlertName.UNREACHABLE, AlertName.UNKNOWN, AlertName.DEGRADED, AlertName.INTERCEPTED, AlertName.FLAPPING}
)
"""Alerts that a cause inhibits."""


class Inhibitor(Struct, frozen=True, kw_only=True):
    """What suppresses conditions in one evaluation."""

    causes: dict[str, list[str]]
    """Ids of causes, by the targets that fail for them."""
    recovering: dict[Pair, list[str]]
    """Ids of causes, by the targets and sources that failed for them and have answered."""
    flapping: frozenset[Pair]
    suspected: frozenset[str]
    silences: tuple[Silence, ...]
    silenced: dict[str, frozenset[Pair]]
    """What each silence covers, by its name."""

    @classmethod
    def of(
        cls, context: AlertContext, conditions: Collection[Condition], silences: tuple[Silence, ...]
    ) -> Inhibitor:
        """Index the causes, the flapping targets and the silences."""
        causes: dict[str, list[str]] = {}
        recovered: dict[str, list[str]] = {}
        for cause in context.causes:
            for target in cause.targets:
                causes.setdefault(target, []).append(cause_id(cause))
            for target in cause.recovering or ():
                recovered.setdefault(target, []).append(cause_id(cause))
        pairs = [one.key for one in context.standings]
        return cls(
            causes=causes,
            recovering={pair: recovered[pair[0]] for pair in context.recovering if pair[0] in recovered},
            flapping=frozenset(_pair(one) for one in conditions if one.alertname is AlertName.FLAPPING),
            suspected=context.suspected,
            silences=silences,
            silenced={
                one.name: frozenset(
                    pair for pair in pairs if covers_target(one, context.targets[pair[0]], pair[1])
                )
                for one in silences
            },
        )

    def suppressors_of(self, one: Condition, context: AlertContext) -> tuple[str, ...]:
        """Return the ids of the alerts and silences that suppress a condition."""
        return (*self._alerts(one), *self._silences(one, context))

    def _alerts(self, one: Condition) -> Iterator[str]:
        if one.alertname not in OF_ONE_TARGET:
            return
        target = one.targets[0]
        yield from self.causes.get(target, ()) or self.recovering.get(_pair(one), ())
        if target in self.suspected and target not in self.causes:
            yield SUSPECTED
        if one.alertname is not AlertName.FLAPPING and _pair(one) in self.flapping:
            yield f"{AlertName.FLAPPING}/{target}@{one.sources[0]}"

    def _silences(self, one: Condition, context: AlertContext) -> Iterator[str]:
        pairs = _failing_pairs(one, context) if self.silences else frozenset()
        for silence in self.silences:
            if silence.covers_all or (pairs and pairs <= self.silenced[silence.name]):
                yield f"{SILENCE_PREFIX}{silence.name}"


def _pair(one: Condition) -> Pair:
    return (one.targets[0], one.sources[0])


def _failing_pairs(one: Condition, context: AlertContext) -> frozenset[Pair]:
    """Return the targets and sources of a condition that fail."""
    if one.alertname in OF_ONE_TARGET:
        return frozenset({_pair(one)})
    targets = frozenset(one.targets)
    return frozenset(pair for pair in context.failing if pair[0] in targets)
