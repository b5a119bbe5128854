"""Rules for the dial: refused by whom, dropped where, or accepted by something that is not the server."""

from __future__ import annotations

from egressd.attribution.certainty import SILENCE, at, contrasted
from egressd.attribution.control_results.contrast import Contrast, passed_if, port_contrast
from egressd.attribution.control_results.hops import failure_hop
from egressd.attribution.facts.loss_pattern import LossPattern
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import (
    both,
    failed_in,
    is_port_unreachable,
    is_prohibited,
    on_failure,
    phase_failed,
)
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.model.observation import Failure, Phase
from egressd.model.settings import Family
from egressd.model.verdict import Confidence, Outcome

TIME_EXCEEDED = {4: 11, 6: 3}
_refused = phase_failed(Phase.TCP, Failure.REFUSED)
_silent = phase_failed(Phase.TCP, Failure.TIMEOUT)


def _time_exceeded(context: TrailContext) -> bool:
    icmp = context.icmp
    return icmp is not None and icmp.type == TIME_EXCEEDED[icmp.version]


@on_failure
def _refused_on_the_way(context: TrailContext) -> bool:
    """Whether the refusal begins at a hop nearer than the far end."""
    return _refused(context) and failure_hop(context) is not None


@on_failure
def _all_silent(context: TrailContext) -> bool:
    return _silent(context) and context.dial_stats.all_silent


@on_failure
def _port_blocked(context: TrailContext) -> bool:
    return _silent(context) and port_contrast(context).separates


def _by_known_good(context: TrailContext) -> Contrast:
    """Compare with what ought to work: none did, over three addresses or more."""
    return passed_if((context.source, context.trail.family) in context.index.once(_silent_at_several))


def _silent_at_several(index: SweepIndex) -> frozenset[tuple[str, Family]]:
    """Return the sources and families of which several addresses gave no answer."""
    return frozenset(
        key for key, dials in index.dials.items() if len({address for address, _ in dials.silent}) > 2
    )


@on_failure
def _proxy_not_configured(context: TrailContext) -> bool:
    """Whether the environment names a proxy, and this dial went out without one."""
    return bool(context.index.unused_proxy_variables) and context.failed_in is Phase.TCP


def _worthless(context: TrailContext) -> bool:
    """Whether a connection is all that was asked for, and any address would have given it."""
    return context.last_phase is Phase.TCP and context.failing is None and context.connected_to_anything


def _unknown_outcome(_: TrailContext) -> Outcome:
    return Outcome.UNKNOWN


@on_failure
def _revocation(context: TrailContext) -> bool:
    """Whether certificates of this sweep are checked at the host that can't be reached."""
    broken = context.failed_in in (Phase.DNS, Phase.TCP, Phase.HTTP)
    host = context.probe.host.lower()
    return broken and context.probe.port == 80 and host in context.index.revocation_hosts


TCP = RuleTable(
    phase=Phase.TCP,
    rules=(
        *local_rules(Phase.TCP),
        Rule(reason="tcp_admin_prohibited", when=both(failed_in(Phase.TCP), is_prohibited)),
        Rule(reason="tcp_routing_loop", when=both(failed_in(Phase.TCP), _time_exceeded)),
        Rule(reason="tcp_refused_icmp_port", when=both(_refused, is_port_unreachable)),
        Rule(reason="tcp_refused_by_middlebox", when=_refused_on_the_way, certainty=at(Confidence.HIGH)),
        Rule(reason="tcp_refused", when=_refused),
        Rule(reason="tcp_unreachable", when=phase_failed(Phase.TCP, Failure.UNREACHABLE)),
        Rule(
            reason="tcp_reset_after_accept",
            when=phase_failed(Phase.TCP, Failure.RESET, Failure.CLOSED),
        ),
        Rule(reason="tcp_egress_all_blocked", when=_all_silent, certainty=contrasted(_by_known_good)),
        Rule(reason="tcp_port_blocked", when=_port_blocked, certainty=contrasted(port_contrast)),
        Rule(reason="tcp_ip_blocked_silent", when=_silent, certainty=SILENCE),
        Rule(reason="tcp_accept_all", when=_worthless, outcome=_unknown_outcome),
        Rule(reason="tcp_unknown", when=phase_failed(Phase.TCP), certainty=at(Confidence.LOW)),
    ),
    notes=(
        Rule(reason="pki_revocation_unreachable", when=_revocation),
        Rule(
            reason="tcp_rate_limited",
            when=on_failure(lambda context: context.loss_pattern is LossPattern.RATE),
            certainty=at(Confidence.MEDIUM),
        ),
        Rule(
            reason="nat_ports_exhausted",
            when=on_failure(lambda context: context.loss_pattern is LossPattern.CONCURRENCY),
            certainty=at(Confidence.LOW),
        ),
        Rule(reason="local_firewall_drop_tcp", when=_all_silent, certainty=SILENCE),
        Rule(reason="local_proxy_config_mismatch", when=_proxy_not_configured, certainty=at(Confidence.HIGH)),
    ),
)
