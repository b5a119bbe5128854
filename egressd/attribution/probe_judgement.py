"""The trails of one probe, made one ruling: any address that works makes the target reachable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from egressd.attribution.control_results.contrast import answered_by_other_resolver, repeat_succeeded
from egressd.attribution.facts.baseline_entries import answered_in_baseline
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.certificate import is_inspected, is_private_ca
from egressd.attribution.rules.dns import PRIVATE_LINK, is_private_capable
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, Rule
from egressd.attribution.trail_judgement import NOT_PROBED, Match, TrailJudgement
from egressd.model.endpoint import Inspection
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Outcome


def _never(_: TrailContext) -> bool:
    return False


STALE_RULE_TTL = 300
"""Seconds: addresses that live no longer change before a firewall's list of them is renewed."""
PATH_LOSS = Rule(reason="path_loss", when=_never, score=EXPLICIT)
SOME_ADDRESSES = Rule(reason="tcp_some_ips_blocked", when=_never, score=IDENTIFIED - 1)
BROKEN_FAMILY = {
    Family.IPV4: Rule(reason="tcp_ipv4_broken", when=_never, score=IDENTIFIED - 1),
    Family.IPV6: Rule(reason="tcp_ipv6_broken", when=_never, score=IDENTIFIED - 1),
}
STALE_ADDRESSES = Rule(reason="tcp_fqdn_rule_stale_ip", when=_never, score=EXPLICIT)
LOSS_RULES = {
    LossPattern.RATE: Rule(reason="tcp_rate_limited", when=_never, score=EXPLICIT),
    LossPattern.CONCURRENCY: Rule(reason="nat_ports_exhausted", when=_never, score=0),
}
ABSENT = {Family.IPV4: "no_ipv4", Family.IPV6: "no_ipv6"}
LINK = frozenset({"tcp_ip_blocked_silent", "tcp_refused", "tcp_port_blocked", "tcp_reset_after_accept"})
"""TCP failures that, at some addresses of a name only, are a rule that misses addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeJudgement:
    """What one probe says of one target, before confidence is weighed."""

    outcome: Outcome
    match: Match | None
    also: tuple[str, ...]
    flags: tuple[str, ...]
    causes: tuple[Match, ...]
    """Every cause seen on any trail, for findings and evidence."""


def judge_probe(judgements: Iterable[TrailJudgement]) -> ProbeJudgement:
    """Return one ruling for all trails of a probe; there is at least one."""
    every = sorted(judgements, key=lambda one: one.rank)
    lacks_family = {one.context.trail.family for one in every if _lacks_family(one.context)}
    ways = [one for one in every if _is_way(one) and one.context.trail.family not in lacks_family]
    names = [one for one in every if one.context.trail.address is None]
    flags = [ABSENT[family] for family in Family if family in lacks_family]
    working = [one for one in ways if one.works]
    if working:
        return _reachable(ways, names, working=working, flags=flags)
    if not ways and not any(one.causes for one in names):
        ways = [one for one in every if _is_way(one)]
    return _unreachable(ways, names, flags=flags)


def _lacks_family(context: TrailContext) -> bool:
    return not context.proxied and context.index.lacks_family(context.source, context.trail.family)


def _is_way(one: TrailJudgement) -> bool:
    return one.context.trail.address is not None or one.context.tcp is not None


def _reachable(
    ways: list[TrailJudgement],
    names: list[TrailJudgement],
    *,
    working: list[TrailJudgement],
    flags: list[str],
) -> ProbeJudgement:
    """Say what is wrong although it works; nothing wrong is `ok`."""
    complaints = [
        *(one.primary for one in working if one.primary is not None),
        *(note for one in working for note in one.notes if not note.informational),
        *_partly(ways),
        *(one.primary for one in names if one.primary is not None and _matters(one)),
    ]
    info = [note for one in working for note in one.notes if note.informational]
    first = complaints[0] if complaints else None
    context = first.context if first is not None else working[0].context
    return ProbeJudgement(
        outcome=Outcome.DEGRADED if first is not None else Outcome.OK,
        match=first,
        also=_codes([*complaints[1:], *info], without=first),
        flags=_flags([context, *(one.context for one in working)], flags),
        causes=tuple(complaints),
    )


def _partly(ways: list[TrailJudgement]) -> list[Match]:
    """Return what is wrong with the addresses that do not work, or only sometimes."""
    found: list[Match] = []
    for _, group in groupby(sorted(ways, key=_way), key=_way):
        tries = sorted(group, key=lambda one: one.rank)
        failed = [one for one in tries if not one.works and one.primary is not None]
        if not failed:
            continue
        if len(failed) < len(tries):
            found.append(Match(context=failed[0].context, rule=PATH_LOSS, phase=failed[0].context.failed_in))
        else:
            found.append(_one_way_down(failed[0], ways))
            if _learned_elsewhere(failed[0], ways):
                found.append(Match(context=failed[0].context, rule=STALE_ADDRESSES, phase=Phase.TCP))
    return found


def _learned_elsewhere(one: TrailJudgement, ways: list[TrailJudgement]) -> bool:
    """Whether a short-lived address is silent, and one that only another voice gave works."""
    own = one.context.dns
    silent = one.context.tcp is not None and one.context.tcp.failure is Failure.TIMEOUT
    if not silent or own is None or own.ttl is None or own.ttl > STALE_RULE_TTL:
        return False
    return any(
        other.works
        and (heard := other.context.dns) is not None
        and (heard.resolver != own.resolver and heard.type == own.type)
        and other.context.address not in own.answers
        for other in ways
    )


def _way(one: TrailJudgement) -> tuple[str, str]:
    return one.context.trail.family.value, one.context.trail.address or ""


def _one_way_down(one: TrailJudgement, ways: list[TrailJudgement]) -> Match:
    primary = one.primary
    if primary is None:
        raise RuntimeError("a trail without a cause was taken for a failed one")
    if primary.phase is not Phase.TCP:
        return primary
    family = one.context.trail.family
    if not any(other.works for other in ways if other.context.trail.family is family):
        return Match(context=one.context, rule=BROKEN_FAMILY[family], phase=Phase.TCP)
    rule = SOME_ADDRESSES if primary.code in LINK else primary.rule
    return Match(context=one.context, rule=rule, phase=Phase.TCP)


def _matters(one: TrailJudgement) -> bool:
    """Whether a voice really failed: no address of one type is no failure, nor is nobody having it.

    A resolver that knows a name's IPv4 address by its own configuration refuses the question for the
    other type at once (dnsmasq does): clients lose nothing by it.
    """
    dns = one.context.dns
    if dns is None or dns.failure is None:
        return True
    if dns.rcode == "REFUSED" and dns.type == "AAAA" and _has_other_type(one.context):
        return False
    if dns.failure not in (Failure.NODATA, Failure.NXDOMAIN):
        return True
    return answered_by_other_resolver(one.context) and not _has_other_type(one.context)


def _lacks_one_type_only(context: TrailContext) -> bool:
    """Whether the voice has addresses of the other type, and nobody has one of this type."""
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
    ways: list[TrailJudgement], names: list[TrailJudgement], *, flags: list[str]
) -> ProbeJudgement:
    names = [one for one in names if not (ways and _lacks_one_type_only(one.context))]
    names = sorted(names, key=lambda one: one.rank_of_name)
    failed = [one for one in (*ways, *names) if one.primary is not None]
    causes = [match for one in failed for match in one.causes]
    notes = [note for one in failed for note in one.notes]
    if not causes:
        causes = [Match(context=names[0].context, rule=NOT_PROBED, phase=None)]
    first = causes[0]
    if repeat_succeeded(first.context) or first.context.reached_by_other_dial:
        return _intermittent(first, causes, flags=flags)
    if first.context.loss_pattern is LossPattern.RATE:
        return _intermittent(first, causes, flags=flags, outcome=Outcome.UNKNOWN)
    if not first.rule.alone and not first.context.has_comparison:
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


def _intermittent(
    first: Match, causes: list[Match], *, flags: list[str], outcome: Outcome | None = None
) -> ProbeJudgement:
    """What fails once and works when asked again is no rule about the target.

    Where new connections are limited, what stayed silent when asked again may be, or may not.
    """
    context = first.context
    rule = LOSS_RULES[context.loss_pattern] if context.loss_pattern is not None else PATH_LOSS
    loss = Match(context=context, rule=rule, phase=first.phase)
    return ProbeJudgement(
        outcome=outcome or loss.outcome,
        match=loss,
        also=_codes(causes, without=loss),
        flags=_flags([first.context], flags),
        causes=(loss, *causes),
    )


def _codes(matches: Iterable[Match], *, without: Match | None) -> tuple[str, ...]:
    """Return codes once each, what matters before what is only worth knowing."""
    ordered = sorted(matches, key=lambda one: one.informational)
    own = without.code if without is not None else None
    return tuple(dict.fromkeys(one.code for one in ordered if one.code != own))


def _flags(contexts: list[TrailContext], flags: list[str]) -> tuple[str, ...]:
    found = [*flags, *(flag for context in contexts for flag in _modifiers(context))]
    return tuple(dict.fromkeys(found))


def _modifiers(context: TrailContext) -> Iterable[str]:
    """Yield what a reader should know about the way a verdict came about."""
    if context.random:
        yield "rule_probe"
        router_before = answered_in_baseline(context)
        if router_before is not None:
            yield "baseline_answered" if router_before else "baseline_alike"
    if context.proxied:
        yield "proxied"
    if context.trail.redirected:
        yield "redirected"
    if context.source in context.index.accept_all and not context.proxied:
        yield "accept_all"
    if context.source in context.index.dns_intercepted and not context.proxied:
        yield "dns_intercepted"
    if context.untried_addresses:
        yield "single_address"
    if (
        context.failed_in is Phase.TCP
        and context.index.dial_stats(context.source, context.trail.family).all_silent
    ):
        yield "local_firewall_not_ruled_out"
    yield from _chain_modifiers(context)


def _chain_modifiers(context: TrailContext) -> Iterable[str]:
    if is_private_ca(context):
        yield "private_ca"
    if is_inspected(context) and (context.source, context.trail.path) in context.index.peers.uninspected:
        yield "tls_mitm_partial"
    tls = context.tls
    private = tls is not None and tls.facts is not None and tls.facts.publicly_anchored is False
    if private and context.target.inspection is Inspection.FORBIDDEN and not is_private_ca(context):
        yield "inspection_forbidden"
    chain = " ".join(context.dns.cnames).lower() if context.dns is not None else ""
    if PRIVATE_LINK in chain and not is_private_capable(context):
        yield "private_link_unexpected"
