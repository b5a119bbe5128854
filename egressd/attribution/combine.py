"""The trails of one probe, made one ruling: any address that works makes the target reachable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from egressd.attribution.assess import NOT_PROBED, Assessment, Match
from egressd.attribution.facts.burst import Pattern
from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import answered_elsewhere, works_again
from egressd.attribution.facts.shown.marks import answered_before
from egressd.attribution.rules.certificate import is_inspected, is_private_ca
from egressd.attribution.rules.dns import PRIVATE_LINK, is_private_capable
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, Rule
from egressd.model.endpoint import Inspection
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Outcome


def _never(_: Case) -> bool:
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
IN_BURST = {
    Pattern.PACE: Rule(reason="tcp_rate_limited", when=_never, score=EXPLICIT),
    Pattern.LOAD: Rule(reason="nat_ports_exhausted", when=_never, score=0),
}
ABSENT = {Family.IPV4: "no_ipv4", Family.IPV6: "no_ipv6"}
LINK = frozenset({"tcp_ip_blocked_silent", "tcp_refused", "tcp_port_blocked", "tcp_reset_after_accept"})
"""TCP failures that, at some addresses of a name only, are a rule that misses addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What one probe says of one target, before confidence is weighed."""

    outcome: Outcome
    match: Match | None
    also: tuple[str, ...]
    flags: tuple[str, ...]
    causes: tuple[Match, ...]
    """Every cause seen on any trail, for findings and evidence."""


def combine(assessments: Iterable[Assessment]) -> Ruling:
    """Return one ruling for all trails of a probe; there is at least one."""
    every = sorted(assessments, key=lambda one: one.rank)
    absent = {one.case.trail.family for one in every if _absent(one.case)}
    ways = [one for one in every if _is_way(one) and one.case.trail.family not in absent]
    names = [one for one in every if one.case.trail.address is None]
    flags = [ABSENT[family] for family in Family if family in absent]
    working = [one for one in ways if one.works]
    if working:
        return _reachable(ways, names, working=working, flags=flags)
    if not ways and not any(one.causes for one in names):
        ways = [one for one in every if _is_way(one)]
    return _unreachable(ways, names, flags=flags)


def _absent(case: Case) -> bool:
    return not case.proxied and case.whole.absent(case.source, case.trail.family)


def _is_way(one: Assessment) -> bool:
    return one.case.trail.address is not None or one.case.tcp is not None


def _reachable(
    ways: list[Assessment], names: list[Assessment], *, working: list[Assessment], flags: list[str]
) -> Ruling:
    """Say what is wrong although it works; nothing wrong is `ok`."""
    complaints = [
        *(one.primary for one in working if one.primary is not None),
        *(note for one in working for note in one.notes if not note.informational),
        *_partly(ways),
        *(one.primary for one in names if one.primary is not None and _matters(one)),
    ]
    info = [note for one in working for note in one.notes if note.informational]
    first = complaints[0] if complaints else None
    case = first.case if first is not None else working[0].case
    return Ruling(
        outcome=Outcome.DEGRADED if first is not None else Outcome.OK,
        match=first,
        also=_codes([*complaints[1:], *info], without=first),
        flags=_flags([case, *(one.case for one in working)], flags),
        causes=tuple(complaints),
    )


def _partly(ways: list[Assessment]) -> list[Match]:
    """Return what is wrong with the addresses that do not work, or only sometimes."""
    found: list[Match] = []
    for _, group in groupby(sorted(ways, key=_way), key=_way):
        tries = sorted(group, key=lambda one: one.rank)
        failed = [one for one in tries if not one.works and one.primary is not None]
        if not failed:
            continue
        if len(failed) < len(tries):
            found.append(Match(case=failed[0].case, rule=PATH_LOSS, phase=failed[0].case.failed_in))
        else:
            found.append(_one_way_down(failed[0], ways))
            if _learned_elsewhere(failed[0], ways):
                found.append(Match(case=failed[0].case, rule=STALE_ADDRESSES, phase=Phase.TCP))
    return found


def _learned_elsewhere(one: Assessment, ways: list[Assessment]) -> bool:
    """Whether a short-lived address is silent, and one that only another voice gave works."""
    own = one.case.dns
    silent = one.case.tcp is not None and one.case.tcp.failure is Failure.TIMEOUT
    if not silent or own is None or own.ttl is None or own.ttl > STALE_RULE_TTL:
        return False
    return any(
        other.works
        and (heard := other.case.dns) is not None
        and (heard.resolver != own.resolver and heard.type == own.type)
        and other.case.address not in own.answers
        for other in ways
    )


def _way(one: Assessment) -> tuple[str, str]:
    return one.case.trail.family.value, one.case.trail.address or ""


def _one_way_down(one: Assessment, ways: list[Assessment]) -> Match:
    primary = one.primary
    if primary is None:
        raise RuntimeError("a trail without a cause was taken for a failed one")
    if primary.phase is not Phase.TCP:
        return primary
    family = one.case.trail.family
    if not any(other.works for other in ways if other.case.trail.family is family):
        return Match(case=one.case, rule=BROKEN_FAMILY[family], phase=Phase.TCP)
    rule = SOME_ADDRESSES if primary.code in LINK else primary.rule
    return Match(case=one.case, rule=rule, phase=Phase.TCP)


def _matters(one: Assessment) -> bool:
    """Whether a voice really failed: no address of one type is no failure, nor is nobody having it.

    A resolver that knows a name's IPv4 address by its own configuration refuses the question for the
    other type at once (dnsmasq does): clients lose nothing by it.
    """
    dns = one.case.dns
    if dns is None or dns.failure is None:
        return True
    if dns.rcode == "REFUSED" and dns.type == "AAAA" and _has_other_type(one.case):
        return False
    if dns.failure not in (Failure.NODATA, Failure.NXDOMAIN):
        return True
    return answered_elsewhere(one.case) and not _has_other_type(one.case)


def _lacks_one_type_only(case: Case) -> bool:
    """Whether the voice has addresses of the other type, and nobody has one of this type."""
    none = case.dns is not None and case.dns.failure is Failure.NODATA
    return none and _has_other_type(case) and not answered_elsewhere(case)


def _has_other_type(case: Case) -> bool:
    own = case.dns
    return own is not None and any(
        trail.resolver == own.resolver
        and (seen := trail.seen(Phase.DNS)) is not None
        and seen.failure is None
        for trail in case.siblings
    )


def _unreachable(ways: list[Assessment], names: list[Assessment], *, flags: list[str]) -> Ruling:
    telling = [one for one in names if not (ways and _lacks_one_type_only(one.case))]
    names = sorted(telling, key=lambda one: one.rank_of_name)
    failed = [one for one in (*ways, *names) if one.primary is not None]
    causes = [match for one in failed for match in one.causes]
    notes = [note for one in failed for note in one.notes]
    if not causes:
        causes = [Match(case=names[0].case, rule=NOT_PROBED, phase=None)]
    first = causes[0]
    if works_again(first.case) or first.case.reached_beside:
        return _intermittent(first, causes, flags=flags)
    if first.case.burst is Pattern.PACE:
        return _intermittent(first, causes, flags=flags, outcome=Outcome.UNKNOWN)
    if not first.rule.alone and not first.case.controlled:
        flags = [*flags, "unverified_control"]
    if first.case.random and answered_before(first.case) is False:
        return replace(_plain_ruling(first, causes, notes, flags), outcome=Outcome.UNKNOWN)
    return _plain_ruling(first, causes, notes, flags)


def _plain_ruling(first: Match, causes: list[Match], notes: list[Match], flags: list[str]) -> Ruling:
    outcome = first.outcome
    return Ruling(
        outcome=Outcome.BLOCKED if outcome.reachable and not first.informational else outcome,
        match=first,
        also=_codes([*causes[1:], *notes], without=first),
        flags=_flags([first.case], flags),
        causes=tuple(causes),
    )


def _intermittent(
    first: Match, causes: list[Match], *, flags: list[str], outcome: Outcome | None = None
) -> Ruling:
    """What fails once and works when asked again is no rule about the target.

    Where new connections are limited, what stayed silent when asked again may be, or may not.
    """
    case = first.case
    rule = IN_BURST[case.burst] if case.burst is not None else PATH_LOSS
    loss = Match(case=case, rule=rule, phase=first.phase)
    return Ruling(
        outcome=outcome or loss.outcome,
        match=loss,
        also=_codes(causes, without=loss),
        flags=_flags([first.case], flags),
        causes=(loss, *causes),
    )


def _codes(matches: Iterable[Match], *, without: Match | None) -> tuple[str, ...]:
    """Return codes once each, what matters before what is only worth knowing."""
    ordered = sorted(matches, key=lambda one: one.informational)
    own = without.code if without is not None else None
    return tuple(dict.fromkeys(one.code for one in ordered if one.code != own))


def _flags(cases: list[Case], flags: list[str]) -> tuple[str, ...]:
    found = [*flags, *(flag for case in cases for flag in _modifiers(case))]
    return tuple(dict.fromkeys(found))


def _modifiers(case: Case) -> Iterable[str]:
    """Yield what a reader should know about the way a verdict came about."""
    if case.random:
        yield "rule_probe"
        before = answered_before(case)
        if before is not None:
            yield "baseline_answered" if before else "baseline_alike"
    if case.proxied:
        yield "proxied"
    if case.trail.redirected:
        yield "redirected"
    if case.source in case.whole.accepting and not case.proxied:
        yield "accept_all"
    if case.source in case.whole.intercepted and not case.proxied:
        yield "dns_intercepted"
    if case.untried_addresses:
        yield "single_address"
    if case.failed_in is Phase.TCP and case.whole.dialled(case.source, case.trail.family).all_silent:
        yield "local_firewall_not_ruled_out"
    yield from _chain_modifiers(case)


def _chain_modifiers(case: Case) -> Iterable[str]:
    if is_private_ca(case):
        yield "private_ca"
    if is_inspected(case) and (case.source, case.trail.path) in case.whole.crowd.uninspected:
        yield "tls_mitm_partial"
    tls = case.tls
    private = tls is not None and tls.facts is not None and tls.facts.publicly_anchored is False
    if private and case.target.inspection is Inspection.FORBIDDEN and not is_private_ca(case):
        yield "inspection_forbidden"
    chain = " ".join(case.dns.cnames).lower() if case.dns is not None else ""
    if PRIVATE_LINK in chain and not is_private_capable(case):
        yield "private_link_unexpected"
