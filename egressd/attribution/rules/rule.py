"""What a rule is, and how a table of them is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast
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


def no_contrast(_: Case) -> Contrast:
    """Compare with nothing."""
    return Contrast.NONE


def nobody(_: Case) -> Blame | None:
    """Leave the blame with the reason's usual party."""
    return None


def as_usual(_: Case) -> Outcome | None:
    """Leave the outcome at the reason's usual one."""
    return None


def never(_: Case) -> bool:
    """Doubt nothing."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A reason code and when it holds."""

    reason: str
    when: Callable[[Case], bool]
    score: int = EXPLICIT
    """Where confidence starts, before controls raise or lower it."""
    silent: bool = False
    """Whether the evidence is that nothing came: then one try proves little."""
    blame: Callable[[Case], Blame | None] = nobody
    """Whom to blame, where it is not the reason's usual party."""
    outcome: Callable[[Case], Outcome | None] = as_usual
    """What it means for the target, where it is not the reason's usual outcome."""
    contrast: Callable[[Case], Contrast] = no_contrast
    """The comparison that would raise or lower confidence."""
    faint: Callable[[Case], bool] = never
    """Whether, in a case, the evidence is weaker than the score says."""
    alone: bool = False
    """Whether the evidence speaks for itself, so that no control is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rules of one phase, in order. `rules` explain what failed; `notes` what else is to be seen."""

    phase: Phase
    rules: tuple[Rule, ...]
    notes: tuple[Rule, ...] = ()

    def explain(self, case: Case) -> Rule | None:
        """Return the first rule that holds, or None where the phase is sound."""
        return next((rule for rule in self.rules if rule.when(case)), None)

    def remark(self, case: Case) -> tuple[Rule, ...]:
        """Return every note that holds."""
        return tuple(rule for rule in self.notes if rule.when(case))
