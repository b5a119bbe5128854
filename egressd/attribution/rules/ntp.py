"""Rules for the one datagram of a time server."""

from __future__ import annotations

from egressd.attribution.certainty import SILENCE, at
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.condition import both, either, is_port_unreachable, is_prohibited, phase_failed
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import Rule, RuleTable
from egressd.model.observation import Failure, Phase
from egressd.model.verdict import Confidence

UNSYNCHRONIZED = 16
_failed = phase_failed(Phase.NTP)


def _kiss(context: TrailContext) -> bool:
    return context.ntp is not None and bool(context.ntp.kiss)


def _unsynchronized(context: TrailContext) -> bool:
    ntp = context.ntp
    return ntp is not None and ntp.failure is None and ntp.stratum in (0, UNSYNCHRONIZED)


NTP = RuleTable(
    phase=Phase.NTP,
    clear=lambda context: context.ntp is None,
    rules=(
        *local_rules(Phase.NTP),
        Rule(reason="tcp_admin_prohibited", when=both(_failed, is_prohibited)),
        Rule(
            reason="ntp_refused",
            when=either(phase_failed(Phase.NTP, Failure.REFUSED), both(_failed, is_port_unreachable)),
        ),
        Rule(reason="tcp_unreachable", when=phase_failed(Phase.NTP, Failure.UNREACHABLE)),
        Rule(reason="ntp_kiss_of_death", when=_kiss),
        Rule(reason="ntp_unsynchronized", when=_unsynchronized),
        Rule(
            reason="ntp_no_answer",
            when=phase_failed(Phase.NTP, Failure.TIMEOUT),
            certainty=SILENCE,
        ),
        Rule(reason="ntp_unknown", when=_failed, certainty=at(Confidence.LOW)),
    ),
)
