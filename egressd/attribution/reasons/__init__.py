"""Every reason code with its texts, in the order of the phases.

Codes are API: never renamed, never reused. The prefix of a code names its phase. The tables hold texts and
usual values only; the rules that select a code are in `attribution.rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from egressd.attribution.reasons.alert import ALERT_REASONS, ALERTS, alert_code
from egressd.attribution.reasons.certificate import CERTIFICATE
from egressd.attribution.reasons.dns import DNS
from egressd.attribution.reasons.egressd import EGRESSD
from egressd.attribution.reasons.http import HTTP
from egressd.attribution.reasons.local import LOCAL
from egressd.attribution.reasons.ntp import NTP
from egressd.attribution.reasons.proxy import PROXY
from egressd.attribution.reasons.reason import PLACEHOLDERS, Reason, fill_template
from egressd.attribution.reasons.site import SITE
from egressd.attribution.reasons.tcp import TCP
from egressd.attribution.reasons.tls import TLS
from egressd.attribution.reasons.verification import VERIFICATION

__all__ = [
    "ALERTS",
    "CHAPTERS",
    "PLACEHOLDERS",
    "REASONS",
    "Reason",
    "alert_code",
    "fill_template",
    "find_reason",
]

CHAPTERS: Mapping[str, tuple[Reason, ...]] = MappingProxyType(
    {
        "This host and its first hop": LOCAL,
        "DNS": DNS,
        "TCP": TCP,
        "Proxy": PROXY,
        "TLS: the handshake": TLS,
        "TLS: alerts": ALERT_REASONS,
        "TLS: the certificate and its revocation": CERTIFICATE,
        "TLS: what OpenSSL refuses": VERIFICATION,
        "HTTP": HTTP,
        "NTP": NTP,
        "The whole site": SITE,
        "egressd itself": EGRESSD,
    }
)
"""The tables of reasons by heading, as the manual shows them."""

REASONS: Mapping[str, Reason] = MappingProxyType(
    {one.code: one for table in CHAPTERS.values() for one in table}
)
"""Every reason by its code."""

_STATUS_AT_END = re.compile(r"_[0-9]{3}$")


def find_reason(code: str) -> Reason | None:
    """Return the reason of a code; `service_reachable_http_404` has the reason `service_reachable_http`."""
    if code in REASONS:
        return REASONS[code]
    return REASONS.get("service_reachable_http") if _is_reachable(code) else None


def _is_reachable(code: str) -> bool:
    return _STATUS_AT_END.sub("", code) == "service_reachable_http"
