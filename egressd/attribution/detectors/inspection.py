"""Detector of TLS inspection: the authority, every name it signs, and whether other names are exempt."""

from __future__ import annotations

from collections import defaultdict

from egressd.attribution.detectors.build import build_finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Blame, Finding

INSPECTED = frozenset({"tls_mitm_untrusted", "tls_mitm_trusted"})
"""Codes of inspection alone: a deny page and an expired authority are causes of their own."""
PARTIAL = "tls_mitm_partial"


def inspected(inputs: DetectorInput) -> list[Finding]:
    """Return one finding for each authority, trusted or not, with the names it signs."""
    groups: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    for one in inputs.open:
        if one.code in INSPECTED and one.deciding_match is not None:
            groups[one.deciding_match.context.issuer].append(one)
    return [_finding(inputs, issuer, some) for issuer, some in sorted(groups.items())]


def _exempt_elsewhere(inputs: DetectorInput, one: TargetJudgement) -> bool:
    """Whether an inspecting device is the first suspect, and it lets other names alone.

    A server of the operator's own that a private authority signed has nothing to be exempt from.
    """
    partial = one.result is not None and PARTIAL in one.result.flags
    return partial and inputs.verdict(one).blame is Blame.TLS_INSPECTION


def _finding(inputs: DetectorInput, issuer: str, some: list[TargetJudgement]) -> Finding:
    partial = any(_exempt_elsewhere(inputs, one) for one in some)
    worst = max(some, key=lambda one: one.outcome.severity)
    names = sorted({one.probe.host for one in some})
    trusted = all(one.code == "tls_mitm_trusted" for one in some)
    return build_finding(
        inputs,
        "site_inspection_exemption_incomplete" if partial else worst.code,
        issuer,
        some,
        lines=(
            f"signed by {issuer}: {', '.join(names)}",
            f"this authority is {'' if trusted else 'not '}in the trust store",
        ),
    )
