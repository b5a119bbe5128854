"""Two faults at once: one hides the other or spoils its control, so egressd may not be as sure as of one."""

from __future__ import annotations

from tests.net.programs import haproxy, unbound
from tests.net.scenario import Built, World, host, row, town
from tests.net.topology import NOWHERE, RESOLVER, SECOND_RESOLVER, Network
from tests.net.worlds.greeting import STRING

ANY_HELLO = "FORWARD -p tcp --dport 443 -m string --algo bm --hex-string |160301|"


def name_and_address(network: Network) -> Built:
    """Reset one name, and let no hello at all through to its address."""
    network.firewall.iptables(f"{STRING} cut.azure -j REJECT --reject-with tcp-reset")
    network.firewall.iptables(f"{ANY_HELLO} -d 203.0.113.20 -j DROP")
    return town(network, {"cut": "203.0.113.20"})


def name_and_link(network: Network) -> Built:
    """Drop one name, whose server's answers would be too long for the way back."""
    network.firewall.iptables(f"{STRING} dropped.azure -j DROP")
    network.router.ip("rule", "add", "from", "203.0.113.20", "lookup", "100")
    network.router.ip("route", "add", "192.0.2.128/26", "via", "192.0.2.193", "mtu", "1300", "table", "100")
    network.router.rules("output", "icmp type destination-unreachable drop")
    return town(network, {"dropped": "203.0.113.20"})


def filter_and_silent_witness(network: Network) -> Built:
    """Deny that a name exists, where the resolver that could tell is not to be reached."""
    server = (f'local-zone: "{host("filtered")}." always_nxdomain',)
    return town(network, {"filtered": ""}, server=server, resolvers=[RESOLVER, NOWHERE])


def filter_and_refusing_witness(network: Network) -> Built:
    """Deny that a name exists, where the resolver that could tell refuses everything."""
    unbound(network.server, server=("access-control: 192.0.2.128/26 refuse",), at=SECOND_RESOLVER)
    server = (f'local-zone: "{host("filtered")}." always_nxdomain',)
    return town(network, {"filtered": ""}, server=server, resolvers=[RESOLVER, SECOND_RESOLVER])


def drop_and_limit(network: Network) -> Built:
    """Forbid an address, where only two new connections a second get through."""
    limit = "limit rate over 2/second burst 2 packets drop"
    network.firewall.rules(
        "forward", "ip daddr 203.0.113.20 drop", f"tcp dport 443 tcp flags syn / syn,ack {limit}"
    )
    names = {f"name-{number}": f"203.0.113.{30 + number}" for number in range(16)}
    return town(network, {"silent": "203.0.113.20", **names})


def accepted_and_dropped(network: Network) -> Built:
    """Accept every connection at the firewall; behind it, lose one server."""
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
    return town(network, {"lost": "203.0.113.20"})


def refused_name_and_no_way(network: Network) -> Built:
    """Refuse one name in DNS, and drop every connection."""
    network.firewall.rules("forward", "meta l4proto tcp th dport != 53 drop")
    server = (f'local-zone: "{host("refused")}." refuse',)
    return town(network, {"refused": "", "b": "203.0.113.20", "c": "203.0.113.21"}, server=server)


SABOTAGED = (
    World(
        name="two_name_and_address",
        build=name_and_address,
        rows=(
            row(
                "tls_sni_reset_where_no_other_name_passes_either",
                "cut blocked tls_sni_reset firewall_l7 inconclusive..inconclusive",
                why="the name that should show the difference meets a fault of its own",
            ),
        ),
    ),
    World(
        name="two_name_and_link",
        build=name_and_link,
        rows=(
            row(
                "tls_sni_dropped_where_answers_are_lost",
                "dropped blocked tls_sni_dropped firewall_l7 inconclusive..inconclusive",
                why="other names arrive there, and their answers do not come back",
            ),
        ),
    ),
    World(
        name="two_filter_and_silent_witness",
        build=filter_and_silent_witness,
        healthy=False,
        rows=(
            row(
                "dns_nxdomain_filtered_beside_a_silent_resolver",
                "filtered blocked dns_resolver_unreachable dns_resolver high",
                also="dns_nxdomain_filtered",
                finding="dns_resolver_unreachable",
                why="that one resolver is silent is sure; that the other lies is not",
            ),
            row(
                "dns_resolver_unreachable_for_what_still_works",
                "healthy degraded dns_resolver_unreachable dns_resolver high",
            ),
        ),
    ),
    World(
        name="two_filter_and_refusing_witness",
        build=filter_and_refusing_witness,
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
        name="two_drop_and_limit",
        build=drop_and_limit,
        healthy=False,
        rows=(
            row(
                "tcp_ip_blocked_silent_under_a_rate_limit",
                "silent unknown tcp_rate_limited firewall_l3l4 low..high",
                also="tcp_ip_blocked_silent",
                finding="tcp_rate_limited",
                why="silence may be the limit's or a rule's: nobody is told that it is blocked",
            ),
        ),
    ),
    World(
        name="two_accepted_and_dropped",
        build=accepted_and_dropped,
        rows=(
            row(
                "tls_stall_after_hello_where_everything_is_accepted",
                "lost blocked tls_stall_after_hello firewall_l7 low..medium",
                finding="tcp_accept_all",
            ),
        ),
    ),
    World(
        name="two_refused_name_and_no_way",
        build=refused_name_and_no_way,
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
