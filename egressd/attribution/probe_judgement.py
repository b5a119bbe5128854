"""Judge one probe by all of its trails: any address that works makes the target reachable."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution.certainty import highest
from egressd.attribution.control_results.resolvers import answered_by_other_resolver
from egressd.attribution.control_results.tries import works_sometimes
from egressd.attribution.facts.baseline_entries import answered_in_baseline
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.partial_faults import intermittent, partial_faults
from egressd.attribution.rules.certificate import is_inspected, is_private_ca
from egressd.attribution.rules.dns import PRIVATE_LINK, is_overruled, is_private_link_capable
from egressd.attribution.rules.http import proof_of_answer
from egressd.attribution.trail_judgement import NOT_PROBED, Match, TrailJudgement
from egressd.model.endpoint import Inspection
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Confidence, Outcome

AAAA_BROKEN = "dns_aaaa_broken"
MISSING_FAMILY = {Family.IPV4: "no_ipv4", Family.IPV6: "no_ipv6"}


class ProbeJudgement(Struct, frozen=True, kw_only=True):
    """The result of one probe for one target, before confidence is weighed."""

    outcome: Outcome
    match: Match | None
    also: tuple[str, ...]
    flags: tuple[str, ...]
    causes: tuple[Match, ...]
    """Every cause seen on any trail, for findings and evidence."""
    proof: Confidence = Confidence.CONFIRMED
    """How sure it is that the endpoint itself answered, where nothing is wrong."""
    notes: tuple[Match, ...] = ()
    """What else was noticed where nothing is wrong."""


def judge_probe(judgements: Iterable[TrailJudgement]) -> ProbeJudgement:
    """Judge all trails of a probe; there is at least one.

    That a name which egressd derived fails is not known to mean anything.
    """
    every = tuple(judgements)
    found = _judge_probe(every)
    guess = found.match is not None and found.match.context.derived
    return replace(found, outcome=Outcome.UNKNOWN) if guess and not found.outcome.reachable else found


def _judge_probe(judgements: Iterable[TrailJudgement]) -> ProbeJudgement:
    every = sorted((one for one in judgements if not is_overruled(one.context)), key=lambda one: one.rank)
    lacks_family = {one.context.trail.family for one in every if _lacks_family(one.context)}
    dials = [one for one in every if _is_dial(one) and one.context.trail.family not in lacks_family]
    lookups = [one for one in every if one.context.trail.address is None]
    flags = [flag for family, flag in MISSING_FAMILY.items() if family in lacks_family]
    if any(one.works or works_sometimes(one.context) for one in dials):
        return _reachable(dials, lookups, flags=flags)
    if not dials and not any(one.causes for one in lookups):
        dials = [one for one in every if _is_dial(one)]
    return _unreachable(dials, lookups, flags=flags)


def _lacks_family(context: TrailContext) -> bool:
    return not context.proxied and context.index.lacks_family(context.source, context.trail.family)


def _is_dial(one: TrailJudgement) -> bool:
    return one.context.trail.address is not None or one.context.tcp is not None


def _reachable(
    dials: list[TrailJudgement], lookups: list[TrailJudgement], *, flags: list[str]
) -> ProbeJudgement:
    """Report what is wrong although it works, always or sometimes; nothing wrong is `ok`."""
    working = [one for one in dials if one.works]
    faults = [
        *(one.primary for one in working if one.primary is not None),
        *(note for one in working for note in one.notes if not note.informational),
        *partial_faults(dials),
        *(one.primary for one in lookups if one.primary is not None and _resolver_fault(one)),
    ]
    info = [note for one in working for note in one.notes if note.informational]
    first = faults[0] if faults else None
    contexts = [*([first.context] if first is not None else ()), *(one.context for one in working)]
    return ProbeJudgement(
        outcome=Outcome.DEGRADED if first is not None else Outcome.OK,
        match=first,
        also=_codes([*faults[1:], *info], without=first),
        flags=_flags(contexts, flags),
        causes=tuple(faults),
        proof=highest([proof_of_answer(one.context) for one in working] or [Confidence.LOW]),
        notes=tuple(info),
    )


def _resolver_fault(one: TrailJudgement) -> bool:
    """Whether a lookup is a fault of its resolver: a name without one address type is none."""
    dns = one.context.dns
    if dns is None or dns.failure is None or (one.primary is not None and one.primary.code == AAAA_BROKEN):
        return True
    if dns.failure not in (Failure.NODATA, Failure.NXDOMAIN):
        return True
    return answered_by_other_resolver(one.context) and not _has_other_type(one.context)


def _lacks_one_type_only(context: TrailContext) -> bool:
    """Whether the resolver has addresses of the other type, and no resolver has one of this type."""
    none = context.dns is not None and context.dns.failure is Failure.NODATA
    return none and _has_other_type(context) and not answered_by_other_resolver(context)


def _has_other_type(context: TrailContext) -> bool:
    own = context.dns
    return own is not None and any(
        trail.resolver == own.resolver
        and (seen := trail.seen(Phase.DNS)) is not None
        and seen.failure is None
        for trail in context.probe_trails
    )


def _unreachable(
    dials: list[TrailJudgement], lookups: list[TrailJudgement], *, flags: list[str]
) -> ProbeJudgement:
    relevant = (one for one in lookups if not (dials and _lacks_one_type_only(one.context)))
    lookups = sorted(relevant, key=lambda one: one.rank_of_lookup)
    failed = [one for one in (*dials, *lookups) if one.primary is not None]
    causes = [match for one in failed for match in one.causes]
    notes = [note for one in failed for note in one.notes]
    if not causes:
        causes = [Match(context=lookups[0].context, rule=NOT_PROBED, phase=None)]
    first = causes[0]
    if first.context.reached_by_other_dial:
        return _lost_by_chance(first, causes, flags=flags)
    if first.context.loss_pattern is LossPattern.RATE:
        return _lost_by_chance(first, causes, flags=flags, outcome=Outcome.UNKNOWN)
    if first.rule.certainty.compares and not first.context.has_comparison:
        flags = [*flags, "unverified_control"]
    if first.context.random and answered_in_baseline(first.context) is False:
        return replace(_failed_result(first, causes, notes, flags), outcome=Outcome.UNKNOWN)
    return _failed_result(first, causes, notes, flags)


def _failed_result(first: Match, causes: list[Match], notes: list[Match], flags: list[str]) -> ProbeJudgement:
    outcome = first.outcome
    return ProbeJudgement(
        outcome=Outcome.BLOCKED if outcome.reachable and not first.informational else outcome,
        match=first,
        also=_codes([*causes[1:], *notes], without=first),
        flags=_flags([first.context], flags),
        causes=tuple(causes),
    )


def _lost_by_chance(
    first: Match, causes: list[Match], *, flags: list[str], outcome: Outcome | None = None
) -> ProbeJudgement:
    """Report silence that is no rule about the target: another dial got through, or new ones are limited.

    Where new connections are limited, what stayed silent when repeated may be blocked, or may not.
    """
    loss = intermittent(first.context)
    return ProbeJudgement(
        outcome=outcome or loss.outcome,
        match=loss,
        also=_codes(causes, without=loss),
        flags=_flags([first.context], flags),
        causes=(loss, *causes),
    )


def _codes(matches: Iterable[Match], *, without: Match | None) -> tuple[str, ...]:
    """Return codes once each, faults before information."""
    ordered = sorted(matches, key=lambda one: one.informational)
    own = without.code if without is not None else None
    return tuple(dict.fromkeys(one.code for one in ordered if one.code != own))


def _flags(contexts: list[TrailContext], flags: list[str]) -> tuple[str, ...]:
    found = [*flags, *(flag for context in contexts for flag in _context_flags(context))]
    return tuple(dict.fromkeys(found))


def _context_flags(context: TrailContext) -> Iterable[str]:
    """Yield the flags that qualify a verdict."""
    if context.random:
        yield "rule_probe"
        answered = answered_in_baseline(context)
        if answered is not None:
            yield "baseline_answered" if answered else "baseline_alike"
    if context.proxied:
        yield "proxied"
    if context.trail.redirected:
        yield "redirected"
    if context.connected_to_anything or (context.source in context.index.accept_all and not context.proxied):
        yield "accept_all"
    if context.source in context.index.dns_intercepted and not context.proxied:
        yield "dns_intercepted"
    if context.untried_addresses:
        yield "single_address"
    if context.failed_in is Phase.TCP and context.dial_stats.all_silent:
        yield "local_firewall_not_ruled_out"
    yield from _chain_flags(context)


def _chain_flags(context: TrailContext) -> Iterable[str]:
    if is_private_ca(context):
        yield "private_ca"
    if is_inspected(context) and (context.source, context.trail.path) in context.index.peers.uninspected:
        yield "tls_mitm_partial"
    tls = context.tls
    private = tls is not None and tls.facts is not None and tls.facts.publicly_anchored is False
    if private and context.target.inspection is Inspection.FORBIDDEN and not is_private_ca(context):
        yield "inspection_forbidden"
    chain = " ".join(context.dns.cnames).lower() if context.dns is not None else ""
    if PRIVATE_LINK in chain and not is_private_link_capable(context):
        yield "private_link_unexpected"
