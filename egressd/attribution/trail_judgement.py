"""Judge one trail by the rule tables: what broke it, and what else it shows."""

from __future__ import annotations

from msgspec import Struct

from egressd.attribution.blame.suspects import Signature
from egressd.attribution.certainty import weigh
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.reasons import REASONS
from egressd.attribution.rules.certificate import CERTIFICATE
from egressd.attribution.rules.clue import Clue, clues_of
from egressd.attribution.rules.dns import DNS
from egressd.attribution.rules.http import HTTP
from egressd.attribution.rules.ntp import NTP
from egressd.attribution.rules.proxy import PROXY, TUNNEL
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.attribution.rules.tcp import TCP
from egressd.attribution.rules.tls import TLS
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Confidence, Outcome

DIRECT_TABLES = (DNS, TCP, CERTIFICATE, TLS, HTTP, NTP)
"""In the order of the phases; the received chain is judged before what followed it."""
PROXY_TABLES = (PROXY, TUNNEL, CERTIFICATE, HTTP)
EXCUSED = frozenset({Phase.PROXY, Phase.TLS, Phase.HTTP})
"""Phases whose failure only the server itself can have caused, where a trail is excused."""

_ORDER = tuple(Confidence)

INTERNAL_ERROR = Rule(reason="internal_error")
NOT_PROBED = Rule(reason="not_probed")


class Match(Struct, frozen=True, kw_only=True):
    """A rule that holds for a trail."""

    context: TrailContext
    rule: Rule
    phase: Phase | None

    @property
    def code(self) -> str:
        """The reason code."""
        return self.rule.reason

    @property
    def outcome(self) -> Outcome:
        """What it means for the target."""
        return self.rule.outcome(self.context) or REASONS[self.code].severity

    @property
    def suspects(self) -> Signature:
        """Who can have caused it."""
        return self.rule.suspects(self.context) or REASONS[self.code].suspects

    @property
    def informational(self) -> bool:
        """Whether it is information, not a fault."""
        return REASONS[self.code].informational or self.outcome is Outcome.OK


class TrailJudgement(Struct, frozen=True, kw_only=True):
    """One trail, and the rules that hold for it."""

    context: TrailContext
    causes: tuple[Match, ...]
    """What broke it, the first broken phase first."""
    notes: tuple[Match, ...]

    @property
    def primary(self) -> Match | None:
        """The cause to report."""
        return self.causes[0] if self.causes else None

    @property
    def works(self) -> bool:
        """Whether the endpoint is usable at this address."""
        primary = self.primary
        if primary is None:
            return self.context.complete
        usable = self.context.complete or primary.phase is Phase.HTTP
        return usable and primary.outcome.reachable

    @property
    def rank(self) -> tuple[bool, bool, int, str, str, int]:
        """The order among trails that all fail: the most informative first. No two trails rank the same."""
        trail = self.context.trail
        sure = _ORDER.index(weigh(self.context, self.primary.rule.certainty)) if self.primary else len(_ORDER)
        on_v6 = trail.family is Family.IPV6
        return (
            self.context.uses_system_resolver,
            on_v6,
            sure,
            trail.resolver,
            trail.address or "",
            trail.attempt,
        )

    @property
    def rank_of_lookup(self) -> tuple[bool, int, bool, str]:
        """The order among lookups that gave no address: an explicit answer before silence."""
        system, on_v6, sure, resolver, *_ = self.rank
        return system, sure, on_v6, resolver


def judge_trail(context: TrailContext) -> TrailJudgement:
    """Judge one trail by every table."""
    if context.failing is not None and context.failing.failure is Failure.INTERNAL_ERROR:
        bug = Match(context=context, rule=INTERNAL_ERROR, phase=context.failing.phase)
        return TrailJudgement(context=context, causes=(bug,), notes=())
    clues = clues_of(context)
    tables = PROXY_TABLES if context.proxied else DIRECT_TABLES
    causes = tuple(match for table in tables if (match := _explain(table, context, clues)) is not None)
    if context.proxied and causes and causes[0].code.startswith("proxy_"):
        # The proxy's own page is no answer of the origin.
        causes = tuple(one for one in causes if one.phase is not Phase.HTTP)
    notes = tuple(
        Match(context=context, rule=rule, phase=table.phase)
        for table in tables
        for rule in table.notes_for(context, clues)
    )
    if not causes and not context.complete and not context.duplicate_answer:
        causes = (Match(context=context, rule=NOT_PROBED, phase=None),)
    return TrailJudgement(context=context, causes=causes, notes=notes)


def _explain(table: RuleTable, context: TrailContext, clues: frozenset[Clue]) -> Match | None:
    if context.excused and table.phase in EXCUSED:
        return None
    rule = table.explain(context, clues)
    return Match(context=context, rule=rule, phase=table.phase) if rule is not None else None
