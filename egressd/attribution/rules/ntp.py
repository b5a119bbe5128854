"""The one datagram of a time server."""

from __future__ import annotations

from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast
from egressd.attribution.rules.dns import is_port_unreachable, is_prohibited
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, SILENCE, Rule, Table
from egressd.model.observation import Failure, NtpObservation, Phase

UNSYNCHRONIZED = 16


def _failed(case: Case, *failures: Failure) -> bool:
    return case.ntp is not None and case.ntp.failure in failures


def _prohibited(case: Case) -> bool:
    return case.ntp is not None and case.ntp.failure is not None and is_prohibited(case.icmp)


def _refused(case: Case) -> bool:
    return _failed(case, Failure.REFUSED) or (
        case.ntp is not None and case.ntp.failure is not None and is_port_unreachable(case.icmp)
    )


def _kiss(case: Case) -> bool:
    return case.ntp is not None and bool(case.ntp.kiss)


def _unsynchronized(case: Case) -> bool:
    return case.ntp is not None and case.ntp.failure is None and case.ntp.stratum in (0, UNSYNCHRONIZED)


def _unreachable(case: Case) -> bool:
    return _failed(case, Failure.UNREACHABLE)


def _silent(case: Case) -> bool:
    return _failed(case, Failure.TIMEOUT)


def _any_failure(case: Case) -> bool:
    return case.ntp is not None and case.ntp.failure is not None


def _by_other_traffic(case: Case) -> Contrast:
    """Compare with the same host's TCP: where that gets out, the path itself stands."""
    return Contrast.PASSED if case.whole.connected(case.source) or _other_server(case) else Contrast.NONE


def _other_server(case: Case) -> bool:
    every = (trail for trails in case.whole.trails.values() for trail in trails)
    seen = (one for trail in every if trail.source == case.source for one in trail.observations)
    return any(isinstance(one, NtpObservation) and one.failure is None for one in seen)


NTP = Table(
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
