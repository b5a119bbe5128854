"""This host and its first hop: errors that no remote device can have caused.

Local rules stand at the head of every table whose phase sends packets.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

from egressd.attribution.facts.address import parse_address
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.rule import IDENTIFIED, Rule
from egressd.model.observation import DnsObservation, Failure, NtpObservation, Phase, TcpObservation

HOST_UNREACHABLE = {4: 1, 6: 3}
"""ICMP code, by IP version, with which a kernel reports that nobody answered ARP or neighbour discovery."""
NEIGHBOUR_WAIT_MS = 900.0
"""A kernel asks for a neighbour three times, a second apart; a question under way is joined."""


def _silent_kernel(context: TrailContext, *numbers: int) -> bool:
    """Whether a call ended with one of these and no ICMP error: the kernel decided alone."""
    match context.failing:
        case _ if context.icmp is not None:
            return False
        case DnsObservation(queries=queries):
            return any(one.failure is Failure.UNREACHABLE and one.errno in numbers for one in queries)
        case TcpObservation(failure=failure, errno=number) | NtpObservation(failure=failure, errno=number):
            return failure is Failure.UNREACHABLE and number in numbers
        case _:
            return False


def _failure(context: TrailContext) -> Failure | None:
    match context.failing:
        case DnsObservation(failure=failure, queries=queries):
            return queries[-1].failure if queries else failure
        case None:
            return None
        case other:
            return other.failure


def _sends(context: TrailContext) -> bool:
    return isinstance(context.failing, DnsObservation | TcpObservation | NtpObservation)


def _source_invalid(context: TrailContext) -> bool:
    return _sends(context) and _failure(context) is Failure.INVALID_SOURCE


def _exhausted(context: TrailContext) -> bool:
    return _failure(context) is Failure.NO_RESOURCES


def _no_route(context: TrailContext) -> bool:
    return _silent_kernel(context, errno.ENETUNREACH)


def _unreachable_route(context: TrailContext) -> bool:
    return _silent_kernel(context, errno.EHOSTUNREACH)


def _prohibit_route(context: TrailContext) -> bool:
    return _silent_kernel(context, errno.EACCES)


def _blackhole_route(context: TrailContext) -> bool:
    return _silent_kernel(context, errno.EINVAL)


def _udp_dropped(context: TrailContext) -> bool:
    return not isinstance(context.failing, TcpObservation) and _silent_kernel(context, errno.EPERM)


def _rejected(context: TrailContext) -> bool:
    """Whether this host's own rules refused: by ICMP, or (a cgroup filter of systemd) by EPERM."""
    if context.icmp is not None:
        return context.icmp.local and parse_address(context.icmp.offender) != parse_address(_asked(context))
    return context.failed_in is Phase.TCP and _silent_kernel(context, errno.EPERM)


def _asked(context: TrailContext) -> str:
    """Return where the packet went: a service of this very host may refuse without any rule."""
    match context.failing:
        case DnsObservation(resolver=resolver):
            return resolver.rpartition(":")[0].strip("[]") or resolver
        case TcpObservation(remote_address=address) | NtpObservation(remote_address=address):
            return address
        case _:
            return ""


def _gateway_dead(context: TrailContext) -> bool:
    """Whether nobody answers on the link: the kernel waited for it, or nothing else gets out either.

    A rule of this host that rejects with the same code does so at once.
    """
    icmp = context.icmp
    if icmp is None or not icmp.local or icmp.code != HOST_UNREACHABLE[icmp.version]:
        return False
    waited = context.failing is not None and context.failing.elapsed_ms >= NEIGHBOUR_WAIT_MS
    return waited or not context.index.dial_stats(context.source, context.trail.family).connected


_LOCAL = (
    Rule(reason="local_source_invalid", when=_source_invalid, score=IDENTIFIED, alone=True),
    Rule(reason="local_resource_exhausted", when=_exhausted, score=IDENTIFIED, alone=True),
    Rule(reason="local_no_route", when=_no_route, score=IDENTIFIED, alone=True),
    Rule(reason="local_unreachable_route", when=_unreachable_route, score=IDENTIFIED, alone=True),
    Rule(reason="local_prohibit_route", when=_prohibit_route, score=IDENTIFIED, alone=True),
    Rule(reason="local_blackhole_route", when=_blackhole_route, score=IDENTIFIED, alone=True),
    Rule(reason="local_firewall_drop_udp", when=_udp_dropped, score=IDENTIFIED, alone=True),
    Rule(reason="local_gateway_dead", when=_gateway_dead, score=IDENTIFIED, alone=True),
    Rule(reason="local_firewall_reject", when=_rejected, score=IDENTIFIED, alone=True),
)


def local_rules(phase: Phase) -> tuple[Rule, ...]:
    """Return the local rules for what failed in one phase; a dropped datagram is none of TCP's."""
    rules = (rule for rule in _LOCAL if phase is not Phase.TCP or rule.when is not _udp_dropped)
    return tuple(replace(rule, when=_in(phase, rule.when)) for rule in rules)


def _in(phase: Phase, when: Callable[[TrailContext], bool]) -> Callable[[TrailContext], bool]:
    return lambda context: context.failed_in is phase and when(context)
