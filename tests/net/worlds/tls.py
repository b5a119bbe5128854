"""TLS faults: SNI filtering, dropped ClientHellos, server certificates, and TLS inspection."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.net import fixed_response_server
from tests.net.programs import (
    haproxy,
    http_server,
    https_server,
    inspection_ca,
    nginx,
    pki_folder,
    squid,
)
from tests.net.run_egressd import endpoint
from tests.net.scenario import HEALTHY, PORTAL, PORTAL_RECORD, Config, World, host, row, start_services
from tests.net.topology import PUBLIC_NETWORKS, Network

MATCH_SNI = "FORWARD -p tcp --dport 443 -m string --algo kmp --string"
PAGE_IN_CLEAR = b"HTTP/1.1 403 Forbidden\r\n\r\n<html><title>Web Page Blocked!</title>Powered By FortiGuard"
OTHER_OWNER = "portal.elsewhere.example"
"""A name of another owner: what signs for both is no server's own authority."""
OTHER_RECORD = (
    'local-zone: "elsewhere.example." static',
    f"local-data: '{OTHER_OWNER}. 300 IN A 203.0.113.27'",
)
BLOCK_PAGE = "return 403 '<html><title>Web Page Blocked!</title><body>Powered By FortiGuard</body></html>';"


def https_server_at(network: Network, address: str, *, certificate: str = "good", options: str = "") -> str:
    """Return an nginx block for a TLS server at one address only."""
    block = https_server(
        listen=f"{address}:443", certificate=certificate, folder=pki_folder(network), options=options
    )
    return block.replace("listen [::]:443 ssl http2;", "")


def sni_filtered(network: Network) -> Config:
    """Drop or reset ClientHellos by SNI."""
    network.firewall.iptables(f"{MATCH_SNI} dropped.azure -j DROP")
    network.firewall.iptables(f"{MATCH_SNI} cut.azure -j REJECT --reject-with tcp-reset")
    network.firewall.iptables(f"{MATCH_SNI} here.azure -j DROP")
    return start_services(network, {"dropped": "203.0.113.20", "cut": "203.0.113.21", "here": "203.0.113.10"})


def sni_read_by_proxy(network: Network) -> Config:
    """Filter SNI in a transparent proxy, which closes the connection or stops answering."""
    haproxy(
        network.firewall,
        "frontend every\n  bind :9443\n  tcp-request inspect-delay 3s\n"
        "  tcp-request content reject if { req.ssl_sni fin.azure.example }\n"
        "  tcp-request content silent-drop if { req.ssl_sni stalled.azure.example }\n"
        "  tcp-request content accept if { req.ssl_hello_type 1 }\n  default_backend far\n"
        "backend far\n  server far 203.0.113.10:443\n",
        tcp=(9443,),
    )
    network.firewall.rules(
        "prerouting -100", "ip daddr 203.0.113.30 tcp dport 443 redirect to :9443", family="ip", kind="nat"
    )
    return start_services(
        network,
        {"fin": "203.0.113.30", "stalled": "203.0.113.30", "passed": "203.0.113.30"},
        probe={"tls_timeout": "3s", "deadline": "10s"},
    )


def every_client_hello_dropped(network: Network) -> Config:
    """Let connections through and drop every ClientHello."""
    network.firewall.iptables("FORWARD -p tcp --dport 443 -m string --algo kmp --hex-string |160301| -j DROP")
    return start_services(network, {"b": "203.0.113.20", "c": "203.0.113.21"})


def small_mtu_inbound(network: Network) -> Config:
    """Send one server's responses over a link with an MTU of 1300 bytes and no ICMP errors."""
    network.router.ip("rule", "add", "from", "203.0.113.20", "lookup", "100")
    network.router.ip("route", "add", "192.0.2.128/26", "via", "192.0.2.193", "mtu", "1300", "table", "100")
    network.router.rules("output", "icmp type destination-unreachable drop")
    return start_services(network, {"narrow": "203.0.113.20"})


def server_faults(network: Network) -> Config:
    """Answer ClientHellos with alerts, faulty certificates, or plain HTTP."""
    sites = (
        https_server_at(network, "203.0.113.20", options="ssl_reject_handshake on;"),
        https_server_at(
            network, "203.0.113.21", options="ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"
        ),
        https_server_at(
            network,
            "203.0.113.22",
            options="ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CAMELLIA256-SHA384;",
        ),
        https_server_at(network, "203.0.113.23", certificate="expired"),
        https_server_at(network, "203.0.113.24", certificate="self-signed"),
        https_server_at(network, "203.0.113.25", certificate="other-name"),
        https_server_at(network, "203.0.113.26", certificate="leaf-only"),
    )
    nginx(network.firewall, http_server(listen="9080", answer=BLOCK_PAGE), tcp=(9080,))
    network.firewall.start(
        sys.executable, str(Path(fixed_response_server.__file__)), f"9081={PAGE_IN_CLEAR.hex()}", tcp=(9081,)
    )
    network.firewall.rules(
        "prerouting -100",
        "ip daddr 203.0.113.30 tcp dport 443 redirect to :9080",
        "ip daddr 203.0.113.31 tcp dport 443 redirect to :9081",
        family="ip",
        kind="nat",
    )
    labels = ("strict", "old", "camellia", "expired", "device", "other", "leaf-only")
    addresses = {label: f"203.0.113.{20 + number}" for number, label in enumerate(labels)}
    clear = {"no-tls": "203.0.113.30", "in-clear": "203.0.113.31"}
    return start_services(network, addresses | clear, sites=sites)


def inspected(network: Network, *, store: str = "public.pem", options: str = "") -> Config:
    """Redirect ports 443 and 80 to a squid that bumps, splices, terminates and denies by name."""
    ca = inspection_ca(network)
    folder = pki_folder(network)
    sites = (
        https_server_at(network, "203.0.113.25", certificate="inspected"),
        https_server_at(network, "203.0.113.27", certificate="other-name"),
    )
    spliced = " ".join((HEALTHY, host("spliced")))
    built = start_services(
        network,
        {
            "spliced": "203.0.113.20",
            "bumped": "203.0.113.21",
            "cut": "203.0.113.22",
            "denied": "203.0.113.23",
            "badly-signed": "203.0.113.25",
            "seen:80": "203.0.113.20",
            "denied:80": "203.0.113.23",
            "portal:80": "203.0.113.24",
        },
        sites=sites,
        server=(*PORTAL_RECORD, *OTHER_RECORD),
        trust={
            "store": str(folder / store),
            "public_roots": str(folder / "public.pem"),
            "public_networks": list(PUBLIC_NETWORKS),
        },
    )
    built["endpoints"].append(endpoint(OTHER_OWNER))
    squid(
        network.firewall,
        "http_port 3128\nhttp_port 3129 intercept\n"
        f"https_port 3130 intercept ssl-bump tls-cert={ca} generate-host-certificates=on {options}\n"
        f"tls_outgoing_options cafile={folder}/public.pem\nsslproxy_cert_error allow all\n"
        f"acl spliced ssl::server_name {spliced}\nacl cut ssl::server_name {host('cut')}\n"
        f"acl denied dstdomain {host('denied')}\nacl portal dstdomain {host('portal')}\n"
        f"deny_info 302:http://{PORTAL}/hello portal\n"
        "acl first at_step SslBump1\nssl_bump peek first\nssl_bump terminate cut\n"
        "ssl_bump splice spliced\nssl_bump bump all\n"
        "http_access deny denied\nhttp_access deny portal\nhttp_access allow all\n"
        "host_verify_strict off",
        tcp=(3128, 3129, 3130),
    )
    network.firewall.rules(
        "prerouting -100",
        "ip daddr 203.0.113.0/24 tcp dport 443 redirect to :3130",
        "ip daddr 203.0.113.0/24 tcp dport 80 redirect to :3129",
        family="ip",
        kind="nat",
    )
    return built


def inspected_and_trusted(network: Network) -> Config:
    """Inspect with a root that the operator trusts, and without TLS 1.3."""
    return inspected(network, store="trusted.pem", options="options=NO_TLSv1_3")


def suffix_filtered(network: Network) -> Config:
    """Reset the ClientHellos of names under one suffix."""
    network.firewall.iptables(f"{MATCH_SNI} .dp.azure -j REJECT --reject-with tcp-reset")
    labels = ("one.dp", "two.dp", "three.dp")
    built = start_services(network, dict.fromkeys(labels, "203.0.113.20"))
    samples = [host(label) for label in labels]
    pattern = {**endpoint(samples[0]), "pattern": host("*.dp"), "samples": samples}
    del pattern["host"]
    return {**built, "endpoints": [endpoint(HEALTHY), pattern]}


TLS_WORLDS = (
    World(
        name="tls_sni_filtered",
        build=sni_filtered,
        rows=(
            row("tls_sni_dropped_by_string_rule", "dropped blocked tls_sni_dropped firewall_l7 high"),
            row("tls_sni_reset_by_string_rule", "cut blocked tls_sni_reset firewall_l7 high"),
            row("tls_sni_dropped_at_a_shared_address", "here blocked tls_sni_dropped firewall_l7 high"),
        ),
    ),
    World(
        name="tls_sni_read_by_proxy",
        build=sni_read_by_proxy,
        rows=(
            row(
                "tls_fin_after_hello_by_haproxy_reject",
                "fin blocked tls_fin_after_hello firewall_l7 high..high",
            ),
            row(
                "tls_stall_after_hello_by_haproxy_silent_drop",
                "stalled blocked tls_stall_after_hello firewall_l7 medium",
            ),
            row("ok_through_the_same_proxy", "passed ok - - -"),
        ),
    ),
    World(
        name="tls_every_client_hello_dropped",
        build=every_client_hello_dropped,
        healthy=False,
        rows=(
            row(
                "tls_all_hellos_dropped_by_string_rule",
                "healthy blocked tls_all_hellos_dropped firewall_l7 medium",
                finding="tls_all_hellos_dropped",
            ),
        ),
    ),
    World(
        name="tls_small_mtu_inbound",
        build=small_mtu_inbound,
        rows=(
            row(
                "tls_pmtu_blackhole_inbound_without_icmp",
                "narrow blocked tls_pmtu_blackhole_inbound path_mtu_link high",
            ),
        ),
    ),
    World(
        name="tls_server_faults",
        build=server_faults,
        rows=(
            row(
                "tls_alert_unrecognized_name_by_nginx",
                "strict blocked tls_alert_unrecognized_name azure_service high..medium",
            ),
            row(
                "tls_alert_protocol_version_by_nginx",
                "old blocked tls_alert_protocol_version azure_service high..medium",
            ),
            row(
                "tls_alert_handshake_failure_by_nginx",
                "camellia blocked tls_alert_handshake_failure azure_service high..medium",
            ),
            row("tls_cert_expired_by_nginx", "expired down tls_cert_expired azure_service high"),
            row("tls_self_signed_by_nginx", "device blocked tls_self_signed azure_service high"),
            row("tls_hostname_mismatch_by_nginx", "other blocked tls_hostname_mismatch azure_service low"),
            row("tls_incomplete_chain_by_nginx", "leaf-only down tls_incomplete_chain azure_service medium"),
            row(
                "tls_plaintext_block_page_by_redirect",
                "in-clear blocked tls_plaintext_block_page firewall_l7 medium..medium",
            ),
            row(
                "tls_not_tls_by_redirect_to_nginx",
                "no-tls blocked tls_not_tls azure_service high..low",
                why="a web server in clear answers a ClientHello with 400, whatever else it denies",
            ),
        ),
    ),
    World(
        name="tls_inspected",
        build=inspected,
        rows=(
            row(
                "tls_mitm_untrusted_by_squid_bump",
                "bumped blocked tls_mitm_untrusted tls_inspection high",
                also="tls_mitm_partial",
                finding="site_inspection_exemption_incomplete",
            ),
            row(
                "tls_mitm_untrusted_of_another_owner",
                f"{OTHER_OWNER} blocked tls_mitm_untrusted tls_inspection high",
            ),
            row("ok_by_squid_splice", "spliced ok - - -"),
            row(
                "tls_fin_after_hello_by_squid_terminate",
                "cut blocked tls_fin_after_hello firewall_l7 medium..high",
            ),
            row(
                "tls_mitm_block_page_by_squid_deny",
                "denied blocked tls_mitm_block_page firewall_l7 confirmed",
            ),
            row(
                "tls_mitm_origin_untrusted_by_squid",
                "badly-signed blocked tls_mitm_origin_untrusted - medium",
            ),
            row(
                "http_transparent_proxy_present_by_squid_intercept",
                "seen:80 ok - - -",
                also="http_transparent_proxy_present",
            ),
            row(
                "http_block_page_by_squid_intercept",
                "denied:80 blocked http_block_page firewall_l7 confirmed",
            ),
            row(
                "http_captive_portal_by_squid_deny_info",
                "portal:80 blocked http_captive_portal transparent_proxy medium",
            ),
        ),
    ),
    World(
        name="tls_inspected_and_trusted",
        build=inspected_and_trusted,
        rows=(
            row(
                "tls_mitm_trusted_by_squid_bump",
                "bumped degraded tls_mitm_trusted tls_inspection high",
                also="tls_alpn_stripped",
            ),
            row(
                "tls_mitm_trusted_of_another_owner",
                f"{OTHER_OWNER} degraded tls_mitm_trusted tls_inspection high",
            ),
            row(
                "tls_version_downgraded_by_squid_bump",
                "bumped degraded tls_mitm_trusted - confirmed",
                also="tls_version_downgraded",
            ),
            row(
                "site_inspection_exemption_incomplete_under_a_trusted_root",
                finding="site_inspection_exemption_incomplete",
            ),
            row("ok_by_squid_splice_under_a_trusted_root", "spliced ok - - -"),
            row(
                "tls_fin_after_hello_by_squid_terminate_under_a_trusted_root",
                "cut blocked tls_fin_after_hello firewall_l7 medium..high",
            ),
            row(
                "http_block_page_in_a_trusted_session",
                "denied blocked http_block_page firewall_l7 confirmed",
                also="tls_mitm_trusted",
            ),
            row(
                "tls_mitm_origin_untrusted_under_a_trusted_root",
                "badly-signed blocked tls_mitm_origin_untrusted - medium",
            ),
            row(
                "http_block_page_in_clear_beside_it",
                "denied:80 blocked http_block_page firewall_l7 confirmed",
            ),
            row(
                "http_captive_portal_beside_trusted_inspection",
                "portal:80 blocked http_captive_portal transparent_proxy medium",
            ),
        ),
    ),
    World(
        name="tls_suffix_filtered",
        build=suffix_filtered,
        rows=(
            row(
                "site_suffix_rule_missing_by_string_rule",
                "one.dp blocked tls_sni_reset firewall_l7 high",
                finding="site_suffix_rule_missing",
                says="*.dp.azure.example",
            ),
        ),
    ),
)
