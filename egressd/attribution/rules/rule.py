"""What a rule is, and how a table of them is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import Phase
from egressd.model.verdict import Blame, Outcome

IDENTIFIED = 4
"""The sender names itself, or the kernel does: an ICMP error, a page, an issuer, an errno."""
EXPLICIT = 2
"""Somebody spoke, and we can't tell who: a RST, a FIN, an alert."""
INCONSISTENT = 2
"""A wrong answer or a wrong certificate."""
STAGED = 2
"""Silence with proof of how far things got."""
SILENCE = 1
"""Nothing came, and nothing else is known."""


def no_contrast(_: TrailContext) -> Contrast:
    """Compare with nothing."""
    return Contrast.NONE


def usual_blame(_: TrailContext) -> Blame | None:
    """Leave the blame with the reason's usual party."""
    return None


def usual_outcome(_: TrailContext) -> Outcome | None:
    """Leave the outcome at the reason's usual one."""
    return None


def never(_: TrailContext) -> bool:
    """Doubt nothing."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A reason code and when it holds."""

    reason: str
    when: Callable[[TrailContext], bool]
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
    weak: Callable[[TrailContext], bool] = never
    """Whether, in a case, the evidence is weaker than the score says."""
    alone: bool = False
    """Whether the evidence speaks for itself, so that no control is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The rules of one phase, in order. `rules` explain what failed; `notes` what else is to be seen."""

    phase: Phase
    rules: tuple[Rule, ...]
    notes: tuple[Rule, ...] = ()

    def explain(self, context: TrailContext) -> Rule | None:
        """Return the first rule that holds, or None where the phase is sound."""
        return next((rule for rule in self.rules if rule.when(context)), None)

    def notes_for(self, context: TrailContext) -> tuple[Rule, ...]:
        """Return every note that holds."""
        return tuple(rule for rule in self.notes if rule.when(context))
