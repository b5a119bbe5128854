"""Two faults at once: one hides the other or invalidates its control, so confidence must be lower."""

from __future__ import annotations

from tests.net.programs import haproxy, unbound
from tests.net.scenario import Config, World, host, row, start_services
from tests.net.topology import BLACKHOLED, RESOLVER, SECOND_RESOLVER, Network
from tests.net.worlds.tls import MATCH_SNI

ANY_CLIENT_HELLO = "FORWARD -p tcp --dport 443 -m string --algo kmp --hex-string |160301|"


def sni_and_address(network: Network) -> Config:
    """Reset one SNI, and drop every ClientHello to its address."""
    network.firewall.iptables(f"{MATCH_SNI} cut.azure -j REJECT --reject-with tcp-reset")
    network.firewall.iptables(f"{ANY_CLIENT_HELLO} -d 203.0.113.20 -j DROP")
    return start_services(network, {"cut": "203.0.113.20"})


def sni_and_mtu(network: Network) -> Config:
    """Drop one SNI, and lose long responses of its server (path MTU)."""
    network.firewall.iptables(f"{MATCH_SNI} dropped.azure -j DROP")
    network.router.ip("rule", "add", "from", "203.0.113.20", "lookup", "100")
    network.router.ip("route", "add", "192.0.2.128/26", "via", "192.0.2.193", "mtu", "1300", "table", "100")
    network.router.rules("output", "icmp type destination-unreachable drop")
    return start_services(network, {"dropped": "203.0.113.20"})


def filter_and_silent_second_resolver(network: Network) -> Config:
    """Answer NXDOMAIN for a name, where the second resolver is unreachable."""
    server = (f'local-zone: "{host("filtered")}." always_nxdomain',)
    return start_services(network, {"filtered": ""}, server=server, resolvers=[RESOLVER, BLACKHOLED])


def filter_and_refusing_second_resolver(network: Network) -> Config:
    """Answer NXDOMAIN for a name, where the second resolver refuses every query."""
    unbound(network.server, server=("access-control: 192.0.2.128/26 refuse",), at=SECOND_RESOLVER)
    server = (f'local-zone: "{host("filtered")}." always_nxdomain',)
    return start_services(network, {"filtered": ""}, server=server, resolvers=[RESOLVER, SECOND_RESOLVER])


def drop_and_rate_limit(network: Network) -> Config:
    """Drop one address, and limit new connections to two a second."""
    limit = "limit rate over 2/second burst 2 packets drop"
    network.firewall.rules(
        "forward", "ip daddr 203.0.113.20 drop", f"tcp dport 443 tcp flags syn / syn,ack {limit}"
    )
    names = {f"name-{number}": f"203.0.113.{30 + number}" for number in range(16)}
    return start_services(network, {"silent": "203.0.113.20", **names})


def accept_all_and_drop(network: Network) -> Config:
    """Accept every connection at the firewall, and drop those to one server behind it."""
    haproxy(
        network.firewall,
        "frontend every\n  bind :9443 transparent\n  tcp-request inspect-delay 3s\n"
        "  tcp-request content accept if { req.ssl_hello_type 1 }\n"
        "  use_backend lost if { req.ssl_sni lost.azure.example }\n  default_backend far\n"
        "backend far\n  server far 203.0.113.10:443\nbackend lost\n  server lost 203.0.113.20:443\n",
        tcp=(9443,),
    )
    network.firewall.rules("prerouting -100", "tcp dport 443 redirect to :9443", family="ip", kind="nat")
    network.router.rules("forward", "ip daddr 203.0.113.20 drop")
    return start_services(network, {"lost": "203.0.113.20"})


def refused_name_and_all_blocked(network: Network) -> Config:
    """Refuse one name in DNS, and drop every connection."""
    network.firewall.rules("forward", "meta l4proto tcp th dport != 53 drop")
    server = (f'local-zone: "{host("refused")}." refuse',)
    return start_services(network, {"refused": "", "b": "203.0.113.20", "c": "203.0.113.21"}, server=server)


TWO_FAULT_WORLDS = (
    World(
        name="two_sni_and_address",
        build=sni_and_address,
        rows=(
            row(
                "tls_reset_after_hello_where_no_name_passes",
                "cut blocked tls_reset_after_hello firewall_l7 high..low",
                why="the control's name meets a fault of its own",
            ),
        ),
    ),
    World(
        name="two_sni_and_mtu",
        build=sni_and_mtu,
        rows=(
            row(
                "tls_stall_after_hello_where_responses_are_lost",
                "dropped blocked tls_stall_after_hello firewall_l7 high..low",
                why="ClientHellos with other names arrive, and their responses are lost",
            ),
        ),
    ),
    World(
        name="two_filter_and_silent_second_resolver",
        build=filter_and_silent_second_resolver,
        healthy=False,
        rows=(
            row(
                "dns_nxdomain_filtered_beside_a_silent_resolver",
                "filtered blocked dns_resolver_unreachable dns_resolver high",
                also="dns_nxdomain_filtered",
                finding="dns_resolver_unreachable",
                why="one resolver's silence is certain; the other's false answer is not",
            ),
            row(
                "dns_resolver_unreachable_for_what_still_works",
                "healthy degraded dns_resolver_unreachable dns_resolver high",
            ),
        ),
    ),
    World(
        name="two_filter_and_refusing_second_resolver",
        build=filter_and_refusing_second_resolver,
        healthy=False,
        rows=(
            row(
                "dns_nxdomain_filtered_beside_a_refusing_resolver",
                "filtered blocked dns_refused_client dns_resolver high",
                also="dns_nxdomain_filtered",
                finding="dns_refused_client",
            ),
        ),
    ),
    World(
        name="two_drop_and_rate_limit",
        build=drop_and_rate_limit,
        healthy=False,
        rows=(
            row(
                "tcp_ip_blocked_silent_under_a_rate_limit",
                "silent unknown tcp_rate_limited firewall_l3l4 low..high",
                also="tcp_ip_blocked_silent",
                finding="tcp_rate_limited",
                why="silence may come from the limit or from a rule, so no target is reported as blocked",
            ),
        ),
    ),
    World(
        name="two_accept_all_and_drop",
        build=accept_all_and_drop,
        rows=(
            row(
                "tls_stall_after_hello_where_everything_is_accepted",
                "lost blocked tls_stall_after_hello firewall_l7 low..medium",
                finding="tcp_accept_all",
            ),
        ),
    ),
    World(
        name="two_refused_name_and_all_blocked",
        build=refused_name_and_all_blocked,
        healthy=False,
        rows=(
            row(
                "dns_refused_name_where_nothing_gets_out",
                "refused blocked dns_refused_name dns_filter medium..high",
                finding="tcp_egress_all_blocked",
            ),
            row(
                "tcp_egress_all_blocked_beside_a_refused_name",
                "b blocked tcp_egress_all_blocked firewall_l3l4 medium..high",
            ),
        ),
    ),
)
