"""Rows that are not right yet, by suite, with why. One that becomes right fails until it is taken out."""

from __future__ import annotations

from collections.abc import Mapping

MISSES: Mapping[str, Mapping[str, str]] = {
    "ooni-A": {
        "dnsBlockingBOGON": "says tcp_ip_blocked_silent",
        "ghostDNSHTTP": "the outcome is not degraded or unknown or blocked or down",
    },
    "ooni-B": {"dnsBlockingBOGON": "says tcp_fqdn_rule_stale_ip"},
}
WRONG_CERTAINTIES: Mapping[str, tuple[str, ...]] = {"ooni-A": ("ghostDNSHTTP",)}
"""Rows of which a claim is confirmed and wrong, or that are ok where a client fails."""
