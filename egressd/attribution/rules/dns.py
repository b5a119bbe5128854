"""From the name to an address: who did not answer, and whose answer is not the truth."""

from __future__ import annotations

from egressd.attribution.control_results.contrast import (
    Contrast,
    answered_by_other_resolver,
    other_resolver_answers,
)
from egressd.attribution.facts import address as of
from egressd.attribution.facts.stats import ANSWERS
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import sinkhole
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import (
    EXPLICIT,
    IDENTIFIED,
    INCONSISTENT,
    SILENCE,
    STAGED,
    Rule,
    RuleTable,
)
from egressd.model.observation import DnsObservation, DnsQuery, Failure, Icmp, Phase
from egressd.model.plan import ControlKind
from egressd.model.verdict import Blame, Outcome

PRIVATE_LINK = "privatelink."
BLOCKED_EDE = frozenset({15, 16, 17})
"""Blocked, Censored, Filtered (RFC 8914)."""
PLAIN_LIMIT = 512
"""Bytes of the largest answer without EDNS (RFC 1035)."""
LOSSY_NAMES, LOSSY_SHARE = 3, 5
"""One lost datagram is chance: so many names, and one in so many, are loss."""
PROHIBITED = {4: frozenset({9, 10, 13}), 6: frozenset({1, 5, 6})}
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}


def is_prohibited(icmp: Icmp | None) -> bool:
    """Whether a router says that a rule forbids the packet."""
    return (
        icmp is not None
        and icmp.type == (3 if icmp.version == 4 else 1)
        and icmp.code in (PROHIBITED[icmp.version])
    )


def is_port_unreachable(icmp: Icmp | None) -> bool:
    """Whether a host says that nothing listens there (or a firewall says so in its place)."""
    return icmp is not None and (icmp.type, icmp.code) == PORT_UNREACHABLE[icmp.version]


def _failed(context: TrailContext, *failures: Failure) -> bool:
    return context.dns is not None and context.dns.failure in failures


def _queries(context: TrailContext) -> tuple[DnsQuery, ...]:
    return context.dns.queries if context.dns is not None else ()


def _rcode(context: TrailContext, *rcodes: str) -> bool:
    return _failed(context, Failure.RCODE) and context.dns is not None and context.dns.rcode in rcodes


def _alone_here(context: TrailContext) -> bool:
    """Whether the voice answered other names: then it is this name that is treated apart."""
    return context.dns is not None and bool(context.resolver_stats.answered - {context.dns.name.lower()})


def _other_type_answered(context: TrailContext) -> bool:
    """Whether the same voice has an answer of the other type for the same name."""
    own = context.dns
    return own is not None and any(
        isinstance(one, DnsObservation)
        and (one.resolver, one.name) == (own.resolver, own.name)
        and one.type != own.type
        and bool(one.answers)
        for trail in context.probe_trails
        for one in trail.observations
    )


def _name_invalid(context: TrailContext) -> bool:
    return _failed(context, Failure.NAME_INVALID)


def _no_resolver(context: TrailContext) -> bool:
    failed = context.dns is not None and context.dns.failure is not None
    return (
        failed
        and context.uses_system_resolver
        and not context.index.has_resolver
        and not context.resolver_stats.answered
    )


def _no_listener(context: TrailContext) -> bool:
    if context.dns is None or context.dns.failure is None:
        return False
    refused = any(one.failure is Failure.REFUSED and one.transport == "udp" for one in context.dns.queries)
    return is_port_unreachable(context.icmp) or refused


def _prohibited(context: TrailContext) -> bool:
    return context.dns is not None and context.dns.failure is not None and is_prohibited(context.icmp)


def _aaaa_broken(context: TrailContext) -> bool:
    bad = _silent(context) or _failed(context, Failure.RCODE, Failure.MALFORMED)
    return bad and context.dns is not None and context.dns.type == "AAAA" and _other_type_answered(context)


def _tcp_blocked(context: TrailContext) -> bool:
    cut = any(one.transport == "udp" and "tc" in one.flags for one in _queries(context))
    lost = any(one.transport == "tcp" and one.failure is not None for one in _queries(context))
    return context.dns is not None and context.dns.failure is not None and cut and lost


def _override(context: TrailContext) -> bool:
    """Whether the host's own lookup fails where the resolvers it names have answers."""
    failed = context.dns is not None and context.dns.failure is not None
    return failed and context.uses_system_resolver and answered_by_other_resolver(context)


def _system_dead(context: TrailContext) -> bool:
    """Whether getaddrinfo gives up on every name; it says so in several ways."""
    failed = _failed(context, Failure.TIMEOUT, Failure.RCODE, Failure.OS_ERROR)
    return failed and context.uses_system_resolver and not context.resolver_stats.answered


def _silent(context: TrailContext) -> bool:
    """Whether no message came back, over UDP or over the TCP that was tried after it."""
    if _failed(context, Failure.TIMEOUT):
        return True
    lost = any(one.transport == "udp" and one.failure is Failure.TIMEOUT for one in _queries(context))
    return lost and _failed(context, Failure.CLOSED, Failure.RESET, Failure.REFUSED, Failure.UNREACHABLE)


def _unreachable(context: TrailContext) -> bool:
    quiet = _silent(context) or _failed(context, Failure.UNREACHABLE, Failure.RESET, Failure.CLOSED)
    return _system_dead(context) or (quiet and not _alone_here(context))


def _dropped(context: TrailContext) -> bool:
    return _silent(context) and _alone_here(context)


def _refused_client(context: TrailContext) -> bool:
    return _rcode(context, "REFUSED") and not _alone_here(context)


def _refused_name(context: TrailContext) -> bool:
    return _rcode(context, "REFUSED") and _alone_here(context)


def _servfail(context: TrailContext) -> bool:
    return _rcode(context, "SERVFAIL")


def _zone_record_missing(context: TrailContext) -> bool:
    chain = " ".join(context.dns.cnames).lower() if context.dns is not None else ""
    return _failed(context, Failure.NXDOMAIN, Failure.NODATA) and PRIVATE_LINK in chain


def _says_blocked(context: TrailContext) -> bool:
    return any(error.code in BLOCKED_EDE for one in _queries(context) for error in one.extended_errors)


def _has_soa(context: TrailContext) -> bool:
    return any(one.authority_soa is True for one in _queries(context))


def _nowhere(context: TrailContext) -> bool:
    """Whether at least one other voice was asked, and none has the name."""
    others = other_resolver_answers(context)
    return bool(others) and all(one.failure in (Failure.NXDOMAIN, Failure.NODATA) for one in others)


def _nxdomain_absent(context: TrailContext) -> bool:
    if (
        not _failed(context, Failure.NXDOMAIN)
        or _says_blocked(context)
        or answered_by_other_resolver(context)
    ):
        return False
    return _has_soa(context) or (
        _nowhere(context) and not context.uses_system_resolver and _somewhere_soa(context)
    )


def _somewhere_soa(context: TrailContext) -> bool:
    return any(
        one.authority_soa is True for heard in other_resolver_answers(context) for one in heard.queries
    )


def _system_absent(context: TrailContext) -> bool:
    """Whether getaddrinfo knows no such name, and no resolver was there to say more."""
    return (
        _failed(context, Failure.NXDOMAIN)
        and context.uses_system_resolver
        and not answered_by_other_resolver(context)
    )


def _nxdomain(context: TrailContext) -> bool:
    return _failed(context, Failure.NXDOMAIN)


def _nodata_absent(context: TrailContext) -> bool:
    if not _failed(context, Failure.NODATA) or _says_blocked(context) or answered_by_other_resolver(context):
        return False
    return _has_soa(context) or context.uses_system_resolver


def _name_absent(context: TrailContext) -> bool:
    return _nxdomain_absent(context) or _system_absent(context) or _nodata_absent(context)


def _nodata(context: TrailContext) -> bool:
    return _failed(context, Failure.NODATA)


def _malformed(context: TrailContext) -> bool:
    return _failed(context, Failure.MALFORMED)


def _any_failure(context: TrailContext) -> bool:
    return context.dns is not None and context.dns.failure is not None


def _names_the_answer(context: TrailContext) -> str:
    return context.address or next(iter(context.dns.answers), "") if context.dns is not None else ""


def _answered(context: TrailContext) -> bool:
    """Whether a name was answered with an address; an address written as a name is no answer."""
    own = context.dns
    if own is None or own.failure is not None or context.proxied:
        return False
    return of.parse_address(own.name.rstrip(".")) is None


def _sinkhole(context: TrailContext) -> bool:
    """Whether a filter's own address was given; only what was reached under it speaks against that."""
    if not _answered(context) or context.dns is None:
        return False
    known = sinkhole(_names_the_answer(context), context.dns.cnames)
    return bool(known) and (context.trail.redirected or not context.complete)


def _null(context: TrailContext) -> bool:
    answer = _names_the_answer(context)
    if not _answered(context) or context.complete or context.duplicate_answer:
        return False
    if of.is_null(answer):
        return True
    loop = of.is_loopback(answer) and not context.given and not context.trail.redirected
    return loop and context.failed_in is Phase.TCP


def _given_loopback(context: TrailContext) -> bool:
    loop = _answered(context) and of.is_loopback(_names_the_answer(context))
    return loop and context.given and context.failed_in is Phase.TCP and not context.trail.redirected


def _through_private_link(context: TrailContext) -> bool:
    chain = " ".join(context.dns.cnames).lower() if context.dns is not None else ""
    return _answered(context) and PRIVATE_LINK in chain and of.is_bogon(_names_the_answer(context))


def _private_link_dead(context: TrailContext) -> bool:
    """Whether nothing answers at the private endpoint; a wrong chain is an answer."""
    mute = context.failed_in is Phase.TLS and context.tls is not None and not context.tls.server_hello
    return _through_private_link(context) and (context.failed_in is Phase.TCP or mute)


def _private_link_works(context: TrailContext) -> bool:
    return _through_private_link(context) and not _private_link_dead(context)


def _private_link_unasked(context: TrailContext) -> bool:
    """Whether a private endpoint works for a row of the catalog that has none by the documents."""
    if context.target.internal or context.given or is_private_capable(context):
        return False
    return _private_link_works(context)


def is_private_capable(context: TrailContext) -> bool:
    """Whether the documents of any product here know a private endpoint for the host."""
    return context.target.private_link or context.probe.host.lower() in context.index.private_hosts


def _private_link_split(context: TrailContext) -> bool:
    """Whether another resolver gives a public address for the same name."""
    own = context.dns
    return (
        _through_private_link(context)
        and own is not None
        and any(
            one.answers and all(of.is_ordinary(answer) for answer in one.answers)
            for one in other_resolver_answers(context)
        )
    )


def _bogon(context: TrailContext) -> bool:
    if not _answered(context) or context.target.internal or _through_private_link(context):
        return False
    broken = context.failed_in in (Phase.TCP, Phase.TLS, Phase.NTP)
    return of.is_bogon(_names_the_answer(context)) and broken


def _unexpected(context: TrailContext) -> bool:
    """Whether only this voice gives an address, TLS is wrong there, and right at the others' addresses."""
    if not _answered(context) or context.trail.redirected or context.failed_in is not Phase.TLS:
        return False
    if context.failing is None or context.failing.failure is not Failure.VERIFY:
        return False
    others = other_resolver_answers(context)
    if not others or any(context.address in one.answers for one in others):
        return False
    return any(_worked(context, answer) for one in others for answer in one.answers)


def _worked(context: TrailContext, address: str) -> bool:
    return any(
        trail.address == address and trail.last is not None and trail.last.failure is None
        for trail in context.probe_trails
    )


def _system_differs(context: TrailContext) -> bool:
    """Whether only getaddrinfo gives an address, and that address does not work."""
    if (
        not _answered(context)
        or not context.uses_system_resolver
        or context.trail.redirected
        or context.failing is None
    ):
        return False
    others = [one for one in other_resolver_answers(context) if one.answers]
    return bool(others) and not any(context.address in one.answers for one in others)


def _blocked(_: TrailContext) -> Outcome:
    return Outcome.BLOCKED


def _overridden(context: TrailContext) -> bool:
    return _override(context) or _system_differs(context)


def _rewritten(context: TrailContext) -> bool:
    """Whether a label that can't exist has the same address."""
    trails = (trail for one in context.controls(ControlKind.SIBLING_NAME) for trail in one.trails)
    given = {
        answer
        for trail in trails
        for one in trail.observations
        if isinstance(one, DnsObservation)
        for answer in one.answers
    }
    resolver = context.dns.resolver if context.dns is not None else ""
    known = context.address in given or context.index.peers.is_rewritten_answer(
        context.source, resolver, context.address
    )
    return _answered(context) and context.failing is not None and known


def _edns_unsupported(context: TrailContext) -> bool:
    rcodes = {one.rcode for one in _queries(context) if one.edns and one.failure is not None}
    return _answered(context) and bool(rcodes & {"FORMERR", "NOTIMP"})


def _edns_lost(context: TrailContext) -> bool:
    """Whether EDNS is lost and the rest is not: by each question, or by one whose answer is large."""
    found = any(one.failure is None and not one.edns for one in _queries(context))
    told_apart = (found and not context.resolver_stats.edns) or _large(context)
    return _without_edns(context) and told_apart


def _without_edns(context: TrailContext) -> bool:
    """Whether no datagram with EDNS was answered, and something else was."""
    lost = any(one.edns and one.failure is Failure.TIMEOUT for one in _queries(context))
    found = any(one.failure is None and (not one.edns or one.transport == "tcp") for one in _queries(context))
    return _answered(context) and lost and found and not _edns_unsupported(context)


def _large(context: TrailContext) -> bool:
    """Whether the answer is longer than a datagram without EDNS can be."""
    return any("tc" in one.flags or (one.bytes_received or 0) > PLAIN_LIMIT for one in _queries(context))


def _edns_or_all_lost(context: TrailContext) -> bool:
    """Whether datagrams with EDNS are lost, or every datagram of the voice is."""
    udp = any(one.transport == "udp" and one.failure is None for one in _queries(context))
    return _edns_lost(context) or (_without_edns(context) and not context.resolver_stats.edns and not udp)


def _by_smaller(context: TrailContext) -> Contrast:
    """Compare with datagrams without EDNS, or with smaller answers."""
    return Contrast.FLIP if _edns_lost(context) else Contrast.NONE


def _lossy(context: TrailContext) -> bool:
    """Whether this question needed a second try, as one in five of the voice's names did."""
    lossy = context.resolver_stats.lossy
    own = context.dns
    if (
        own is None
        or own.name.lower() not in lossy
        or not _answered(context)
        or not context.resolver_stats.edns
    ):
        return False
    return len(lossy) >= LOSSY_NAMES and LOSSY_SHARE * len(lossy) >= len(context.resolver_stats.answered)


def _synthesized(context: TrailContext) -> bool:
    return _answered(context) and of.is_nat64(context.address)


def _other_voice(context: TrailContext) -> Contrast:
    """Compare with the other resolvers; a failed one says nothing about this one."""
    shown = answered_by_other_resolver(context) or bool(context.controls(ControlKind.SIBLING_NAME))
    return Contrast.PASSED if shown else Contrast.NONE


def _other_names(context: TrailContext) -> Contrast:
    return Contrast.PASSED if _alone_here(context) or answered_by_other_resolver(context) else Contrast.NONE


def _zone_silent(context: TrailContext) -> bool:
    """Whether a label beside the name got no answer either."""
    trails = (trail for one in context.controls(ControlKind.SIBLING_NAME) for trail in one.trails)
    seen = [one for trail in trails for one in trail.observations if isinstance(one, DnsObservation)]
    return bool(seen) and all(one.failure not in ANSWERS for one in seen)


def _by_neighbour(context: TrailContext) -> Contrast:
    """Compare with the zone: where all of it is silent, the resolver may not reach its servers."""
    return Contrast.NONE if _zone_silent(context) else _other_names(context)


def _resolver_of_the_zone(context: TrailContext) -> Blame | None:
    return Blame.DNS_RESOLVER if _zone_silent(context) else None


def _zone_says(context: TrailContext) -> Contrast:
    """Compare with the zone: its SOA is what a filter leaves out."""
    return Contrast.PASSED if _has_soa(context) or _somewhere_soa(context) else Contrast.NONE


def _says_so_or_differs(context: TrailContext) -> Contrast:
    """Take the resolver's own word for it, or compare with the other resolvers."""
    return Contrast.FLIP if _says_blocked(context) else _other_voice(context)


def _not_tls(context: TrailContext) -> Contrast:
    proven = answered_by_other_resolver(context) or context.failed_in is Phase.TLS
    return Contrast.PASSED if proven else Contrast.NONE


DNS = RuleTable(
    phase=Phase.DNS,
    rules=(
        *local_rules(Phase.DNS),
        Rule(reason="dns_name_invalid", when=_name_invalid, score=IDENTIFIED, alone=True),
        Rule(reason="dns_no_resolver", when=_no_resolver, score=IDENTIFIED, alone=True),
        Rule(reason="dns_local_override", when=_overridden, score=INCONSISTENT, contrast=_other_voice),
        Rule(reason="dns_no_listener", when=_no_listener, score=IDENTIFIED, alone=True),
        Rule(reason="dns_admin_prohibited", when=_prohibited, score=IDENTIFIED, alone=True),
        Rule(reason="dns_aaaa_broken", when=_aaaa_broken, score=IDENTIFIED - 1, alone=True),
        Rule(reason="dns_tcp_blocked", when=_tcp_blocked, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="dns_dropped_name",
            when=_dropped,
            score=STAGED,
            silent=True,
            contrast=_by_neighbour,
            blame=_resolver_of_the_zone,
        ),
        Rule(reason="dns_resolver_unreachable", when=_unreachable, score=STAGED, contrast=_other_voice),
        Rule(reason="dns_refused_client", when=_refused_client, score=IDENTIFIED, alone=True),
        Rule(reason="dns_refused_name", when=_refused_name, score=EXPLICIT, contrast=_other_names),
        Rule(reason="dns_servfail", when=_servfail, score=EXPLICIT, contrast=_other_voice),
        Rule(reason="dns_private_zone_missing_record", when=_zone_record_missing, score=IDENTIFIED - 1),
        Rule(
            reason="dns_name_absent", when=_name_absent, score=INCONSISTENT, contrast=_zone_says, alone=True
        ),
        Rule(
            reason="dns_nxdomain_filtered",
            when=_nxdomain,
            score=INCONSISTENT,
            contrast=_says_so_or_differs,
            alone=True,
        ),
        Rule(
            reason="dns_nodata_filtered",
            when=_nodata,
            score=INCONSISTENT,
            contrast=_says_so_or_differs,
            alone=True,
        ),
        Rule(reason="dns_malformed", when=_malformed, score=EXPLICIT),
        Rule(reason="dns_sinkhole_known", when=_sinkhole, score=IDENTIFIED, alone=True),
        Rule(reason="dns_null_answer", when=_null, score=IDENTIFIED, alone=True),
        Rule(reason="dns_private_link_unreachable", when=_private_link_dead, score=IDENTIFIED - 1),
        Rule(reason="dns_nxdomain_rewritten", when=_rewritten, score=IDENTIFIED - 1, outcome=_blocked),
        Rule(reason="dns_bogon_answer", when=_bogon, score=INCONSISTENT, contrast=_not_tls, alone=True),
        Rule(reason="dns_unexpected_address", when=_unexpected, score=INCONSISTENT, contrast=_other_voice),
        Rule(reason="dns_unknown", when=_any_failure, score=EXPLICIT - 1),
    ),
    notes=(
        Rule(reason="dns_null_answer", when=_given_loopback, score=IDENTIFIED, alone=True),
        Rule(reason="dns_private_link_split", when=_private_link_split, score=IDENTIFIED - 1),
        Rule(
            reason="dns_private_link_unexpected", when=_private_link_unasked, score=IDENTIFIED - 1, alone=True
        ),
        Rule(reason="dns_private_link", when=_private_link_works, score=IDENTIFIED, alone=True),
        Rule(reason="dns_edns_unsupported", when=_edns_unsupported, score=IDENTIFIED - 1, alone=True),
        Rule(
            reason="dns_edns_or_fragment_dropped",
            when=_edns_or_all_lost,
            score=SILENCE,
            contrast=_by_smaller,
            alone=True,
        ),
        Rule(reason="dns_intermittent", when=_lossy, score=EXPLICIT),
        Rule(reason="dns_dns64_synthesized", when=_synthesized, score=IDENTIFIED, alone=True),
    ),
)
