"""Detector of TLS inspection: the authority, every name it signs, and whether other names are exempt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from egressd.attribution.detectors.build import build_finding
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.detectors.device import DeviceGroup, group_by_device
from egressd.attribution.target_judgement import TargetJudgement
from egressd.model.verdict import Blame, Finding

INSPECTED = frozenset({"tls_mitm_untrusted", "tls_mitm_trusted"})
"""Codes of inspection alone: a deny page and an expired authority are causes of their own."""
MOST_AUTHORITIES = 3
"""Authorities shown of one device."""
PARTIAL = "tls_mitm_partial"


def inspected(inputs: DetectorInput) -> list[Finding]:
    """Return one finding for each device, trusted or not, with the names it signs and its authorities."""
    mine = {one.target.id for one in inputs.open if one.code in INSPECTED}
    some = [one for one in inputs.judgements if one.target.id in mine and one.code in INSPECTED]
    return [_finding(inputs, one) for one in group_by_device(inputs, some)]


def _exempt_elsewhere(inputs: DetectorInput, one: TargetJudgement) -> bool:
    """Whether an inspecting device is the first suspect, and it lets other names alone.

    A server of the operator's own that a private authority signed has nothing to be exempt from.
    """
    partial = one.result is not None and PARTIAL in one.result.flags
    return partial and inputs.verdict(one).blame is Blame.TLS_INSPECTION


def _finding(inputs: DetectorInput, group: DeviceGroup) -> Finding:
    some = list(group.judgements)
    partial = any(_exempt_elsewhere(inputs, one) for one in some)
    worst = max(some, key=lambda one: one.outcome.severity)
    return build_finding(
        inputs,
        "site_inspection_exemption_incomplete" if partial else worst.code,
        group.key,
        some,
        shown=group.shown,
        lines=tuple(_signed(some)),
    )


def _signed(some: list[TargetJudgement]) -> Iterator[str]:
    """Yield what each authority signed, of many the first few, and whether it is trusted."""
    signed: defaultdict[str, set[str]] = defaultdict(set)
    for one in some:
        if one.deciding_match is not None:
            signed[one.deciding_match.context.issuer].add(one.probe.host)
    for issuer, names in sorted(signed.items())[:MOST_AUTHORITIES]:
        yield f"signed by {issuer}: {', '.join(sorted(names))}"
    if len(signed) > MOST_AUTHORITIES:
        yield f"{len(signed)} authorities signed, another for each connection or name"
    trusted = sum(one.code == "tls_mitm_trusted" for one in some)
    several = len(signed) > 1
    are = "these authorities are" if several else "this authority is"
    if trusted in (0, len(some)):
        yield f"{are} {'' if trusted else 'not '}in the trust store"
    else:
        yield "some of these authorities are in the trust store, others are not"
