"""The dial: refused by whom, dropped where, or accepted by something that is not the server."""

from __future__ import annotations

from egressd.attribution.facts.burst import Pattern
from egressd.attribution.facts.case import Case
from egressd.attribution.facts.compare import Contrast, always_fails, port_contrast, tries
from egressd.attribution.facts.shown.hops import begins_at
from egressd.attribution.rules.dns import is_port_unreachable, is_prohibited
from egressd.attribution.rules.local import local_rules
from egressd.attribution.rules.rule import EXPLICIT, IDENTIFIED, SILENCE, Rule, Table
from egressd.model.observation import Failure, Phase

TIME_EXCEEDED = {4: 11, 6: 3}


def _failed(case: Case, *failures: Failure) -> bool:
    return case.tcp is not None and case.tcp.failure in failures and not case.proxied


def _any_failure(case: Case) -> bool:
    return case.tcp is not None and case.tcp.failure is not None


def _prohibited(case: Case) -> bool:
    return case.failed_in is Phase.TCP and is_prohibited(case.icmp)


def _looping(case: Case) -> bool:
    icmp = case.icmp
    return case.failed_in is Phase.TCP and icmp is not None and icmp.type == TIME_EXCEEDED[icmp.version]


def _refused_by_icmp(case: Case) -> bool:
    return _failed(case, Failure.REFUSED) and is_port_unreachable(case.icmp)


def _refused(case: Case) -> bool:
    return _failed(case, Failure.REFUSED)


def _refused_on_the_way(case: Case) -> bool:
    """Whether the refusal begins at a hop nearer than the far end."""
    return _refused(case) and begins_at(case) is not None


def _unreachable(case: Case) -> bool:
    return _failed(case, Failure.UNREACHABLE)


def _reset(case: Case) -> bool:
    return _failed(case, Failure.RESET, Failure.CLOSED)


def _silent(case: Case) -> bool:
    return _failed(case, Failure.TIMEOUT)


def _all_silent(case: Case) -> bool:
    return _silent(case) and case.whole.dialled(case.source, case.trail.family).all_silent


def _port_blocked(case: Case) -> bool:
    return _silent(case) and port_contrast(case) is Contrast.PASSED


def _by_port(case: Case) -> Contrast:
    return port_contrast(case)


def _by_other_port(case: Case) -> Contrast:
    """Compare with another port of the address; if that fails too, it speaks against nothing."""
    return Contrast.PASSED if port_contrast(case) is Contrast.PASSED else Contrast.NONE


def _by_address(case: Case) -> Contrast:
    """Compare with other addresses on the same port."""
    port = case.dialled[1]
    reached = case.whole.connected(case.source)
    works = any(other == port or case.trail.redirected for _, other in reached)
    if not works:
        return Contrast.NONE
    return Contrast.FLIP if tries(case) > 2 and always_fails(case) else Contrast.PASSED


def _by_known_good(case: Case) -> Contrast:
    """Compare with what ought to work: nothing did, over three addresses or more."""
    silent = case.whole.dialled(case.source, case.trail.family).silent
    return Contrast.PASSED if len({address for address, _ in silent}) > 2 else Contrast.NONE


def _too_fast(case: Case) -> bool:
    return case.burst is Pattern.PACE


def _too_many(case: Case) -> bool:
    return case.burst is Pattern.LOAD


def _proxy_not_told(case: Case) -> bool:
    """Whether the environment names a proxy, and this dial went out without one."""
    recording = case.whole.recording
    told = recording.plan.proxy or recording.plan.plain_proxy
    named = bool(recording.vantage.proxy_variables)
    return named and told is None and not case.proxied and case.failed_in is Phase.TCP


def _revocation(case: Case) -> bool:
    """Whether certificates of this sweep are checked at the host that can't be reached."""
    broken = case.failed_in in (Phase.DNS, Phase.TCP, Phase.HTTP)
    return broken and case.probe.port == 80 and case.probe.host.lower() in case.whole.revocation_hosts


TCP = Table(
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
