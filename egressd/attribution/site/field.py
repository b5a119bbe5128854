"""What the detectors look at: every opinion, the worst of each target, and what is explained already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from egressd.attribution.facts.whole import Whole
from egressd.attribution.opinion import Opinion
from egressd.model.endpoint import SampleKind
from egressd.model.verdict import Verdict

OWN = frozenset({"internal_error", "not_probed"})

Verdicts = Mapping[tuple[str, str], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """The worst opinion of each target, and what was already explained."""

    whole: Whole
    opinions: tuple[Opinion, ...]
    """One per target and source."""
    worst: tuple[Opinion, ...]
    """By target id."""
    verdicts: Verdicts
    claimed: frozenset[str] = frozenset()

    @property
    def open(self) -> tuple[Opinion, ...]:
        """Targets with a reason that no finding explains yet."""
        return tuple(
            one
            for one in self.worst
            if one.code and one.code not in OWN and one.target.id not in self.claimed
        )

    @property
    def reachable(self) -> tuple[Opinion, ...]:
        """Targets that can be used."""
        return tuple(one for one in self.worst if one.outcome.reachable)

    def verdict(self, one: Opinion) -> Verdict:
        """Return the verdict that was made of an opinion."""
        return self.verdicts[one.target.id, one.source]


def lay_out(whole: Whole, opinions: Iterable[Opinion], verdicts: Verdicts) -> Field:
    """Return the field with nothing explained yet."""
    opinions = tuple(opinions)
    return Field(whole=whole, opinions=opinions, worst=_worst(opinions), verdicts=verdicts)


def _worst(opinions: Iterable[Opinion]) -> tuple[Opinion, ...]:
    worst: dict[str, Opinion] = {}
    for one in opinions:
        known = worst.get(one.target.id)
        if known is None or one.outcome.severity > known.outcome.severity:
            worst[one.target.id] = one
    return tuple(worst[key] for key in sorted(worst))


def is_random(one: Opinion) -> bool:
    """Whether the host is a random label."""
    return one.target.sample is SampleKind.RANDOM
