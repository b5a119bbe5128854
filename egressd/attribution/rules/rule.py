"""A rule, and the table of a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from egressd.attribution.blame.suspects import Signature
from egressd.attribution.certainty import OBSERVED, Certainty
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import Condition, OnFailure, never
from egressd.model.observation import Phase
from egressd.model.verdict import Outcome


def usual_suspects(_: TrailContext) -> Signature | None:
    """Leave the suspects at those of the reason."""
    return None


def usual_outcome(_: TrailContext) -> Outcome | None:
    """Leave the outcome at the reason's usual one."""
    return None


class Rule(Struct, frozen=True, kw_only=True):
    """A reason code and when it holds."""

    reason: str
    when: Condition = never
    """The default is for codes that are given outside of the tables."""
    certainty: Certainty = OBSERVED
    """How sure it is that this happened; who caused it is another question (`attribution.blame`)."""
    suspects: Callable[[TrailContext], Signature | None] = usual_suspects
    """Who can have caused it, where the trail shows another signature than the reason's usual one."""
    outcome: Callable[[TrailContext], Outcome | None] = usual_outcome
    """What it means for the target, where it is not the reason's usual outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTable:
    """The rules of one phase, in order. `rules` explain the failure; `notes` are what else was noticed."""

    phase: Phase
    rules: tuple[Rule, ...]
    notes: tuple[Rule, ...] = ()
    clear: Condition = never
    """Whether it is known at a glance that none of `rules` holds: most trails of a sweep are like that."""
    _without_failure: tuple[Rule, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Collect the rules that may hold where nothing failed."""
        rules = tuple(one for one in self.rules if not isinstance(one.when, OnFailure))
        object.__setattr__(self, "_without_failure", rules)

    def explain(self, context: TrailContext) -> Rule | None:
        """Return the first rule that holds, or None where nothing is wrong with the phase."""
        if self.clear(context):
            return None
        for rule in self.rules if context.failing is not None else self._without_failure:
            if rule.when(context):
                return rule
        return None

    def notes_for(self, context: TrailContext) -> tuple[Rule, ...]:
        """Return every note that holds."""
        return tuple(rule for rule in self.notes if rule.when(context))
