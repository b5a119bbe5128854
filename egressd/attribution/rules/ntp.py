"""The one datagram of a time server."""

from __future__ import annotations

from egressd.attribution.control_results.contrast import Contrast
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.dns import is_port_unreachable, is_prohibited
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, SILENCE, Rule, RuleTable
from egressd.model.observation import Failure, NtpObservation, Phase

UNSYNCHRONIZED = 16


def _failed(context: TrailContext, *failures: Failure) -> bool:
    return context.ntp is not None and context.ntp.failure in failures


def _prohibited(context: TrailContext) -> bool:
    return context.ntp is not None and context.ntp.failure is not None and is_prohibited(context.icmp)


def _refused(context: TrailContext) -> bool:
    return _failed(context, Failure.REFUSED) or (
        context.ntp is not None and context.ntp.failure is not None and is_port_unreachable(context.icmp)
    )


def _kiss(context: TrailContext) -> bool:
    return context.ntp is not None and bool(context.ntp.kiss)


def _unsynchronized(context: TrailContext) -> bool:
    return (
        context.ntp is not None and context.ntp.failure is None and context.ntp.stratum in (0, UNSYNCHRONIZED)
    )


def _unreachable(context: TrailContext) -> bool:
    return _failed(context, Failure.UNREACHABLE)


def _silent(context: TrailContext) -> bool:
    return _failed(context, Failure.TIMEOUT)


def _any_failure(context: TrailContext) -> bool:
    return context.ntp is not None and context.ntp.failure is not None


def _by_other_traffic(context: TrailContext) -> Contrast:
    """Compare with the same host's TCP: where that gets out, the path itself stands."""
    return (
        Contrast.PASSED
        if context.index.connected(context.source) or _other_server(context)
        else Contrast.NONE
    )


def _other_server(context: TrailContext) -> bool:
    every = (trail for trails in context.index.trails.values() for trail in trails)
    seen = (one for trail in every if trail.source == context.source for one in trail.observations)
    return any(isinstance(one, NtpObservation) and one.failure is None for one in seen)


NTP = RuleTable(
    phase=Phase.NTP,
    rules=(
        *local_rules(Phase.NTP),
        Rule(reason="tcp_admin_prohibited", when=_prohibited, score=IDENTIFIED, alone=True),
        Rule(reason="ntp_refused", when=_refused, score=IDENTIFIED, alone=True),
        Rule(reason="tcp_unreachable", when=_unreachable, score=IDENTIFIED - 1, alone=True),
        Rule(reason="ntp_kiss_of_death", when=_kiss, score=IDENTIFIED, alone=True),
        Rule(reason="ntp_unsynchronized", when=_unsynchronized, score=IDENTIFIED, alone=True),
        Rule(
            reason="ntp_no_answer", when=_silent, score=SILENCE + 1, silent=True, contrast=_by_other_traffic
        ),
        Rule(reason="ntp_unknown", when=_any_failure, score=EXPLICIT - 1),
    ),
)
