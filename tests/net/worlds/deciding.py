"""Faults that only a control can tell: hellos of other sizes, hops, names left out, servers of the chain."""

from __future__ import annotations

from tests.net.programs import dnsmasq, haproxy, nginx, plain
from tests.net.scenario import HEALTHY, HEALTHY_ADDRESS, Built, World, host, row, town
from tests.net.topology import RESOLVER, SECOND_RESOLVER, Network


def large_hello_dropped(network: Network) -> Built:
    """Drop what is too long for a device that reads one packet of a hello."""
    network.firewall.iptables(
        "FORWARD -d 203.0.113.20 -p tcp --dport 443 -m length --length 700:65535 -j DROP"
    )
    return town(network, {"modern": "203.0.113.20"})


def large_hello_reset(network: Network) -> Built:
    """Reset what is too long for it, as other devices do."""
    long = "-p tcp --dport 443 -m length --length 700:65535"
    network.firewall.iptables(f"FORWARD -d 203.0.113.20 {long} -j REJECT --reject-with tcp-reset")
    return town(network, {"modern": "203.0.113.20"})


def small_link_out(network: Network) -> Built:
    """Send hellos over a link of 1300 bytes whose router may not say so."""
    network.firewall.ip("route", "add", "203.0.113.20", "via", "192.0.2.194", "mtu", "1300")
    network.firewall.rules("output", "icmp type destination-unreachable drop")
    return town(network, {"narrow": "203.0.113.20"})


def refused_on_the_way(network: Network) -> Built:
    """Reset SYNs at the firewall, one hop away, where the server is three."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 tcp dport 443 reject with tcp reset")
    return town(
        network,
        {"refused": "203.0.113.20", "refused:80": "203.0.113.20"},
        probe={"controls": {"ttl_sweep": True}},
    )


def nameless_denied(network: Network) -> Built:
    """Let only hellos with a name through, as some firewalls do."""
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
    return town(network, {})


def late_name_missed(network: Network) -> Built:
    """Look for the name in the first half of a packet only, and drop hellos without one."""
    late = "-m length --length 700:65535 -m string --algo bm --to 700 ! --string healthy.azure"
    network.firewall.iptables(f"FORWARD -p tcp --dport 443 {late} -j DROP")
    return town(network, {})


def own_output_dropped(network: Network) -> Built:
    """Drop this host's own connections before they leave."""
    network.client.rules("output", "tcp dport { 80, 443 } drop")
    return town(network, {"b": "203.0.113.20", "c": "203.0.113.21"})


def issuer_dropped(network: Network) -> Built:
    """Forget port 80 of the servers that the chains name."""
    network.firewall.rules("forward", "tcp dport 80 drop")
    return town(network, {})


def issuer_replaced(network: Network) -> Built:
    """Answer for the servers that the chains name with a page."""
    page = "default_type text/html; return 200 '<html><title>Scanning</title>please wait</html>';"
    nginx(network.firewall, plain(listen="9080", answer=page), tcp=(9080,))
    rule = "ip daddr 203.0.113.10 tcp dport 80 redirect to :9080"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")
    return town(network, {})


def addresses_forgotten(network: Network) -> Built:
    """Let a rule hold one of two addresses that change by the minute."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 drop")
    dnsmasq(
        network.server,
        f"address=/{HEALTHY}/{HEALTHY_ADDRESS}",
        f"address=/{host('moving')}/203.0.113.20",
        "local-ttl=60",
        at=SECOND_RESOLVER,
    )
    return town(network, {"moving": "203.0.113.21"}, resolvers=[SECOND_RESOLVER, RESOLVER])


DECIDING = (
    World(
        name="tcp_addresses_forgotten",
        build=addresses_forgotten,
        rows=(
            row(
                "tcp_fqdn_rule_stale_ip_by_drop",
                "moving degraded tcp_some_ips_blocked firewall_l3l4 medium",
                also="tcp_fqdn_rule_stale_ip",
            ),
        ),
    ),
    World(
        name="local_proxy_untold",
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
        name="tls_large_hello_dropped",
        build=large_hello_dropped,
        rows=(
            row(
                "tls_large_hello_intolerant_by_length_drop",
                "modern degraded tls_large_hello_intolerant firewall_l7 low",
            ),
        ),
    ),
    World(
        name="tls_large_hello_reset",
        build=large_hello_reset,
        rows=(
            row(
                "tls_large_hello_intolerant_by_length_reset",
                "modern degraded tls_large_hello_intolerant firewall_l7 low",
            ),
        ),
    ),
    World(
        name="tls_small_link_out",
        build=small_link_out,
        rows=(
            row(
                "tls_pmtu_blackhole_outbound_without_icmp",
                "narrow degraded tls_pmtu_blackhole_outbound path_mtu_link high",
            ),
        ),
    ),
    World(
        name="tcp_refused_on_the_way",
        build=refused_on_the_way,
        rows=(
            row(
                "tcp_refused_by_middlebox_one_hop_away",
                "refused blocked tcp_refused_by_middlebox firewall_l3l4 high",
            ),
        ),
    ),
    World(
        name="tls_nameless_denied",
        build=nameless_denied,
        rows=(row("tls_no_sni_denied_by_haproxy", "healthy ok - - -", also="tls_no_sni_denied"),),
    ),
    World(
        name="tls_late_name_missed",
        build=late_name_missed,
        healthy=False,
        rows=(
            row(
                "tls_sni_position_intolerant_by_string_rule",
                "healthy degraded tls_sni_position_intolerant tls_inspection low..medium",
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
                why="a rule of this host drops as silently as one far away",
            ),
        ),
    ),
    World(
        name="pki_dropped",
        build=issuer_dropped,
        rows=(row("pki_revocation_unreachable_for_the_chain", finding="pki_revocation_unreachable"),),
    ),
    World(
        name="pki_replaced",
        build=issuer_replaced,
        rows=(row("pki_revocation_tampered_by_redirect", finding="pki_revocation_tampered"),),
    ),
)
