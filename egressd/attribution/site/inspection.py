"""One inspecting device: whose authority it is, every name it touches, and whether it lets others be."""

from __future__ import annotations

from collections import defaultdict

from egressd.attribution.opinion import Opinion
from egressd.attribution.site.build import finding
from egressd.attribution.site.field import Field
from egressd.model.verdict import Finding

INSPECTED = frozenset({"tls_mitm_untrusted", "tls_mitm_trusted"})
"""Codes of mere inspection: a deny page, or an authority that has expired, is another matter."""
PARTIAL = "tls_mitm_partial"


def inspected(field: Field) -> list[Finding]:
    """Put together the names that one authority signs, in one finding, trusted or not."""
    groups: defaultdict[str, list[Opinion]] = defaultdict(list)
    for one in field.open:
        if one.code in INSPECTED and one.telling is not None:
            groups[one.telling.case.issuer].append(one)
    return [_finding(field, issuer, some) for issuer, some in sorted(groups.items())]


def _finding(field: Field, issuer: str, some: list[Opinion]) -> Finding:
    partial = any(one.ruling is not None and PARTIAL in one.ruling.flags for one in some)
    worst = max(some, key=lambda one: one.outcome.severity)
    names = sorted({one.probe.host for one in some})
    trusted = all(one.code == "tls_mitm_trusted" for one in some)
    return finding(
        field,
        "site_inspection_exemption_incomplete" if partial else worst.code,
        issuer,
        some,
        lines=(
            f"signed by {issuer}: {', '.join(names)}",
            f"this authority is {'' if trusted else 'not '}in the trust store",
        ),
    )
