"""A rule, and the table of a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import Condition, never
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

IDENTIFIED = 4
"""The sender identifies itself, or the kernel does: an ICMP error, a page, an issuer, an errno."""
EXPLICIT = 2
"""An explicit signal whose sender is unknown: a RST, a FIN, an alert."""
INCONSISTENT = 2
"""A wrong answer or a wrong certificate."""
STAGED = 2
"""Silence, with proof of how far the exchange got."""
SILENCE = 1
"""No answer, and nothing else is known."""


def no_contrast(_: TrailContext) -> Contrast:
    """Compare with nothing."""
    return Contrast.NONE


def usual_blame(_: TrailContext) -> Blame | None:
    """Leave the blame at the reason's usual party."""
    return None


def usual_outcome(_: TrailContext) -> Outcome | None:
    """Leave the outcome at the reason's usual one."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A reason code and when it holds."""

    reason: str
    when: Condition = never
    """The default is for codes that are given outside of the tables."""
    score: int = EXPLICIT
    """Where confidence starts, before controls raise or lower it."""
    silent: bool = False
    """Whether the evidence is that nothing came: then one try proves little."""
    blame: Callable[[TrailContext], Blame | None] = usual_blame
    """Whom to blame, where it is not the reason's usual party."""
    outcome: Callable[[TrailContext], Outcome | None] = usual_outcome
    """What it means for the target, where it is not the reason's usual outcome."""
    contrast: Callable[[TrailContext], Contrast] = no_contrast
    """The comparison that would raise or lower confidence."""
    weak: Condition = never
    """Whether the evidence of a trail is weaker than the score says."""
    needs_control: bool = False
    """Whether confidence is lower where nothing could be compared: the evidence is no proof by itself."""


InferredRule = partial(Rule, needs_control=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The rules of one phase, in order. `rules` explain the failure; `notes` are what else was noticed."""

    phase: Phase
    rules: tuple[Rule, ...]
    notes: tuple[Rule, ...] = ()

    def explain(self, context: TrailContext) -> Rule | None:
        """Return the first rule that holds, or None where nothing is wrong with the phase."""
        return next((rule for rule in self.rules if rule.when(context)), None)

    def notes_for(self, context: TrailContext) -> tuple[Rule, ...]:
        """Return every note that holds."""
        return tuple(rule for rule in self.notes if rule.when(context))
