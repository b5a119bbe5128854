"""OONI's web connectivity scenarios: which host stands for each, and what is right in both setups.

Setup A asks the provider's resolver only, setup B a second one too, which is honest. What a device on the
path does, it does in both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.foreign.expectation import FAILED, FIREWALLS, IN_DNS, ON_THE_PATH, SERVER, Row, at_most, ok, row

EVERYBODY = (*SERVER, *IN_DNS, *ON_THE_PATH, "firewall_l3l4", "local_host", "upstream_path")
BUT_FIREWALLS = (*SERVER, *IN_DNS, "local_host", "")
NOT_OK = "degraded unknown blocked down"
BAD_OR_DEGRADED = "degraded blocked down"
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A host that is probed in both setups."""

    name: str
    protocol: str
    alone: Row
    """What is right with the provider's resolver only."""
    with_second: Row
    """What is right with an honest resolver beside it."""
    host: str = ""
    """Its name; empty: `www` in a zone of its own."""
    least_bytes: int = 0
    """What the endpoint expects of the body."""

    @property
    def full_host(self) -> str:
        """The name that is probed."""
        return self.host or f"www.{zone_of(self.name)}"


def zone_of(name: str) -> str:
    """Return the zone that only one scenario's names are in."""
    return f"{name.lower()}.example"


def _both(one: Row, protocol: str, *, host: str = "", least_bytes: int = 0) -> Scenario:
    return Scenario(
        name=one.name, protocol=protocol, alone=one, with_second=one, host=host, least_bytes=least_bytes
    )


def _pair(stem: str, make: Callable[[str], Row]) -> tuple[Scenario, Scenario]:
    """Return the same scenario over HTTP and HTTPS."""
    return _both(make(f"{stem}HTTP"), "http"), _both(make(f"{stem}HTTPS"), "https")


def _two(name: str, protocol: str, alone: Row, with_second: Row) -> Scenario:
    return Scenario(name=name, protocol=protocol, alone=alone, with_second=with_second)


def _null_answer(name: str) -> Row:
    return row(name, BAD_OR_DEGRADED, "dns_null_answer", IN_DNS)


def _null_from_everybody(name: str) -> Row:
    return row(name, BAD_OR_DEGRADED, "dns_null_answer", BUT_FIREWALLS)


def _refused(name: str) -> Row:
    return row(name, FAILED, "tcp_refused", SERVER, bounds=at_most("medium", *FIREWALLS, "local_host"))


def _slow(name: str) -> Row:
    return row(
        name, "ok degraded", "- http_slow_download", ("", *SERVER), bounds=at_most("medium", *EVERYBODY)
    )


def _too_slow(name: str) -> Row:
    return row(
        name,
        "degraded",
        "http_slow_download http_no_answer",
        never="http_content_unexpected http_content_replaced http_truncated",
        bounds=at_most("medium", *EVERYBODY),
    )


def _absent(name: str, most: str) -> Row:
    return row(
        name, "down", "dns_name_absent", SERVER, bounds=at_most("low", *IN_DNS), most=most, most_blame=most
    )


def _page_of_others(name: str, reasons: str) -> Row:
    """The row of a page in clear that anybody can have written."""
    return row(
        name,
        "ok degraded unknown blocked",
        reasons,
        ("", "firewall_l7", "transparent_proxy"),
        bounds={**at_most("medium", *IN_DNS), **at_most("low", *SERVER)},
        ok_with_doubt=True,
    )


def _by_device(name: str, reasons: str) -> Row:
    return row(name, "blocked", reasons, ("firewall_l7",))


SOUND = (
    *_pair("success", ok),
    *_pair("large", ok),
    *_pair("dnsHijackProxy", ok),
    *_pair("redirectBroken", ok),
    *_pair("redirectLoop", ok),
    _both(ok("redirectFirstHop"), "https"),
    _both(ok("cloudflareHTTPS"), "https"),
    _both(ok("idnaLower"), "https", host="xn--bcher-kva.idnalower.example"),
    _both(ok("idnaUpper"), "https", host="Xn--bcher-kva.idnaupper.example"),
)

BAD_SSL = (
    _both(
        row(
            "badSSLUnknownAuthorityConsistent",
            FAILED,
            "tls_mitm_untrusted tls_untrusted_root",
            most_blame="high",
        ),
        "https",
    ),
    _both(row("badSSLExpired", "down", "tls_cert_expired", SERVER), "https"),
    _both(
        row("badSSLWrongName", FAILED, "tls_hostname_mismatch", SERVER, bounds=at_most("low", *IN_DNS)),
        "https",
        host=f"shop.{zone_of('successHTTPS')}",
    ),
    _two(
        "badSSLUnknownAuthorityInconsistent",
        "https",
        row("badSSLUnknownAuthorityInconsistent", FAILED, "tls_mitm_untrusted", most_blame="high"),
        row("badSSLUnknownAuthorityInconsistent", "degraded", "dns_unexpected_address", IN_DNS),
    ),
)

BOGON = "tcp_fqdn_rule_stale_ip tcp_ip_blocked_silent"
IN_DNS_ONLY = (
    _two(
        "dnsBlockingBOGON",
        "https",
        row("dnsBlockingBOGON", FAILED, "dns_bogon_answer", IN_DNS, never=BOGON),
        row("dnsBlockingBOGON", "degraded", "dns_bogon_answer", IN_DNS, never=BOGON),
    ),
    _two(
        "dnsBlockingNXDOMAIN",
        "https",
        row(
            "dnsBlockingNXDOMAIN",
            FAILED,
            "dns_name_absent dns_nxdomain_filtered",
            most="medium",
            most_blame="medium",
        ),
        row("dnsBlockingNXDOMAIN", "degraded", "dns_nxdomain_filtered", IN_DNS),
    ),
    _both(
        row("dnsBlockingNXDOMAINinjected", FAILED, "dns_nxdomain_filtered", ("dns_filter",)),
        "https",
    ),
    *_pair("dnsHijackLocalhost", _null_answer),
    *_pair("localhost", _null_from_everybody),
    _two(
        "tcpRefusedInconsistentDNS",
        "https",
        row(
            "tcpRefusedInconsistentDNS",
            FAILED,
            blames=(*SERVER, *IN_DNS),
            bounds=at_most("medium", *FIREWALLS, "local_host"),
        ),
        row(
            "tcpRefusedInconsistentDNS",
            BAD_OR_DEGRADED,
            "dns_unexpected_address",
            IN_DNS,
            never="tcp_some_ips_blocked",
        ),
    ),
    _two("downNXDOMAIN", "https", _absent("downNXDOMAIN", "medium"), _absent("downNXDOMAIN", "confirmed")),
    _two("downNoAddrs", "https", _absent("downNoAddrs", "medium"), _absent("downNoAddrs", "confirmed")),
)

GHOST_REASON = {"dns_nxdomain_filtered": "low"}
PAGES = (
    _both(_page_of_others("cloudflareHTTP", ""), "http"),
    _both(_page_of_others("httpDiffConsistent", "- http_block_page http_content_replaced"), "http"),
    _both(_page_of_others("httpDiffInconsistent", ""), "http"),
    _both(row("ghostDNSHTTP", NOT_OK, reason_bounds=GHOST_REASON, most_blame="high"), "http"),
    _both(
        row(
            "ghostDNSHTTPS",
            NOT_OK,
            blames=(*SERVER, *IN_DNS, "local_host", ""),
            reason_bounds=GHOST_REASON,
            bounds=at_most("low", "firewall_l3l4"),
        ),
        "https",
    ),
)

BY_DEVICE = (
    _both(_by_device("httpBlockingReset", "http_reset_after_request"), "http"),
    _both(_by_device("hop2EOFHTTP", "http_reset_after_request"), "http"),
    _both(_by_device("hop2EOFHTTPS", "tls_fin_after_hello tls_sni_reset"), "https"),
    _both(_by_device("hop2TimeoutHTTP", "http_no_answer"), "http"),
    _both(_by_device("hop2TimeoutHTTPS", "tls_sni_dropped"), "https"),
    _both(_by_device("tlsResetConsistent", "tls_sni_reset"), "https"),
    _both(
        row(
            "tlsResetInconsistent",
            "blocked",
            "tls_sni_reset dns_unexpected_address",
            ("firewall_l7", *IN_DNS),
        ),
        "https",
    ),
    _both(
        row("tcpConnectTimeout", "blocked", "tcp_port_blocked tcp_ip_blocked_silent", ("firewall_l3l4",)),
        "https",
    ),
    *_pair("hop2Refused", _refused),
    _both(_refused("downTCPConnect"), "https"),
    *_pair("throttling", _slow),
    _both(_too_slow("throttlingHTTPmin"), "http", least_bytes=MEBIBYTE),
    _both(_too_slow("throttlingHTTPSmin"), "https", least_bytes=MEBIBYTE),
)

SCENARIOS = (*SOUND, *BAD_SSL, *IN_DNS_ONLY, *PAGES, *BY_DEVICE)
