"""The dial: refused by whom, dropped where, or accepted by something that is not the server."""

from __future__ import annotations

from egressd.attribution.control_results.contrast import Contrast, always_fails, port_contrast, tries
from egressd.attribution.control_results.hops import failure_hop
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.dns import is_port_unreachable, is_prohibited
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, SILENCE, Rule, RuleTable
from egressd.model.observation import Failure, Phase

TIME_EXCEEDED = {4: 11, 6: 3}


def _failed(context: TrailContext, *failures: Failure) -> bool:
    return context.tcp is not None and context.tcp.failure in failures and not context.proxied


def _any_failure(context: TrailContext) -> bool:
    return context.tcp is not None and context.tcp.failure is not None


def _prohibited(context: TrailContext) -> bool:
    return context.failed_in is Phase.TCP and is_prohibited(context.icmp)


def _looping(context: TrailContext) -> bool:
    icmp = context.icmp
    return context.failed_in is Phase.TCP and icmp is not None and icmp.type == TIME_EXCEEDED[icmp.version]


def _refused_by_icmp(context: TrailContext) -> bool:
    return _failed(context, Failure.REFUSED) and is_port_unreachable(context.icmp)


def _refused(context: TrailContext) -> bool:
    return _failed(context, Failure.REFUSED)


def _refused_on_the_way(context: TrailContext) -> bool:
    """Whether the refusal begins at a hop nearer than the far end."""
    return _refused(context) and failure_hop(context) is not None


def _unreachable(context: TrailContext) -> bool:
    return _failed(context, Failure.UNREACHABLE)


def _reset(context: TrailContext) -> bool:
    return _failed(context, Failure.RESET, Failure.CLOSED)


def _silent(context: TrailContext) -> bool:
    return _failed(context, Failure.TIMEOUT)


def _all_silent(context: TrailContext) -> bool:
    return _silent(context) and context.index.dial_stats(context.source, context.trail.family).all_silent


def _port_blocked(context: TrailContext) -> bool:
    return _silent(context) and port_contrast(context) is Contrast.PASSED


def _by_port(context: TrailContext) -> Contrast:
    return port_contrast(context)


def _by_other_port(context: TrailContext) -> Contrast:
    """Compare with another port of the address; if that fails too, it speaks against nothing."""
    return Contrast.PASSED if port_contrast(context) is Contrast.PASSED else Contrast.NONE


def _by_address(context: TrailContext) -> Contrast:
    """Compare with other addresses on the same port."""
    port = context.dialled[1]
    reached = context.index.connected(context.source)
    works = any(other == port or context.trail.redirected for _, other in reached)
    if not works:
        return Contrast.NONE
    return Contrast.FLIP if tries(context) > 2 and always_fails(context) else Contrast.PASSED


def _by_known_good(context: TrailContext) -> Contrast:
    """Compare with what ought to work: nothing did, over three addresses or more."""
    silent = context.index.dial_stats(context.source, context.trail.family).silent
    return Contrast.PASSED if len({address for address, _ in silent}) > 2 else Contrast.NONE


def _too_fast(context: TrailContext) -> bool:
    return context.loss_pattern is LossPattern.RATE


def _too_many(context: TrailContext) -> bool:
    return context.loss_pattern is LossPattern.CONCURRENCY


def _proxy_not_told(context: TrailContext) -> bool:
    """Whether the environment names a proxy, and this dial went out without one."""
    recording = context.index.recording
    told = recording.plan.proxy or recording.plan.plain_proxy
    named = bool(recording.vantage.proxy_variables)
    return named and told is None and not context.proxied and context.failed_in is Phase.TCP


def _revocation(context: TrailContext) -> bool:
    """Whether certificates of this sweep are checked at the host that can't be reached."""
    broken = context.failed_in in (Phase.DNS, Phase.TCP, Phase.HTTP)
    return (
        broken and context.probe.port == 80 and context.probe.host.lower() in context.index.revocation_hosts
    )


TCP = RuleTable(
    phase=Phase.TCP,
    rules=(
        *local_rules(Phase.TCP),
        Rule(reason="tcp_admin_prohibited", when=_prohibited, score=IDENTIFIED, alone=True),
        Rule(reason="tcp_routing_loop", when=_looping, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tcp_refused_icmp_port", when=_refused_by_icmp, score=IDENTIFIED, alone=True),
        Rule(
            reason="tcp_refused_by_middlebox",
            when=_refused_on_the_way,
            score=EXPLICIT,
            contrast=_by_other_port,
        ),
        Rule(reason="tcp_refused", when=_refused, score=EXPLICIT, contrast=_by_other_port),
        Rule(reason="tcp_unreachable", when=_unreachable, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tcp_reset_after_accept", when=_reset, score=EXPLICIT),
        Rule(
            reason="tcp_egress_all_blocked",
            when=_all_silent,
            score=SILENCE,
            silent=True,
            contrast=_by_known_good,
        ),
        Rule(
            reason="tcp_port_blocked", when=_port_blocked, score=SILENCE + 1, silent=True, contrast=_by_port
        ),
        Rule(reason="tcp_ip_blocked_silent", when=_silent, score=SILENCE, silent=True, contrast=_by_address),
        Rule(reason="tcp_unknown", when=_any_failure, score=SILENCE),
    ),
    notes=(
        Rule(reason="pki_revocation_unreachable", when=_revocation, score=IDENTIFIED - 1, alone=True),
        Rule(reason="tcp_rate_limited", when=_too_fast, score=EXPLICIT),
        Rule(reason="nat_ports_exhausted", when=_too_many, score=0),
        Rule(reason="local_firewall_drop_tcp", when=_all_silent, score=0, silent=True),
        Rule(reason="local_proxy_config_mismatch", when=_proxy_not_told, score=EXPLICIT, alone=True),
    ),
)
