"""Confidence of an attribution: a sum of points over the evidence and the comparisons made."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.attribution.control_results.contrast import Contrast, always_fails, tries
from egressd.attribution.control_results.hops import failure_hop
from egressd.attribution.facts.baseline_entries import answered_in_baseline
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.rule import Rule
from egressd.model.observation import Phase
from egressd.model.verdict import Confidence

_STEPS = ((5, Confidence.CONFIRMED), (4, Confidence.HIGH), (3, Confidence.MEDIUM), (1, Confidence.LOW))
_ORDER = tuple(Confidence)
_CONTRAST = {Contrast.NONE: 0, Contrast.FAILED: 0, Contrast.PASSED: 1, Contrast.FLIP: 2}


def weigh(context: TrailContext, rule: Rule, *, phase: Phase | None, alike: int = 1) -> Confidence:
    """Return the confidence of a rule that holds; `alike`: how many hosts show the same signature."""
    contrast = rule.contrast(context)
    if contrast is Contrast.FAILED:
        return Confidence.INCONCLUSIVE
    points = (
        rule.score
        + _agreement(context, rule)
        + _CONTRAST[contrast]
        + _circumstances(context, rule, phase=phase)
    )
    points += 1 if alike > 1 else 0
    level = next((level for least, level in _STEPS if points >= least), Confidence.INCONCLUSIVE)
    return _cap(level, context, rule, contrast=contrast)


def _agreement(context: TrailContext, rule: Rule) -> int:
    """Give a point to explicit evidence, and to silence in two tries that agree."""
    if not rule.silent:
        return 1
    return 1 if tries(context) > 1 and always_fails(context) else 0


def _circumstances(context: TrailContext, rule: Rule, *, phase: Phase | None) -> int:
    """Return the points that the circumstances add or take away."""
    points = 0
    if context.icmp is not None and not context.icmp.local:
        points += 1
    if failure_hop(context) is not None:
        points += 1
    if phase is Phase.TCP and context.source in context.index.accept_all:
        points -= 1
    if context.untried_addresses:
        points -= 1
    if rule.needs_control and not context.has_comparison:
        points -= 2
    if rule.weak(context):
        points -= 2
    if phase is Phase.TLS and context.tls is not None and context.tls.info is None and rule.needs_control:
        points -= 1
    return points


def _cap(level: Confidence, context: TrailContext, rule: Rule, *, contrast: Contrast) -> Confidence:
    """Limit silence without a FLIP to high, and a random label to what its baseline allows."""
    if rule.silent and contrast is not Contrast.FLIP:
        level = lower(level, Confidence.HIGH)
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
