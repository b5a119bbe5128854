"""The input of the detectors: every judgement, the worst of each target, and the targets already claimed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.endpoint import SampleKind
from egressd.model.verdict import Verdict

EGRESSD_CODES = frozenset({"internal_error", "not_probed"})

Verdicts = Mapping[tuple[str, str], Verdict]


class DetectorInput(Struct, frozen=True, kw_only=True):
    """The judgements of a sweep, and the targets that a finding claims already."""

    index: SweepIndex
    judgements: tuple[TargetJudgement, ...]
    """One per target and source."""
    worst: tuple[TargetJudgement, ...]
    """The worst of each target, by target id."""
    by_target: Mapping[str, tuple[int, ...]]
    """By target: the places of its judgements."""
    verdicts: Verdicts
    claimed: frozenset[str] = frozenset()

    @classmethod
    def build(
        cls, index: SweepIndex, judgements: Iterable[TargetJudgement], verdicts: Verdicts
    ) -> DetectorInput:
        """Return the input with no target claimed yet.

        Names that egressd derived and that fail are no proof of anything.
        """
        judgements = tuple(one for one in judgements if one.outcome.reachable or not is_guess(one))
        places: dict[str, list[int]] = {}
        for place, one in enumerate(judgements):
            places.setdefault(one.target.id, []).append(place)
        return cls(
            index=index,
            judgements=judgements,
            worst=_worst(judgements),
            by_target={target: tuple(some) for target, some in places.items()},
            verdicts=verdicts,
        )

    @property
    def open(self) -> tuple[TargetJudgement, ...]:
        """Targets with a reason that no finding claims yet."""
        return tuple(
            one
            for one in self.worst
            if one.code and one.code not in EGRESSD_CODES and one.target.id not in self.claimed
        )

    @property
    def reachable(self) -> tuple[TargetJudgement, ...]:
        """Targets that are reachable."""
        return tuple(one for one in self.worst if one.outcome.reachable)

    def _from_other_sources(self, some: Sequence[TargetJudgement]) -> list[TargetJudgement]:
        """Return the judgements of the same targets from other sources, in the order of the plan."""
        pairs = {(one.target.id, one.source) for one in some}
        places = sorted(
            place for target in {one.target.id for one in some} for place in self.by_target.get(target, ())
        )
        every = (self.judgements[place] for place in places)
        return [one for one in every if (one.target.id, one.source) not in pairs]

    def alike(self, some: Sequence[TargetJudgement]) -> tuple[TargetJudgement, ...]:
        """Return how the same targets end alike from other sources."""
        known = {(one.target.id, one.code) for one in some}
        return tuple(one for one in self._from_other_sources(some) if (one.target.id, one.code) in known)

    def otherwise(self, some: Sequence[TargetJudgement]) -> tuple[TargetJudgement, ...]:
        """Return how the same targets fail in other ways from other sources."""
        known = {one.target.id for one in some if not one.outcome.reachable}
        return tuple(
            one
            for one in self._from_other_sources(some)
            if one.target.id in known and not one.outcome.reachable and one.code not in EGRESSD_CODES
        )

    def verdict(self, one: TargetJudgement) -> Verdict:
        """Return the verdict of a judgement."""
        return self.verdicts[one.target.id, one.source]


def _worst(judgements: Iterable[TargetJudgement]) -> tuple[TargetJudgement, ...]:
    worst: dict[str, TargetJudgement] = {}
    for one in judgements:
        known = worst.get(one.target.id)
        if known is None or one.outcome.severity > known.outcome.severity:
            worst[one.target.id] = one
    return tuple(worst[key] for key in sorted(worst))


def is_random(one: TargetJudgement) -> bool:
    """Whether the host is a random label."""
    return one.target.sample is SampleKind.RANDOM


def is_guess(one: TargetJudgement) -> bool:
    """Whether a name that egressd derived failed: nothing vouches for it."""
    match = one.result.match if one.result is not None else None
    return match is not None and match.context.derived
