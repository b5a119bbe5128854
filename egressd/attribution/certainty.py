"""How sure it is what happened: seen directly, silence, or an inference from a comparison.

A repeated failure and a comparison made in rounds exclude chance; two failures that look alike do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.control_results.tries import always_fails, tries
from egressd.attribution.facts.baseline_entries import answered_in_baseline
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.verdict import Confidence

_ORDER = tuple(Confidence)
_BY_CONTRAST = {
    Contrast.FLIP: Confidence.CONFIRMED,
    Contrast.AGAIN: Confidence.HIGH,
    Contrast.PASSED: Confidence.MEDIUM,
    Contrast.FAILED: Confidence.INCONCLUSIVE,
    Contrast.OTHERWISE: Confidence.INCONCLUSIVE,
}


class Certainty(Struct, frozen=True, kw_only=True):
    """How sure a rule is of what happened."""

    text: str
    """For the manual: a sentence."""
    of: Callable[[TrailContext], Confidence]
    """The confidence for one trail."""
    compares: bool = False
    """Whether it rests on a comparison, so that it is unproven where nothing could be compared."""


def at(level: Confidence) -> Certainty:
    """Return the certainty of a reading that no comparison raises."""
    return Certainty(text=f"{level.value.capitalize()}: a reading of what was seen.", of=lambda _: level)


def contrasted(contrast: Callable[[TrailContext], Contrast], alone: Confidence = Confidence.LOW) -> Certainty:
    """Return the certainty of an inference from a comparison; `alone`: where nothing was compared."""
    return Certainty(
        text=f"{alone.value.capitalize()} without a comparison, medium after one round, "
        "high after two, confirmed after three in which the failing one failed every time.",
        of=lambda context: _BY_CONTRAST.get(contrast(context), alone),
        compares=True,
    )


def unless(weak: Callable[[TrailContext], bool], usual: Certainty) -> Certainty:
    """Return a certainty that is at most medium where the evidence is weak."""

    def level(context: TrailContext) -> Confidence:
        found = usual.of(context)
        return lower(found, Confidence.MEDIUM) if weak(context) else found

    return Certainty(text=f"{usual.text} At most medium where its author is not shown.", of=level)


def _after_repeats(context: TrailContext) -> Confidence:
    return Confidence.HIGH if tries(context) > 1 and always_fails(context) else Confidence.MEDIUM


OBSERVED = Certainty(text="Confirmed: it is seen directly.", of=lambda _: Confidence.CONFIRMED)
SILENCE = Certainty(text="Medium when nothing came once, high when repeats agree.", of=_after_repeats)


def weigh(context: TrailContext, certainty: Certainty) -> Confidence:
    """Return how sure it is what happened to one trail."""
    level = certainty.of(context)
    return lower(level, _ceiling_of_label(context)) if context.random else level


def _ceiling_of_label(context: TrailContext) -> Confidence:
    """Return the most a random label's failure can prove: the far end may reject unknown names itself."""
    match answered_in_baseline(context):
        case True:
            return Confidence.CONFIRMED
        case False:
            return Confidence.INCONCLUSIVE
        case _:
            return Confidence.MEDIUM


def lower(one: Confidence, other: Confidence) -> Confidence:
    """Return the lower of two."""
    return max(one, other, key=_ORDER.index)


def highest(several: Iterable[Confidence]) -> Confidence:
    """Return the highest of one or more."""
    return min(several, key=_ORDER.index)


def lowest(several: Iterable[Confidence]) -> Confidence:
    """Return the lowest of one or more."""
    return max(several, key=_ORDER.index)
