"""Rules for name resolution: which resolver did not answer, and which answer is wrong."""

from __future__ import annotations

from egressd.attribution.blame.suspects import RESOLVER_FAILS, Signature
from egressd.attribution.certainty import SILENCE, at, contrasted
from egressd.attribution.control_results.contrast import (
    Contrast,
    answered_by_other_resolver,
    other_resolver_answers,
    passed_if,
)
from egressd.attribution.facts.address import (
    is_bogon,
    is_loopback_ip,
    is_nat64,
    is_null,
    is_ordinary,
    parse_ip,
)
from egressd.attribution.facts.stats import ANSWERS, observations
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.facts.vendors import sinkhole_product
from egressd.attribution.rules.condition import both, either, is_port_unreachable, is_prohibited, phase_failed
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.model.observation import DnsObservation, DnsQuery, Failure, Phase
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence, Outcome

PRIVATE_LINK = "privatelink."
BLOCKED_EDE = frozenset({15, 16, 17})
"""Blocked, Censored, Filtered (RFC 8914)."""
PLAIN_LIMIT = 512
"""Bytes of the largest answer without EDNS (RFC 1035)."""
LOSSY_NAMES, LOSSY_SHARE = 3, 5
"""One lost datagram is chance: so many names, and one in so many, are loss."""

_failed = phase_failed(Phase.DNS)
_nxdomain = phase_failed(Phase.DNS, Failure.NXDOMAIN)
_nodata = phase_failed(Phase.DNS, Failure.NODATA)
_timed_out = phase_failed(Phase.DNS, Failure.TIMEOUT)
_tcp_failed = phase_failed(Phase.DNS, Failure.CLOSED, Failure.RESET, Failure.REFUSED, Failure.UNREACHABLE)
_no_result = phase_failed(Phase.DNS, Failure.TIMEOUT, Failure.RCODE, Failure.OS_ERROR)
_error_or_malformed = phase_failed(Phase.DNS, Failure.RCODE, Failure.MALFORMED)


def _queries(context: TrailContext) -> tuple[DnsQuery, ...]:
    return context.dns.queries if context.dns is not None else ()


def _rcode(context: TrailContext, rcode: str) -> bool:
    dns = context.dns
    return dns is not None and dns.failure is Failure.RCODE and dns.rcode == rcode


def _other_names_answered(context: TrailContext) -> bool:
    """Whether the resolver answered other names, so that this one is treated differently."""
    return context.dns is not None and bool(context.resolver_stats.answered - {context.dns.name.lower()})


def _other_type_answered(context: TrailContext) -> bool:
    """Whether the same resolver has an answer of the other type for the same name."""
    own = context.dns
    return own is not None and any(
        (one.resolver, one.name) == (own.resolver, own.name) and one.type != own.type and bool(one.answers)
        for _, one in observations(context.probe_trails, DnsObservation)
    )


def _no_resolver(context: TrailContext) -> bool:
    unknown = context.uses_system_resolver and not context.index.has_resolver
    return _failed(context) and unknown and not context.resolver_stats.answered


def _no_listener(context: TrailContext) -> bool:
    refused = any(one.failure is Failure.REFUSED and one.transport == "udp" for one in _queries(context))
    return _failed(context) and (is_port_unreachable(context) or refused)


def _aaaa_broken(context: TrailContext) -> bool:
    bad = _silent(context) or _error_or_malformed(context)
    return bad and context.dns is not None and context.dns.type == "AAAA" and _other_type_answered(context)


def _tcp_blocked(context: TrailContext) -> bool:
    cut = any(one.transport == "udp" and "tc" in one.flags for one in _queries(context))
    lost = any(one.transport == "tcp" and one.failure is not None for one in _queries(context))
    return _failed(context) and cut and lost


def _system_lookup_fails(context: TrailContext) -> bool:
    """Whether getaddrinfo fails where the resolvers it is configured with have answers."""
    return _failed(context) and context.uses_system_resolver and answered_by_other_resolver(context)


def _system_resolver_dead(context: TrailContext) -> bool:
    """Whether getaddrinfo fails for every name; it reports that in several ways."""
    return _no_result(context) and context.uses_system_resolver and not context.resolver_stats.answered


def _silent(context: TrailContext) -> bool:
    """Whether no message came back, over UDP or over the TCP that was tried after it."""
    if _timed_out(context):
        return True
    lost = any(one.transport == "udp" and one.failure is Failure.TIMEOUT for one in _queries(context))
    return lost and _tcp_failed(context)


_no_message = either(_silent, phase_failed(Phase.DNS, Failure.UNREACHABLE, Failure.RESET, Failure.CLOSED))


def _resolver_unreachable(context: TrailContext) -> bool:
    if _system_resolver_dead(context):
        return True
    return _no_message(context) and not _other_names_answered(context)


def _refused_client(context: TrailContext) -> bool:
    return _rcode(context, "REFUSED") and not _other_names_answered(context)


def _refused_name(context: TrailContext) -> bool:
    return _rcode(context, "REFUSED") and _other_names_answered(context)


def _servfail(context: TrailContext) -> bool:
    return _rcode(context, "SERVFAIL")


def _has_private_link_alias(context: TrailContext) -> bool:
    return context.dns is not None and PRIVATE_LINK in " ".join(context.dns.cnames).lower()


def _says_blocked(context: TrailContext) -> bool:
    return any(error.code in BLOCKED_EDE for one in _queries(context) for error in one.extended_errors)


def _has_soa(context: TrailContext) -> bool:
    return any(one.authority_soa is True for one in _queries(context))


def _other_has_soa(context: TrailContext) -> bool:
    return any(
        one.authority_soa is True for other in other_resolver_answers(context) for one in other.queries
    )


def _absent_at_others(context: TrailContext) -> bool:
    """Whether at least one other resolver was queried, and none has the name."""
    others = other_resolver_answers(context)
    return bool(others) and all(one.failure in (Failure.NXDOMAIN, Failure.NODATA) for one in others)


def _name_absent(context: TrailContext) -> bool:
    """Whether the zone itself has no such name or type; getaddrinfo is believed, as it shows no SOA."""
    if not (_nxdomain(context) or _nodata(context)) or answered_by_other_resolver(context):
        return False
    if context.uses_system_resolver and _nxdomain(context):
        return True
    if _says_blocked(context):
        return False
    if _has_soa(context) or context.uses_system_resolver:
        return True
    return _nxdomain(context) and _absent_at_others(context) and _other_has_soa(context)


def _answer(context: TrailContext) -> str:
    """Return the address that the name was given."""
    if context.dns is None:
        return ""
    return context.address or next(iter(context.dns.answers), "")


def _answered(context: TrailContext) -> bool:
    """Whether a name was answered with an address; an IP literal as host is no answer."""
    own = context.dns
    if own is None or own.failure is not None or context.proxied:
        return False
    return parse_ip(own.name.rstrip(".")) is None


def _sinkhole(context: TrailContext) -> bool:
    """Whether a filter's own address was given; a complete conversation with it proves otherwise."""
    if not _answered(context) or context.dns is None:
        return False
    known = sinkhole_product(_answer(context), context.dns.cnames)
    return bool(known) and (context.trail.redirected or not context.complete)


def _null_answer(context: TrailContext) -> bool:
    if not _answered(context) or context.complete or context.duplicate_answer:
        return False
    return is_null(_answer(context)) or (not context.given and _dead_loopback(context))


def _dead_loopback(context: TrailContext) -> bool:
    loopback = is_loopback_ip(_answer(context)) and not context.trail.redirected
    return loopback and context.failed_in is Phase.TCP


def _given_loopback(context: TrailContext) -> bool:
    return _answered(context) and context.given and _dead_loopback(context)


def _private_link(context: TrailContext) -> bool:
    """Whether a private endpoint's address was given by way of a private-link alias."""
    return _answered(context) and _has_private_link_alias(context) and is_bogon(_answer(context))


def _private_link_dead(context: TrailContext) -> bool:
    """Whether the private endpoint does not answer; a wrong chain is an answer."""
    no_hello = context.tls is not None and not context.tls.server_hello
    dead = context.failed_in is Phase.TCP or (context.failed_in is Phase.TLS and no_hello)
    return dead and _private_link(context)


def _private_link_works(context: TrailContext) -> bool:
    return _private_link(context) and not _private_link_dead(context)


def _private_link_undocumented(context: TrailContext) -> bool:
    """Whether a private endpoint works for a row of the catalog that has none by the documents."""
    if context.target.internal or context.given or is_private_link_capable(context):
        return False
    return _private_link_works(context)


def is_private_link_capable(context: TrailContext) -> bool:
    """Whether any catalog row documents a private endpoint for the host."""
    return context.target.private_link or context.probe.host.lower() in context.index.private_hosts


def _private_link_split(context: TrailContext) -> bool:
    """Whether another resolver gives a public address for the same name."""
    return _private_link(context) and any(
        one.answers and all(is_ordinary(answer) for answer in one.answers)
        for one in other_resolver_answers(context)
    )


def _bogon(context: TrailContext) -> bool:
    if not _answered(context) or context.target.internal or _private_link(context):
        return False
    broken = context.failed_in in (Phase.TCP, Phase.TLS, Phase.NTP)
    return is_bogon(_answer(context)) and broken


def _unexpected(context: TrailContext) -> bool:
    """Whether only this resolver gives an address, TLS is wrong there and right at the others' addresses."""
    if not _answered(context) or context.trail.redirected or context.failed_in is not Phase.TLS:
        return False
    if context.failing is None or context.failing.failure is not Failure.VERIFY:
        return False
    others = other_resolver_answers(context)
    if not others or any(context.address in one.answers for one in others):
        return False
    return any(_worked_at(context, answer) for one in others for answer in one.answers)


def _worked_at(context: TrailContext, address: str) -> bool:
    return any(
        trail.address == address and trail.last is not None and trail.last.failure is None
        for trail in context.probe_trails
    )


def _system_differs(context: TrailContext) -> bool:
    """Whether only getaddrinfo gives an address, and that address does not work."""
    if not _answered(context) or context.trail.redirected or context.failing is None:
        return False
    others = [one for one in other_resolver_answers(context) if one.answers]
    own = bool(others) and not any(context.address in one.answers for one in others)
    return own and context.uses_system_resolver


def _nxdomain_rewritten(context: TrailContext) -> bool:
    """Whether a label that can't exist has the same address."""
    siblings = context.control_results(ControlKind.SIBLING_NAME, DnsObservation)
    given = {answer for one in siblings for answer in one.answers}
    resolver = context.dns.resolver if context.dns is not None else ""
    peers = context.index.peers
    known = context.address in given or peers.is_nxdomain_rewrite(context.source, resolver, context.address)
    return _answered(context) and context.failing is not None and known


def _edns_unsupported(context: TrailContext) -> bool:
    rcodes = {one.rcode for one in _queries(context) if one.edns and one.failure is not None}
    return _answered(context) and bool(rcodes & {"FORMERR", "NOTIMP"})


def _edns_lost(context: TrailContext) -> bool:
    """Whether EDNS is lost and the rest is not: for every query, or for one whose answer is large."""
    found = any(one.failure is None and not one.edns for one in _queries(context))
    distinct = (found and not context.resolver_stats.edns) or _large(context)
    return _without_edns(context) and distinct


def _without_edns(context: TrailContext) -> bool:
    """Whether no datagram with EDNS was answered, and something else was."""
    queries = _queries(context)
    lost = any(one.edns and one.failure is Failure.TIMEOUT for one in queries)
    found = any(one.failure is None and (not one.edns or one.transport == "tcp") for one in queries)
    return _answered(context) and lost and found and not _edns_unsupported(context)


def _large(context: TrailContext) -> bool:
    """Whether the answer is longer than a datagram without EDNS can be."""
    return any("tc" in one.flags or (one.bytes_received or 0) > PLAIN_LIMIT for one in _queries(context))


def _edns_or_all_lost(context: TrailContext) -> bool:
    """Whether datagrams with EDNS are lost, or every datagram of the resolver is."""
    udp = any(one.transport == "udp" and one.failure is None for one in _queries(context))
    return _edns_lost(context) or (_without_edns(context) and not context.resolver_stats.edns and not udp)


def _by_edns(context: TrailContext) -> Contrast:
    """Compare with datagrams without EDNS, or with smaller answers."""
    return Contrast.FLIP if _edns_lost(context) else Contrast.NONE


def _lossy(context: TrailContext) -> bool:
    """Whether this query needed a retry, as did one in five of the resolver's names."""
    stats, own = context.resolver_stats, context.dns
    if own is None or own.name.lower() not in stats.lossy or not _answered(context) or not stats.edns:
        return False
    return len(stats.lossy) >= LOSSY_NAMES and LOSSY_SHARE * len(stats.lossy) >= len(stats.answered)


def _synthesized(context: TrailContext) -> bool:
    return _answered(context) and is_nat64(context.address)


def _by_other_resolver(context: TrailContext) -> Contrast:
    """Compare with the other resolvers; that one failed says nothing about this one."""
    siblings = context.controls(ControlKind.SIBLING_NAME)
    return passed_if(answered_by_other_resolver(context) or siblings)


def _by_other_name(context: TrailContext) -> Contrast:
    return passed_if(_other_names_answered(context) or answered_by_other_resolver(context))


def _zone_silent(context: TrailContext) -> bool:
    """Whether a sibling label of the name got no answer either."""
    siblings = [*context.control_results(ControlKind.SIBLING_NAME, DnsObservation)]
    return bool(siblings) and all(one.failure not in ANSWERS for one in siblings)


def _by_sibling(context: TrailContext) -> Contrast:
    """Compare with the zone: where all of it is silent, the resolver may not reach its servers."""
    return Contrast.NONE if _zone_silent(context) else _by_other_name(context)


def _resolver_if_zone_silent(context: TrailContext) -> Signature | None:
    """Where all of the zone is silent, the resolver may not reach its servers."""
    return RESOLVER_FAILS if _zone_silent(context) else None


def _by_soa(context: TrailContext) -> Contrast:
    """Compare with the zone: its SOA is what a filter leaves out."""
    return passed_if(_has_soa(context) or _other_has_soa(context))


def _by_ede_or_other_resolver(context: TrailContext) -> Contrast:
    """Take the resolver's extended error for proof, or compare with the other resolvers."""
    return Contrast.FLIP if _says_blocked(context) else _by_other_resolver(context)


def _by_tls_or_other_resolver(context: TrailContext) -> Contrast:
    return passed_if(answered_by_other_resolver(context) or context.failed_in is Phase.TLS)


def _blocked(_: TrailContext) -> Outcome:
    return Outcome.BLOCKED


DNS = RuleTable(
    phase=Phase.DNS,
    rules=(
        *local_rules(Phase.DNS),
        Rule(reason="dns_name_invalid", when=phase_failed(Phase.DNS, Failure.NAME_INVALID)),
        Rule(reason="dns_no_resolver", when=_no_resolver),
        Rule(
            reason="dns_local_override",
            when=either(_system_lookup_fails, _system_differs),
            certainty=contrasted(_by_other_resolver, Confidence.MEDIUM),
        ),
        Rule(reason="dns_no_listener", when=_no_listener),
        Rule(reason="dns_admin_prohibited", when=both(_failed, is_prohibited)),
        Rule(reason="dns_aaaa_broken", when=_aaaa_broken),
        Rule(reason="dns_tcp_blocked", when=_tcp_blocked),
        Rule(
            reason="dns_dropped_name",
            when=both(_silent, _other_names_answered),
            suspects=_resolver_if_zone_silent,
            certainty=contrasted(_by_sibling, Confidence.MEDIUM),
        ),
        Rule(
            reason="dns_resolver_unreachable",
            when=_resolver_unreachable,
            certainty=SILENCE,
        ),
        Rule(reason="dns_refused_client", when=_refused_client),
        Rule(
            reason="dns_refused_name",
            when=_refused_name,
            certainty=contrasted(_by_other_name, Confidence.MEDIUM),
        ),
        Rule(reason="dns_servfail", when=_servfail),
        Rule(
            reason="dns_private_zone_missing_record",
            when=both(either(_nxdomain, _nodata), _has_private_link_alias),
            certainty=at(Confidence.HIGH),
        ),
        Rule(reason="dns_name_absent", when=_name_absent, certainty=contrasted(_by_soa, Confidence.MEDIUM)),
        Rule(
            reason="dns_nxdomain_filtered",
            when=_nxdomain,
            certainty=contrasted(_by_ede_or_other_resolver, Confidence.MEDIUM),
        ),
        Rule(
            reason="dns_nodata_filtered",
            when=_nodata,
            certainty=contrasted(_by_ede_or_other_resolver, Confidence.MEDIUM),
        ),
        Rule(
            reason="dns_malformed",
            when=phase_failed(Phase.DNS, Failure.MALFORMED),
        ),
        Rule(reason="dns_sinkhole_known", when=_sinkhole),
        Rule(reason="dns_null_answer", when=_null_answer),
        Rule(reason="dns_private_link_unreachable", when=_private_link_dead, certainty=at(Confidence.HIGH)),
        Rule(
            reason="dns_nxdomain_rewritten",
            when=_nxdomain_rewritten,
            outcome=_blocked,
            certainty=at(Confidence.HIGH),
        ),
        Rule(
            reason="dns_bogon_answer",
            when=_bogon,
            certainty=contrasted(_by_tls_or_other_resolver, Confidence.HIGH),
        ),
        Rule(
            reason="dns_unexpected_address",
            when=_unexpected,
            certainty=contrasted(_by_other_resolver, Confidence.MEDIUM),
        ),
        Rule(reason="dns_unknown", when=_failed, certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="dns_null_answer", when=_given_loopback),
        Rule(reason="dns_private_link_split", when=_private_link_split, certainty=at(Confidence.HIGH)),
        Rule(reason="dns_private_link_unexpected", when=_private_link_undocumented),
        Rule(reason="dns_private_link", when=_private_link_works),
        Rule(reason="dns_edns_unsupported", when=_edns_unsupported),
        Rule(
            reason="dns_edns_or_fragment_dropped",
            when=_edns_or_all_lost,
            certainty=contrasted(_by_edns, Confidence.MEDIUM),
        ),
        Rule(reason="dns_intermittent", when=_lossy, certainty=at(Confidence.MEDIUM)),
        Rule(reason="dns_dns64_synthesized", when=_synthesized),
    ),
)
