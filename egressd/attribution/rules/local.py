"""Rules for this host and its first hop: errors that no remote device can have caused.

They come first in every table whose phase sends packets.
"""

from __future__ import annotations

import errno

from msgspec.structs import replace

from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.attribution.rules.condition import Condition, both, failed_in, needs
from egressd.attribution.rules.rule import Rule
from egressd.model.observation import DnsObservation, Failure, NtpObservation, Phase, TcpObservation

HOST_UNREACHABLE = {4: 1, 6: 3}
"""ICMP code, by IP version, with which a kernel reports that ARP or neighbour discovery got no answer."""
NEIGHBOUR_WAIT_MS = 900.0
"""A kernel sends three neighbour requests, a second apart; a lookup that is already under way is shared."""


def _errno(*numbers: int) -> Condition:
    """Hold where a call ended with one of these and no ICMP error: the kernel decided alone."""

    def when(context: TrailContext) -> bool:
        match context.failing:
            case _ if context.icmp is not None:
                return False
            case DnsObservation(queries=queries):
                return any(one.failure is Failure.UNREACHABLE and one.errno in numbers for one in queries)
            case TcpObservation() | NtpObservation() as one:
                return one.failure is Failure.UNREACHABLE and one.errno in numbers
            case _:
                return False

    return when


_not_permitted = _errno(errno.EPERM)


def _failure(context: TrailContext) -> Failure | None:
    match context.failing:
        case DnsObservation(failure=failure, queries=queries):
            return queries[-1].failure if queries else failure
        case None:
            return None
        case other:
            return other.failure


def _source_invalid(context: TrailContext) -> bool:
    sends = isinstance(context.failing, DnsObservation | TcpObservation | NtpObservation)
    return sends and _failure(context) is Failure.INVALID_SOURCE


def _exhausted(context: TrailContext) -> bool:
    return _failure(context) is Failure.NO_RESOURCES


def _udp_dropped(context: TrailContext) -> bool:
    return not isinstance(context.failing, TcpObservation) and _not_permitted(context)


@needs(Clue.LOOKUP)
def _queries_dropped(context: TrailContext) -> bool:
    """Whether this host's own rules drop queries over UDP, whatever TCP brought in their place."""
    datagrams = [one for one in context.dns.queries if one.transport == "udp"] if context.dns else []
    return bool(datagrams) and all(one.errno == errno.EPERM for one in datagrams)


def _rejected(context: TrailContext) -> bool:
    """Whether this host's own rules refused: by ICMP, or (a cgroup filter of systemd) by EPERM."""
    if context.icmp is not None:
        return context.icmp.local and parse_ip(context.icmp.offender) != parse_ip(_destination(context))
    return context.failed_in is Phase.TCP and _not_permitted(context)


def _destination(context: TrailContext) -> str:
    """Return where the packet went: a service of this very host may refuse without any rule."""
    match context.failing:
        case DnsObservation(resolver=resolver):
            return resolver.rpartition(":")[0].strip("[]") or resolver
        case TcpObservation(remote_address=address) | NtpObservation(remote_address=address):
            return address
        case _:
            return ""


def _gateway_dead(context: TrailContext) -> bool:
    """Whether the next hop does not answer: the kernel waited for it, or nothing else gets out either.

    A rule of this host that rejects with the same code does so at once.
    """
    icmp = context.icmp
    if icmp is None or not icmp.local or icmp.code != HOST_UNREACHABLE[icmp.version]:
        return False
    waited = context.failing is not None and context.failing.elapsed_ms >= NEIGHBOUR_WAIT_MS
    return waited or not context.dial_stats.connected


_LOCAL = (
    Rule(reason="local_source_invalid", when=_source_invalid),
    Rule(reason="local_resource_exhausted", when=_exhausted),
    Rule(reason="local_no_route", when=_errno(errno.ENETUNREACH)),
    Rule(reason="local_unreachable_route", when=_errno(errno.EHOSTUNREACH)),
    Rule(reason="local_prohibit_route", when=_errno(errno.EACCES)),
    Rule(reason="local_blackhole_route", when=_errno(errno.EINVAL)),
    Rule(reason="local_firewall_drop_udp", when=_udp_dropped),
    Rule(reason="local_gateway_dead", when=_gateway_dead),
    Rule(reason="local_firewall_reject", when=_rejected),
)


def local_rules(phase: Phase) -> tuple[Rule, ...]:
    """Return the local rules for failures of one phase; TCP sends no datagrams to drop."""
    rules = (rule for rule in _LOCAL if phase is not Phase.TCP or rule.when is not _udp_dropped)
    return tuple(replace(rule, when=_when(rule, phase)) for rule in rules)


def _when(rule: Rule, phase: Phase) -> Condition:
    if phase is Phase.DNS and rule.when is _udp_dropped:
        return _queries_dropped
    return both(failed_in(phase), rule.when)


def exhausted_in(*phases: Phase) -> Rule:
    """Return the rule for phases in which this host can run out of descriptors or memory."""
    return Rule(reason="local_resource_exhausted", when=both(failed_in(*phases), _exhausted))
