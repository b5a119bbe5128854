"""Conditions about how DNS is carried: UDP, TCP, EDNS, large answers, lost datagrams."""

from __future__ import annotations

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.control_results.resolvers import other_resolver_answers
from egressd.attribution.facts.stats import MESSAGES
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import needs, on_failure
from egressd.attribution.rules.dns.lookup import failed, queries_of
from egressd.model.endpoint import Protocol
from egressd.model.observation import DnsQuery, Failure
from egressd.model.verdict import Outcome

PLAIN_LIMIT = 512
"""Bytes of the largest answer without EDNS (RFC 1035)."""
LOSSY_NAMES, LOSSY_SHARE = 3, 5
"""One lost datagram is chance: so many names, and one in so many, are loss."""
_CLOSED = frozenset({Failure.TIMEOUT, Failure.REFUSED, Failure.UNREACHABLE})


def _over(context: TrailContext, transport: str) -> list[DnsQuery]:
    return [one for one in queries_of(context) if one.transport == transport]


def _has_message(one: DnsQuery) -> bool:
    return one.failure in MESSAGES


def _is_row(context: TrailContext) -> bool:
    """Whether the target is a resolver itself, which both transports were tried at."""
    return context.probe.protocol is Protocol.DNS


@on_failure
def truncated_and_tcp_lost(context: TrailContext) -> bool:
    """Whether the answer needs TCP, and TCP fails."""
    cut = any("tc" in one.flags for one in _over(context, "udp"))
    lost = any(one.failure is not None for one in _over(context, "tcp"))
    return failed(context) and cut and lost


@needs(Clue.LOOKUP)
def tcp_closed(context: TrailContext) -> bool:
    """Whether a resolver of the plan answers over UDP, and not over TCP."""
    tcp = _over(context, "tcp")
    silent = bool(tcp) and not any(map(_has_message, tcp))
    return _is_row(context) and silent and any(map(_has_message, _over(context, "udp")))


@needs(Clue.LOOKUP)
def udp_closed(context: TrailContext) -> bool:
    """Whether the resolver answers over TCP, and never over UDP."""
    udp = _over(context, "udp")
    silent = bool(udp) and all(one.failure in _CLOSED for one in udp)
    answered = any(map(_has_message, _over(context, "tcp")))
    return silent and answered and not context.resolver_stats.datagrams


def outcome_if_udp_closed(context: TrailContext) -> Outcome | None:
    """Call it degraded where another resolver answers: a client asks that one then."""
    usable = any(one.answers for one in other_resolver_answers(context))
    return Outcome.DEGRADED if usable else None


def lookup_succeeded(context: TrailContext) -> bool:
    """Whether a name was looked up with success."""
    return context.dns is not None and context.dns.failure is None and bool(queries_of(context))


@needs(Clue.LOOKUP)
def edns_unsupported(context: TrailContext) -> bool:
    """Whether the resolver rejects EDNS, and answers without it."""
    rcodes = {one.rcode for one in queries_of(context) if one.edns and one.failure is not None}
    return lookup_succeeded(context) and bool(rcodes & {"FORMERR", "NOTIMP"})


@needs(Clue.LOOKUP)
def edns_lost(context: TrailContext) -> bool:
    """Whether EDNS is lost and the rest is not: for every query, or for one whose answer is large."""
    found = any(one.failure is None and not one.edns for one in queries_of(context))
    distinct = (found and not context.resolver_stats.edns) or _large(context)
    return _without_edns(context) and distinct and not udp_closed(context)


def _without_edns(context: TrailContext) -> bool:
    """Whether no datagram with EDNS was answered, and something else was."""
    queries = queries_of(context)
    lost = any(one.edns and one.failure is Failure.TIMEOUT for one in queries)
    found = any(one.failure is None and (not one.edns or one.transport == "tcp") for one in queries)
    return lookup_succeeded(context) and lost and found and not edns_unsupported(context)


def _large(context: TrailContext) -> bool:
    """Whether the answer is longer than a datagram without EDNS can be."""
    return any("tc" in one.flags or (one.bytes_received or 0) > PLAIN_LIMIT for one in queries_of(context))


def by_edns(context: TrailContext) -> Contrast:
    """Compare with datagrams without EDNS, or with smaller answers."""
    return Contrast.FLIP if edns_lost(context) else Contrast.NONE


def lossy(context: TrailContext) -> bool:
    """Whether this query needed a retry, as did one in five of the resolver's names, and others did not.

    Where no name is answered at once, the resolver is slow: it drops the first datagrams while it recurses.
    """
    stats, own = context.resolver_stats, context.dns
    if not stats.lossy or not stats.prompt:
        return False
    if own is None or own.name.lower() not in stats.lossy or not lookup_succeeded(context) or not stats.edns:
        return False
    return len(stats.lossy) >= LOSSY_NAMES and LOSSY_SHARE * len(stats.lossy) >= len(stats.answered)
