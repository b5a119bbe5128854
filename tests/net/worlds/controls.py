"""Faults that only a control probe shows: ClientHello sizes, SNI, hop counts, certificate chain URLs."""

from __future__ import annotations

from tests.net.programs import dnsmasq, haproxy, http_server, nginx
from tests.net.scenario import HEALTHY, HEALTHY_ADDRESS, Config, World, host, row, start_services
from tests.net.topology import RESOLVER, SECOND_RESOLVER, Network


def large_client_hello_dropped(network: Network) -> Config:
    """Drop ClientHellos longer than one packet."""
    network.firewall.iptables(
        "FORWARD -d 203.0.113.20 -p tcp --dport 443 -m length --length 700:65535 -j DROP"
    )
    return start_services(network, {"modern": "203.0.113.20"})


def large_client_hello_reset(network: Network) -> Config:
    """Reset ClientHellos longer than one packet."""
    long = "-p tcp --dport 443 -m length --length 700:65535"
    network.firewall.iptables(f"FORWARD -d 203.0.113.20 {long} -j REJECT --reject-with tcp-reset")
    return start_services(network, {"modern": "203.0.113.20"})


def small_mtu_outbound(network: Network) -> Config:
    """Send ClientHellos over a link with an MTU of 1300 bytes and no ICMP errors."""
    network.firewall.ip("route", "add", "203.0.113.20", "via", "192.0.2.194", "mtu", "1300")
    network.firewall.rules("output", "icmp type destination-unreachable drop")
    return start_services(network, {"narrow": "203.0.113.20"})


def reset_at_first_hop(network: Network) -> Config:
    """Reset SYNs at the firewall, one hop away, where the server is three."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 tcp dport 443 reject with tcp reset")
    return start_services(
        network,
        {"refused": "203.0.113.20", "refused:80": "203.0.113.20"},
        probe={"controls": {"ttl_sweep": True}},
    )


def no_sni_denied(network: Network) -> Config:
    """Reset ClientHellos without SNI, as some firewalls do."""
    haproxy(
        network.firewall,
        "frontend every\n  bind :9443\n  tcp-request inspect-delay 3s\n"
        "  tcp-request content reject if { req.ssl_hello_type 1 } !{ req.ssl_sni -m found }\n"
        "  tcp-request content accept if { req.ssl_hello_type 1 }\n  default_backend far\n"
        "backend far\n  server far 203.0.113.10:443\n",
        tcp=(9443,),
    )
    rule = "ip daddr 203.0.113.10 tcp dport 443 redirect to :9443"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")
    return start_services(network, {})


def late_sni_missed(network: Network) -> Config:
    """Look for the SNI in the first half of a packet only, and drop ClientHellos where it is not there."""
    late = "-m length --length 700:65535 -m string --algo kmp --to 700 ! --string healthy.azure"
    network.firewall.iptables(f"FORWARD -p tcp --dport 443 {late} -j DROP")
    return start_services(network, {})


def own_output_dropped(network: Network) -> Config:
    """Drop the host's own connections on output."""
    network.client.rules("output", "tcp dport { 80, 443 } drop")
    return start_services(network, {"b": "203.0.113.20", "c": "203.0.113.21"})


def issuer_port_dropped(network: Network) -> Config:
    """Drop port 80, and so the certificate chain's URLs."""
    network.firewall.rules("forward", "tcp dport 80 drop")
    return start_services(network, {})


def issuer_response_replaced(network: Network) -> Config:
    """Answer the certificate chain's URLs with a page."""
    page = "default_type text/html; return 200 '<html><title>Scanning</title>please wait</html>';"
    nginx(network.firewall, http_server(listen="9080", answer=page), tcp=(9080,))
    rule = "ip daddr 203.0.113.10 tcp dport 80 redirect to :9080"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")
    return start_services(network, {})


def stale_address_rule(network: Network) -> Config:
    """Drop one of a name's addresses, of which one resolver has another in its place; the TTL is a minute."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 drop")
    dnsmasq(
        network.server,
        f"address=/{HEALTHY}/{HEALTHY_ADDRESS}",
        f"host-record={host('moving')},203.0.113.20",
        f"host-record={host('moving')},203.0.113.22",
        "local-ttl=60",
        at=SECOND_RESOLVER,
    )
    moving = {"moving": "203.0.113.21 203.0.113.22"}
    return start_services(network, moving, resolvers=[SECOND_RESOLVER, RESOLVER])


CONTROL_WORLDS = (
    World(
        name="tcp_stale_address_rule",
        build=stale_address_rule,
        rows=(
            row(
                "tcp_fqdn_rule_stale_ip_by_drop",
                "moving degraded tcp_some_ips_blocked firewall_l3l4 medium",
                also="tcp_fqdn_rule_stale_ip",
            ),
        ),
    ),
    World(
        name="local_proxy_not_configured",
        build=own_output_dropped,
        healthy=False,
        environment={"HTTPS_PROXY": "http://192.0.2.129:3128"},
        rows=(
            row(
                "local_proxy_config_mismatch_by_environment",
                "healthy blocked tcp_egress_all_blocked firewall_l3l4 low..high",
                also="local_proxy_config_mismatch",
                finding="tcp_egress_all_blocked",
            ),
        ),
    ),
    World(
        name="tls_large_client_hello_dropped",
        build=large_client_hello_dropped,
        rows=(
            row(
                "tls_large_hello_intolerant_by_length_drop",
                "modern degraded tls_large_hello_intolerant firewall_l7 low",
            ),
        ),
    ),
    World(
        name="tls_large_client_hello_reset",
        build=large_client_hello_reset,
        rows=(
            row(
                "tls_large_hello_intolerant_by_length_reset",
                "modern degraded tls_large_hello_intolerant firewall_l7 low",
            ),
        ),
    ),
    World(
        name="tls_small_mtu_outbound",
        build=small_mtu_outbound,
        rows=(
            row(
                "tls_pmtu_blackhole_outbound_without_icmp",
                "narrow degraded tls_pmtu_blackhole_outbound path_mtu_link high",
            ),
        ),
    ),
    World(
        name="tcp_reset_at_first_hop",
        build=reset_at_first_hop,
        rows=(
            row(
                "tcp_refused_by_middlebox_one_hop_away",
                "refused blocked tcp_refused_by_middlebox firewall_l3l4 high",
            ),
        ),
    ),
    World(
        name="tls_no_sni_denied",
        build=no_sni_denied,
        rows=(row("tls_no_sni_denied_by_haproxy", "healthy ok - - -", also="tls_no_sni_denied"),),
    ),
    World(
        name="tls_late_sni_missed",
        build=late_sni_missed,
        healthy=False,
        rows=(
            row(
                "tls_sni_position_intolerant_by_string_rule",
                "healthy degraded tls_sni_position_intolerant firewall_l7 low..medium",
            ),
        ),
    ),
    World(
        name="local_output_dropped",
        build=own_output_dropped,
        healthy=False,
        rows=(
            row(
                "local_firewall_drop_tcp_is_possible",
                "healthy blocked tcp_egress_all_blocked firewall_l3l4 low..high",
                also="local_firewall_drop_tcp",
                finding="tcp_egress_all_blocked",
                why="a drop by a rule of this host looks like a drop on the path",
            ),
        ),
    ),
    World(
        name="pki_dropped",
        build=issuer_port_dropped,
        rows=(row("pki_revocation_unreachable_for_the_chain", finding="pki_revocation_unreachable"),),
    ),
    World(
        name="pki_replaced",
        build=issuer_response_replaced,
        rows=(row("pki_revocation_tampered_by_redirect", finding="pki_revocation_tampered"),),
    ),
)
