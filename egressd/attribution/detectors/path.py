"""Detectors of causes on the whole path, whatever the target: a dead line, a resolver, a wrong clock."""

from __future__ import annotations

from egressd.attribution.advice import source_address, values_of_control
from egressd.attribution.detectors.build import build_finding, find_devices, finding_about_path
from egressd.attribution.detectors.detector_input import EGRESSD_CODES, DetectorInput
from egressd.attribution.evidence import control_lines
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.path_comparison import needs_proxy, path_causes
from egressd.attribution.reasons import REASONS
from egressd.model.plan import ControlKind
from egressd.model.verdict import Confidence, Finding
from egressd.wording import host_port

PATH_WIDE = frozenset(
    {
        "dns_no_resolver",
        "dns_resolver_unreachable",
        "dns_refused_client",
        "dns_no_listener",
        "dns_no_recursion",
        "dns_udp_blocked",
        "dns_admin_prohibited",
        "tcp_egress_all_blocked",
        "tls_all_hellos_dropped",
        "tls_large_hello_intolerant",
        "tls_sni_position_intolerant",
        "tls_pmtu_blackhole_inbound",
        "tls_pmtu_blackhole_outbound",
        "proxy_name_unresolvable",
        "proxy_unreachable",
        "proxy_auth_required",
        "proxy_auth_rejected",
        "proxy_auth_unsupported",
        "proxy_certificate_untrusted",
        "proxy_not_connect_capable",
    }
)
PATH_WIDE_PREFIXES = ("local_", "tls_mitm_")
OUTAGE_CODES = frozenset(
    {
        "dns_resolver_unreachable",
        "tcp_egress_all_blocked",
        "tcp_ip_blocked_silent",
        "tcp_unreachable",
        "tcp_routing_loop",
        "local_gateway_dead",
        "ntp_no_answer",
    }
)
"""Codes of a dead path."""


def accept_all(index: SweepIndex) -> list[Finding]:
    """Detect a device that accepts every connection; the finding has no targets."""
    return [
        _proven_by_control(index, "tcp_accept_all", source, ControlKind.TESTNET_TCP)
        for source in sorted(index.accept_all)
    ]


def dns_interception(index: SweepIndex) -> list[Finding]:
    """Detect that port 53 is intercepted; the finding has no targets."""
    return [
        _proven_by_control(index, "dns_transparent_proxy", source, ControlKind.TESTNET_DNS)
        for source in sorted(index.dns_intercepted)
    ]


def _proven_by_control(index: SweepIndex, code: str, source: str, kind: ControlKind) -> Finding:
    controls = [one for one in index.recording.controls if one.kind is kind and one.source == source]
    seen = [line for one in controls for line in control_lines(one)]
    answered = [
        f"{host_port(one.address or one.host, one.port)} answered from source {source}" for one in controls
    ]
    return finding_about_path(
        code,
        source,
        sure=Confidence.CONFIRMED,
        title=f"{REASONS[code].title} ({source})",
        evidence=(*seen, *answered),
        values=values_of_control(index, controls[0]),
        sources=(source,),
    )


def outage(inputs: DetectorInput) -> list[Finding]:
    """Detect that nothing is reached, with more reasons than one cause would give."""
    probed = [one for one in inputs.worst if one.code not in EGRESSD_CODES]
    codes = {one.code for one in probed}
    reached = bool(inputs.reachable) or _known_good_works(inputs.index)
    if reached or len({one.probe.host for one in probed}) < 3 or len(codes) < 2:
        return []
    return [build_finding(inputs, "site_outage", "", probed)] if codes <= OUTAGE_CODES else []


def _known_good_works(index: SweepIndex) -> bool:
    """Return whether a host that is probed as a control is reached."""
    controls = (one for one in index.recording.controls if one.kind is ControlKind.KNOWN_GOOD)
    ends = (trail.last for one in controls for trail in one.trails)
    return any(one is not None and one.failure is None for one in ends)


def clock(inputs: DetectorInput) -> list[Finding]:
    """Detect a wrong clock, whether or not a certificate failed for it already."""
    if not inputs.index.clock_is_off:
        return []
    affected = [one for one in inputs.open if one.code == "local_clock_skew"]
    if affected:
        return [build_finding(inputs, "local_clock_skew", "", affected)]
    offset = inputs.index.recording.vantage.clock_offset_seconds
    seen = (f"the clock of other hosts is {offset:+.0f} s from ours",)
    recording = inputs.index.recording
    values = {
        "time": recording.started,
        "source": source_address(inputs.index, recording.plan.sources[0].name),
    }
    return [finding_about_path("local_clock_skew", "", sure=Confidence.HIGH, evidence=seen, values=values)]


def path_wide(inputs: DetectorInput) -> list[Finding]:
    """Detect one device or setting that breaks everything behind it."""
    wide = [one for one in inputs.open if one.code in PATH_WIDE or one.code.startswith(PATH_WIDE_PREFIXES)]
    return find_devices(inputs, wide, least=1)


def proxy_needed(inputs: DetectorInput) -> list[Finding]:
    """Detect that nothing gets out directly, and everything does by the proxy that is not used."""
    unclaimed = {one.target.id for one in inputs.open}
    some = [one for one in needs_proxy(inputs.worst) if one.target.id in unclaimed]
    return [build_finding(inputs, "site_requires_proxy", "", some)] if some else []


def compared_paths(inputs: DetectorInput) -> list[Finding]:
    """Detect what comparing the direct path with the proxy shows."""
    causes = path_causes(inputs.worst, claimed=inputs.claimed)
    return [build_finding(inputs, code, path, some) for code, path, some in causes]
