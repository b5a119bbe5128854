"""A rule, and the table of a phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from msgspec import Struct

from egressd.attribution.blame.suspects import Signature
from egressd.attribution.certainty import OBSERVED, Certainty
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import Condition, may_hold, never
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
    _asked: dict[frozenset[Clue], tuple[tuple[Rule, ...], tuple[Rule, ...]]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def explain(self, context: TrailContext, clues: frozenset[Clue]) -> Rule | None:
        """Return the first rule that holds, or None where nothing is wrong with the phase."""
        rules, _ = self._for(clues)
        if not rules or self.clear(context):
            return None
        for rule in rules:
            if rule.when(context):
                return rule
        return None

    def notes_for(self, context: TrailContext, clues: frozenset[Clue]) -> tuple[Rule, ...]:
        """Return every note that holds."""
        _, notes = self._for(clues)
        return tuple([rule for rule in notes if rule.when(context)]) if notes else ()

    def _for(self, clues: frozenset[Clue]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        """Return the rules and the notes that are worth asking."""
        known = self._asked.get(clues)
        if known is None:
            rules, notes = (
                tuple(one for one in some if may_hold(one.when, clues)) for some in (self.rules, self.notes)
            )
            known = self._asked[clues] = rules, notes
        return known
