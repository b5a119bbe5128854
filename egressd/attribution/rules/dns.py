"""From the name to an address: who did not answer, and whose answer is not the truth."""

from __future__ import annotations

from egressd.attribution.facts import address as of
from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast, answered_elsewhere, others_heard
from egressd.attribution.facts.tally import ANSWERS
from egressd.attribution.facts.vendors import sinkhole
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, INCONSISTENT, SILENCE, STAGED, Rule, Table
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


def _failed(case: Case, *failures: Failure) -> bool:
    return case.dns is not None and case.dns.failure in failures


def _queries(case: Case) -> tuple[DnsQuery, ...]:
    return case.dns.queries if case.dns is not None else ()


def _rcode(case: Case, *rcodes: str) -> bool:
    return _failed(case, Failure.RCODE) and case.dns is not None and case.dns.rcode in rcodes


def _alone_here(case: Case) -> bool:
    """Whether the voice answered other names: then it is this name that is treated apart."""
    return case.dns is not None and bool(case.voice.answered - {case.dns.name.lower()})


def _other_type_answered(case: Case) -> bool:
    """Whether the same voice has an answer of the other type for the same name."""
    own = case.dns
    return own is not None and any(
        isinstance(one, DnsObservation)
        and (one.resolver, one.name) == (own.resolver, own.name)
        and one.type != own.type
        and bool(one.answers)
        for trail in case.siblings
        for one in trail.observations
    )


def _name_invalid(case: Case) -> bool:
    return _failed(case, Failure.NAME_INVALID)


def _no_resolver(case: Case) -> bool:
    failed = case.dns is not None and case.dns.failure is not None
    return failed and case.asks_system and not case.whole.has_resolver and not case.voice.answered


def _no_listener(case: Case) -> bool:
    if case.dns is None or case.dns.failure is None:
        return False
    refused = any(one.failure is Failure.REFUSED and one.transport == "udp" for one in case.dns.queries)
    return is_port_unreachable(case.icmp) or refused


def _prohibited(case: Case) -> bool:
    return case.dns is not None and case.dns.failure is not None and is_prohibited(case.icmp)


def _aaaa_broken(case: Case) -> bool:
    bad = _silent(case) or _failed(case, Failure.RCODE, Failure.MALFORMED)
    return bad and case.dns is not None and case.dns.type == "AAAA" and _other_type_answered(case)


def _tcp_blocked(case: Case) -> bool:
    cut = any(one.transport == "udp" and "tc" in one.flags for one in _queries(case))
    lost = any(one.transport == "tcp" and one.failure is not None for one in _queries(case))
    return case.dns is not None and case.dns.failure is not None and cut and lost


def _override(case: Case) -> bool:
    """Whether the host's own lookup fails where the resolvers it names have answers."""
    failed = case.dns is not None and case.dns.failure is not None
    return failed and case.asks_system and answered_elsewhere(case)


def _system_dead(case: Case) -> bool:
    """Whether getaddrinfo gives up on every name; it says so in several ways."""
    failed = _failed(case, Failure.TIMEOUT, Failure.RCODE, Failure.OS_ERROR)
    return failed and case.asks_system and not case.voice.answered


def _silent(case: Case) -> bool:
    """Whether no message came back, over UDP or over the TCP that was tried after it."""
    if _failed(case, Failure.TIMEOUT):
        return True
    lost = any(one.transport == "udp" and one.failure is Failure.TIMEOUT for one in _queries(case))
    return lost and _failed(case, Failure.CLOSED, Failure.RESET, Failure.REFUSED, Failure.UNREACHABLE)


def _unreachable(case: Case) -> bool:
    quiet = _silent(case) or _failed(case, Failure.UNREACHABLE, Failure.RESET, Failure.CLOSED)
    return _system_dead(case) or (quiet and not _alone_here(case))


def _dropped(case: Case) -> bool:
    return _silent(case) and _alone_here(case)


def _refused_client(case: Case) -> bool:
    return _rcode(case, "REFUSED") and not _alone_here(case)


def _refused_name(case: Case) -> bool:
    return _rcode(case, "REFUSED") and _alone_here(case)


def _servfail(case: Case) -> bool:
    return _rcode(case, "SERVFAIL")


def _zone_record_missing(case: Case) -> bool:
    chain = " ".join(case.dns.cnames).lower() if case.dns is not None else ""
    return _failed(case, Failure.NXDOMAIN, Failure.NODATA) and PRIVATE_LINK in chain


def _says_blocked(case: Case) -> bool:
    return any(error.code in BLOCKED_EDE for one in _queries(case) for error in one.extended_errors)


def _has_soa(case: Case) -> bool:
    return any(one.authority_soa is True for one in _queries(case))


def _nowhere(case: Case) -> bool:
    """Whether at least one other voice was asked, and none has the name."""
    others = others_heard(case)
    return bool(others) and all(one.failure in (Failure.NXDOMAIN, Failure.NODATA) for one in others)


def _nxdomain_absent(case: Case) -> bool:
    if not _failed(case, Failure.NXDOMAIN) or _says_blocked(case) or answered_elsewhere(case):
        return False
    return _has_soa(case) or (_nowhere(case) and not case.asks_system and _somewhere_soa(case))


def _somewhere_soa(case: Case) -> bool:
    return any(one.authority_soa is True for heard in others_heard(case) for one in heard.queries)


def _system_absent(case: Case) -> bool:
    """Whether getaddrinfo knows no such name, and no resolver was there to say more."""
    return _failed(case, Failure.NXDOMAIN) and case.asks_system and not answered_elsewhere(case)


def _nxdomain(case: Case) -> bool:
    return _failed(case, Failure.NXDOMAIN)


def _nodata_absent(case: Case) -> bool:
    if not _failed(case, Failure.NODATA) or _says_blocked(case) or answered_elsewhere(case):
        return False
    return _has_soa(case) or case.asks_system


def _absent(case: Case) -> bool:
    return _nxdomain_absent(case) or _system_absent(case) or _nodata_absent(case)


def _nodata(case: Case) -> bool:
    return _failed(case, Failure.NODATA)


def _malformed(case: Case) -> bool:
    return _failed(case, Failure.MALFORMED)


def _any_failure(case: Case) -> bool:
    return case.dns is not None and case.dns.failure is not None


def _names_the_answer(case: Case) -> str:
    return case.address or next(iter(case.dns.answers), "") if case.dns is not None else ""


def _answered(case: Case) -> bool:
    """Whether a name was answered with an address; an address written as a name is no answer."""
    own = case.dns
    if own is None or own.failure is not None or case.proxied:
        return False
    return of.parse(own.name.rstrip(".")) is None


def _sinkhole(case: Case) -> bool:
    """Whether a filter's own address was given; only what was reached under it speaks against that."""
    if not _answered(case) or case.dns is None:
        return False
    known = sinkhole(_names_the_answer(case), case.dns.cnames)
    return bool(known) and (case.trail.redirected or not case.complete)


def _null(case: Case) -> bool:
    answer = _names_the_answer(case)
    if not _answered(case) or case.complete or case.echo:
        return False
    if of.is_null(answer):
        return True
    loop = of.is_loopback(answer) and not case.given and not case.trail.redirected
    return loop and case.failed_in is Phase.TCP


def _given_loopback(case: Case) -> bool:
    loop = _answered(case) and of.is_loopback(_names_the_answer(case))
    return loop and case.given and case.failed_in is Phase.TCP and not case.trail.redirected


def _through_private_link(case: Case) -> bool:
    chain = " ".join(case.dns.cnames).lower() if case.dns is not None else ""
    return _answered(case) and PRIVATE_LINK in chain and of.is_bogon(_names_the_answer(case))


def _private_link_dead(case: Case) -> bool:
    """Whether nothing answers at the private endpoint; a wrong chain is an answer."""
    mute = case.failed_in is Phase.TLS and case.tls is not None and not case.tls.server_hello
    return _through_private_link(case) and (case.failed_in is Phase.TCP or mute)


def _private_link_works(case: Case) -> bool:
    return _through_private_link(case) and not _private_link_dead(case)


def _private_link_unasked(case: Case) -> bool:
    """Whether a private endpoint works for a row of the catalog that has none by the documents."""
    if case.target.internal or case.given or is_private_capable(case):
        return False
    return _private_link_works(case)


def is_private_capable(case: Case) -> bool:
    """Whether the documents of any product here know a private endpoint for the host."""
    return case.target.private_link or case.probe.host.lower() in case.whole.private_hosts


def _private_link_split(case: Case) -> bool:
    """Whether another resolver gives a public address for the same name."""
    own = case.dns
    return (
        _through_private_link(case)
        and own is not None
        and any(
            one.answers and all(of.is_ordinary(answer) for answer in one.answers)
            for one in others_heard(case)
        )
    )


def _bogon(case: Case) -> bool:
    if not _answered(case) or case.target.internal or _through_private_link(case):
        return False
    broken = case.failed_in in (Phase.TCP, Phase.TLS, Phase.NTP)
    return of.is_bogon(_names_the_answer(case)) and broken


def _unexpected(case: Case) -> bool:
    """Whether only this voice gives an address, TLS is wrong there, and right at the others' addresses."""
    if not _answered(case) or case.trail.redirected or case.failed_in is not Phase.TLS:
        return False
    if case.failing is None or case.failing.failure is not Failure.VERIFY:
        return False
    others = others_heard(case)
    if not others or any(case.address in one.answers for one in others):
        return False
    return any(_worked(case, answer) for one in others for answer in one.answers)


def _worked(case: Case, address: str) -> bool:
    return any(
        trail.address == address and trail.last is not None and trail.last.failure is None
        for trail in case.siblings
    )


def _system_differs(case: Case) -> bool:
    """Whether only getaddrinfo gives an address, and that address does not work."""
    if not _answered(case) or not case.asks_system or case.trail.redirected or case.failing is None:
        return False
    others = [one for one in others_heard(case) if one.answers]
    return bool(others) and not any(case.address in one.answers for one in others)


def _blocked(_: Case) -> Outcome:
    return Outcome.BLOCKED


def _overridden(case: Case) -> bool:
    return _override(case) or _system_differs(case)


def _rewritten(case: Case) -> bool:
    """Whether a label that can't exist has the same address."""
    trails = (trail for one in case.controls(ControlKind.SIBLING_NAME) for trail in one.trails)
    given = {
        answer
        for trail in trails
        for one in trail.observations
        if isinstance(one, DnsObservation)
        for answer in one.answers
    }
    resolver = case.dns.resolver if case.dns is not None else ""
    known = case.address in given or case.whole.crowd.is_invented(case.source, resolver, case.address)
    return _answered(case) and case.failing is not None and known


def _edns_unsupported(case: Case) -> bool:
    rcodes = {one.rcode for one in _queries(case) if one.edns and one.failure is not None}
    return _answered(case) and bool(rcodes & {"FORMERR", "NOTIMP"})


def _edns_lost(case: Case) -> bool:
    """Whether EDNS is lost and the rest is not: by each question, or by one whose answer is large."""
    found = any(one.failure is None and not one.edns for one in _queries(case))
    told_apart = (found and not case.voice.edns) or _large(case)
    return _without_edns(case) and told_apart


def _without_edns(case: Case) -> bool:
    """Whether no datagram with EDNS was answered, and something else was."""
    lost = any(one.edns and one.failure is Failure.TIMEOUT for one in _queries(case))
    found = any(one.failure is None and (not one.edns or one.transport == "tcp") for one in _queries(case))
    return _answered(case) and lost and found and not _edns_unsupported(case)


def _large(case: Case) -> bool:
    """Whether the answer is longer than a datagram without EDNS can be."""
    return any("tc" in one.flags or (one.bytes_received or 0) > PLAIN_LIMIT for one in _queries(case))


def _edns_or_all_lost(case: Case) -> bool:
    """Whether datagrams with EDNS are lost, or every datagram of the voice is."""
    udp = any(one.transport == "udp" and one.failure is None for one in _queries(case))
    return _edns_lost(case) or (_without_edns(case) and not case.voice.edns and not udp)


def _by_smaller(case: Case) -> Contrast:
    """Compare with datagrams without EDNS, or with smaller answers."""
    return Contrast.FLIP if _edns_lost(case) else Contrast.NONE


def _lossy(case: Case) -> bool:
    """Whether this question needed a second try, as one in five of the voice's names did."""
    lossy = case.voice.lossy
    own = case.dns
    if own is None or own.name.lower() not in lossy or not _answered(case) or not case.voice.edns:
        return False
    return len(lossy) >= LOSSY_NAMES and LOSSY_SHARE * len(lossy) >= len(case.voice.answered)


def _synthesized(case: Case) -> bool:
    return _answered(case) and of.is_nat64(case.address)


def _other_voice(case: Case) -> Contrast:
    """Compare with the other resolvers; a failed one says nothing about this one."""
    shown = answered_elsewhere(case) or bool(case.controls(ControlKind.SIBLING_NAME))
    return Contrast.PASSED if shown else Contrast.NONE


def _other_names(case: Case) -> Contrast:
    return Contrast.PASSED if _alone_here(case) or answered_elsewhere(case) else Contrast.NONE


def _zone_silent(case: Case) -> bool:
    """Whether a label beside the name got no answer either."""
    trails = (trail for one in case.controls(ControlKind.SIBLING_NAME) for trail in one.trails)
    seen = [one for trail in trails for one in trail.observations if isinstance(one, DnsObservation)]
    return bool(seen) and all(one.failure not in ANSWERS for one in seen)


def _by_neighbour(case: Case) -> Contrast:
    """Compare with the zone: where all of it is silent, the resolver may not reach its servers."""
    return Contrast.NONE if _zone_silent(case) else _other_names(case)


def _resolver_of_the_zone(case: Case) -> Blame | None:
    return Blame.DNS_RESOLVER if _zone_silent(case) else None


def _zone_says(case: Case) -> Contrast:
    """Compare with the zone: its SOA is what a filter leaves out."""
    return Contrast.PASSED if _has_soa(case) or _somewhere_soa(case) else Contrast.NONE


def _says_so_or_differs(case: Case) -> Contrast:
    """Take the resolver's own word for it, or compare with the other resolvers."""
    return Contrast.FLIP if _says_blocked(case) else _other_voice(case)


def _not_tls(case: Case) -> Contrast:
    proven = answered_elsewhere(case) or case.failed_in is Phase.TLS
    return Contrast.PASSED if proven else Contrast.NONE


DNS = Table(
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
        Rule(reason="dns_name_absent", when=_absent, score=INCONSISTENT, contrast=_zone_says, alone=True),
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
