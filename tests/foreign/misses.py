"""Rows that are not right yet, by suite, with why. One that becomes right fails until it is taken out."""

from __future__ import annotations

from collections.abc import Mapping

MISSES: Mapping[str, Mapping[str, str]] = {
    "badssl": {
        "10000-sans": "says tls_protocol_error; blames unknown_middlebox",
        "dh1024": "says tls_protocol_error; blames unknown_middlebox",
        "dh-composite": "says tls_protocol_error; blames unknown_middlebox",
        "dh2048": "the outcome is not degraded or blocked or down; blames nobody",
        "reversed-chain": "the outcome is not blocked or down; says tls_unknown",
        "untrusted-root": "says tls_mitm_origin_untrusted; the reason is not tls_mitm_untrusted or "
        "tls_untrusted_root; blames tls_inspection more surely than high",
    },
    "ooni-A": {
        "dnsBlockingBOGON": "says tcp_ip_blocked_silent",
        "ghostDNSHTTP": "the outcome is not degraded or unknown or blocked or down",
    },
    "ooni-B": {"dnsBlockingBOGON": "says tcp_fqdn_rule_stale_ip"},
    "blackbox": {"https-trustedself": "blames unknown_middlebox"},
}
WRONG_CERTAINTIES: Mapping[str, tuple[str, ...]] = {
    "badssl": ("10000-sans", "dh1024", "dh-composite", "dh2048", "untrusted-root"),
    "ooni-A": ("ghostDNSHTTP",),
}
"""Rows of which a claim is confirmed and wrong, or that are ok where a client fails."""
