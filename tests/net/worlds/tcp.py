"""TCP, NAT and NTP faults: packets dropped, rejected, answered by a middlebox, lost or in a routing loop."""

from __future__ import annotations

import sys

from tests.net.programs import haproxy
from tests.net.scenario import HEALTHY, Config, World, row, start_services
from tests.net.topology import ABSENT_HOST, BLACKHOLED, FIREWALL_OUTSIDE, Network

REJECTS = {
    "port-unreachable": "reject with icmp type port-unreachable",
    "admin-prohibited": "reject with icmp type admin-prohibited",
    "host-prohibited": "reject with icmp type host-prohibited",
    "net-prohibited": "reject with icmp type net-prohibited",
    "net-unreachable": "reject with icmp type net-unreachable",
    "reset": "reject with tcp reset",
    "silent": "drop",
}
DATA = "tcp flags & psh == psh"
HOLD_THREE_PORTS = """
import socket, time
held = [socket.create_connection(("203.0.113.40", 443)) for _ in range(3)]
ready = socket.create_server(("127.0.0.1", 9))
time.sleep(600)
"""


def rejected(network: Network) -> Config:
    """Reject or drop connections to single addresses at the firewall."""
    addresses = {label: f"203.0.113.{20 + number}" for number, label in enumerate(REJECTS)}
    rules = [f"ip daddr {addresses[label]} meta l4proto tcp {rule}" for label, rule in REJECTS.items()]
    rules.append("ip daddr 203.0.113.41 tcp dport 443 drop")
    network.firewall.rules("forward", *rules)
    network.server.rules("input", "ip daddr 203.0.113.42 tcp dport 443 reject with tcp reset")
    addresses |= {"absent-host": ABSENT_HOST, "one-port": "203.0.113.41", "closed": "203.0.113.42"}
    addresses |= {"one-port:80": "203.0.113.41", "half": f"203.0.113.50 {addresses['silent']}"}
    return start_services(network, addresses, probe={"connect_timeout": "4s", "deadline": "8s"})


def rejected6(network: Network) -> Config:
    """Reject connections to single IPv6 addresses at the firewall."""
    codes = ("admin-prohibited", "port-unreachable", "no-route", "addr-unreachable")
    addresses = {f"six-{code}": f"2001:db8:113::{20 + number}" for number, code in enumerate(codes)}
    network.firewall.rules(
        "forward",
        *(
            f"ip6 daddr {address} meta l4proto tcp reject with icmpv6 type {label.removeprefix('six-')}"
            for label, address in addresses.items()
        ),
    )
    return start_services(network, addresses, probe={"families": ["ipv4", "ipv6"]})


def everything_dropped(network: Network) -> Config:
    """Drop everything but DNS."""
    network.firewall.rules("forward", "meta l4proto tcp th dport != 53 drop")
    return start_services(network, {"b": "203.0.113.20", "c": "203.0.113.21"})


def port_80_dropped(network: Network) -> Config:
    """Drop port 80."""
    network.firewall.rules("forward", "tcp dport 80 drop")
    return start_services(
        network, {f"{label}:80": f"203.0.113.{20 + n}" for n, label in enumerate(("pki", "b", "c"))}
    )


def family_dropped(network: Network, protocol: str) -> Config:
    """Drop the connections of one address family."""
    network.firewall.rules("forward", f"meta nfproto {protocol} tcp dport 443 drop")
    both = {"both": "203.0.113.20 2001:db8:113::20"}
    return start_services(network, both, probe={"families": ["ipv4", "ipv6"]})


def ipv6_dropped(network: Network) -> Config:
    """Drop IPv6 connections."""
    return family_dropped(network, "ipv6")


def ipv4_dropped(network: Network) -> Config:
    """Drop IPv4 connections."""
    return family_dropped(network, "ipv4")


def routing_loop(network: Network) -> Config:
    """Make a routing loop between router and firewall for one address."""
    network.router.ip("route", "add", "203.0.113.20", "via", FIREWALL_OUTSIDE)
    return start_services(network, {"looping": "203.0.113.20"})


def accept_all(network: Network) -> Config:
    """Accept every connection at the firewall, which then filters by SNI, as Azure Firewall does."""
    haproxy(
        network.firewall,
        "frontend every\n  bind :9443 transparent\n  tcp-request inspect-delay 3s\n"
        "  tcp-request content accept if { req.ssl_sni healthy.azure.example }\n"
        "  tcp-request content reject if { req.ssl_hello_type 1 }\n  default_backend far\n"
        "backend far\n  server far 203.0.113.10:443\n",
        tcp=(9443,),
    )
    network.firewall.rules("prerouting -100", "tcp dport 443 redirect to :9443", family="ip", kind="nat")
    return start_services(network, {"denied": "203.0.113.20"})


def accept_all_on_one_port(network: Network) -> Config:
    """Accept every connection to one port at the firewall; nobody has the address that is asked for."""
    haproxy(
        network.firewall,
        "frontend every\n  bind :9443 transparent\n  tcp-request content reject\n",
        tcp=(9443,),
    )
    network.firewall.rules("prerouting -100", "tcp dport 8443 redirect to :9443", family="ip", kind="nat")
    built = start_services(network, {"nobody:8443": BLACKHOLED, "somebody": "203.0.113.20"})
    for one in built["endpoints"]:
        if one["host"] != HEALTHY:
            one["protocol"] = "tcp"
    return built


def one_address_broken(network: Network) -> Config:
    """Take connections to one address of three, and answer what follows with a RST."""
    network.firewall.rules("forward", f"ip daddr 203.0.113.21 tcp dport 443 {DATA} reject with tcp reset")
    return start_services(network, {"some": "203.0.113.20 203.0.113.21 203.0.113.22"})


def family_broken(network: Network) -> Config:
    """Take connections to two names over one family each, and drop what follows."""
    network.firewall.rules(
        "forward",
        f"ip6 daddr 2001:db8:113::30 tcp dport 443 {DATA} drop",
        f"ip daddr 203.0.113.31 tcp dport 443 {DATA} drop",
    )
    return start_services(
        network,
        {"six": "203.0.113.30 2001:db8:113::30", "four": "203.0.113.31 2001:db8:113::31"},
        probe={"families": ["ipv4", "ipv6"]},
    )


def first_hello_reset(network: Network) -> Config:
    """Answer the first ClientHello to one address with a RST, and refuse the first SYN to another."""
    network.firewall.rules(
        "forward",
        f"ip daddr 203.0.113.20 tcp dport 443 {DATA} quota until 700 bytes reject with tcp reset",
        "ip daddr 203.0.113.21 tcp dport 443 tcp flags syn quota until 70 bytes reject with tcp reset",
    )
    return start_services(network, {"reset-once": "203.0.113.20", "refused-once": "203.0.113.21"})


def synproxy(network: Network) -> Config:
    """Answer SYNs at the firewall for servers behind it: one drops, one refuses."""
    network.firewall.sysctl({"net.netfilter.nf_conntrack_tcp_loose": "0"})
    guarded = "ip daddr { 203.0.113.20, 203.0.113.21 } tcp dport 443"
    network.firewall.rules("prerouting -300", f"{guarded} tcp flags syn notrack")
    network.firewall.rules(
        "forward", f"{guarded} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm"
    )
    network.router.rules(
        "forward",
        "ip daddr 203.0.113.20 tcp dport 443 drop",
        "ip daddr 203.0.113.21 tcp dport 443 reject with tcp reset",
    )
    return start_services(network, {"unrouted": "203.0.113.20", "refusing": "203.0.113.21"})


def reset_at_accept(network: Network) -> Config:
    """Accept connections at the firewall and reset them at once."""
    haproxy(
        network.firewall,
        "frontend none\n  bind :9443\n  tcp-request connection reject\n  default_backend far\n"
        "backend far\n  server far 203.0.113.10:443\n",
        tcp=(9443,),
    )
    network.firewall.rules(
        "prerouting -100", "ip daddr 203.0.113.20 tcp dport 443 redirect to :9443", family="ip", kind="nat"
    )
    return start_services(network, {"refused-late": "203.0.113.20"})


def rate_limited(network: Network) -> Config:
    """Let two new connections a second through."""
    network.firewall.rules(
        "forward", "tcp dport 443 tcp flags syn / syn,ack limit rate over 2/second burst 2 packets drop"
    )
    return start_services(network, {f"name-{number}": f"203.0.113.{20 + number}" for number in range(16)})


def nat_exhausted(network: Network) -> Config:
    """Give the client three NAT ports, all in use."""
    network.firewall.rules(
        "postrouting 100",
        "oifname outside ip protocol tcp masquerade to :20000-20002",
        family="ip",
        kind="nat",
    )
    built = start_services(network, {"contended": "203.0.113.40"})
    network.client.start(sys.executable, "-c", HOLD_THREE_PORTS, tcp=(9,))
    return built


def nat_contended(network: Network) -> Config:
    """Give the client three NAT ports for nine names at one address that answers late.

    The delay makes connections overlap, however slowly this machine starts them. The names at other addresses
    are enough that a few late acknowledgements are not taken for packet loss.
    """
    haproxy(
        network.server,
        "frontend slow\n  bind :9443\n  tcp-request inspect-delay 1500ms\n"
        "  tcp-request content accept if WAIT_END\n  default_backend near\n"
        "backend near\n  server near 127.0.0.1:443\n",
        tcp=(9443,),
    )
    network.server.rules(
        "prerouting -100", "ip daddr 203.0.113.40 tcp dport 443 redirect to :9443", family="ip", kind="nat"
    )
    network.firewall.sysctl({"net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1"})
    network.firewall.rules(
        "postrouting 100",
        "oifname outside ip protocol tcp masquerade to :20000-20002",
        family="ip",
        kind="nat",
    )
    same_address = {f"name-{number}": "203.0.113.40" for number in range(9)}
    return start_services(
        network, same_address | {f"other-{number}": f"203.0.113.{50 + number}" for number in range(12)}
    )


def first_syns_lost(network: Network) -> Config:
    """Drop the first two SYNs to an address, and nothing after."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 tcp flags syn quota until 130 bytes drop")
    return start_services(network, {"first-lost": "203.0.113.20"})


def packet_loss(network: Network) -> Config:
    """Drop three of twenty packets in each direction."""
    network.firewall.rules("forward", "ip protocol tcp numgen random mod 20 < 3 drop")
    wide = {"connect_timeout": "8s", "tls_timeout": "8s", "deadline": "20s", "attempts": 2}
    return start_services(
        network, {f"name-{number}": f"203.0.113.{20 + number}" for number in range(8)}, probe=wide
    )


def ntp_dropped(network: Network) -> Config:
    """Drop or refuse NTP requests."""
    network.firewall.rules("forward", "ip daddr 203.0.113.20 udp dport 123 drop")
    built = start_services(network, {"silent-time:123": "203.0.113.20", "closed-time:123": "203.0.113.21"})
    for one in built["endpoints"]:
        if one["port"] == 123:
            one["protocol"] = "ntp"
    return built


TCP_WORLDS = (
    World(
        name="tcp_rejected",
        build=rejected,
        rows=(
            row(
                "tcp_refused_icmp_port_by_nft",
                "port-unreachable blocked tcp_refused_icmp_port firewall_l3l4 confirmed",
            ),
            row(
                "tcp_admin_prohibited_by_nft",
                "admin-prohibited blocked tcp_admin_prohibited firewall_l3l4 confirmed",
            ),
            row(
                "tcp_host_prohibited_by_nft",
                "host-prohibited blocked tcp_admin_prohibited firewall_l3l4 confirmed",
            ),
            row(
                "tcp_net_prohibited_by_nft",
                "net-prohibited blocked tcp_admin_prohibited firewall_l3l4 confirmed",
            ),
            row("tcp_unreachable_by_nft", "net-unreachable down tcp_unreachable upstream_path high"),
            row("tcp_unreachable_behind_last_router", "absent-host down tcp_unreachable upstream_path high"),
            row("tcp_refused_by_nft_reset", "reset blocked tcp_refused azure_service high..low"),
            row(
                "tcp_refused_by_the_server",
                "closed blocked tcp_refused azure_service high..low",
                why="a RST does not show who sent it",
            ),
            row("tcp_ip_blocked_silent_by_nft", "silent blocked tcp_ip_blocked_silent firewall_l3l4 medium"),
            row("tcp_port_blocked_by_nft", "one-port blocked tcp_port_blocked firewall_l3l4 high"),
            row("tcp_some_ips_blocked_by_nft", "half degraded tcp_some_ips_blocked firewall_l3l4 high"),
        ),
    ),
    World(
        name="tcp_rejected_ipv6",
        build=rejected6,
        rows=(
            row(
                "tcp_admin_prohibited_by_nft_ipv6",
                "six-admin-prohibited blocked tcp_admin_prohibited firewall_l3l4 confirmed",
            ),
            row(
                "tcp_refused_icmp_port_by_nft_ipv6",
                "six-port-unreachable blocked tcp_refused_icmp_port firewall_l3l4 confirmed",
            ),
            row("tcp_unreachable_by_nft_ipv6_route", "six-no-route down tcp_unreachable upstream_path high"),
            row(
                "tcp_unreachable_by_nft_ipv6_address",
                "six-addr-unreachable down tcp_unreachable upstream_path high",
            ),
        ),
    ),
    World(
        name="tcp_everything_dropped",
        build=everything_dropped,
        healthy=False,
        rows=(
            row(
                "tcp_egress_all_blocked_by_drop",
                "healthy blocked tcp_egress_all_blocked firewall_l3l4 medium",
                finding="tcp_egress_all_blocked",
            ),
        ),
    ),
    World(
        name="tcp_port_80_dropped",
        build=port_80_dropped,
        rows=(
            row("site_port80_blocked_by_drop", finding="site_port80_blocked"),
            row(
                "pki_revocation_unreachable_by_drop",
                "pki:80 blocked tcp_port_blocked firewall_l3l4 medium",
                also="pki_revocation_unreachable",
            ),
        ),
    ),
    World(
        name="tcp_ipv6_dropped",
        build=ipv6_dropped,
        rows=(row("tcp_ipv6_broken_by_drop", "both degraded tcp_ipv6_broken upstream_path medium"),),
    ),
    World(
        name="tcp_ipv4_dropped",
        build=ipv4_dropped,
        healthy=False,
        rows=(
            row("tcp_ipv4_broken_by_drop", "both degraded tcp_ipv4_broken upstream_path medium"),
            row(
                "tcp_port_blocked_where_a_name_has_no_ipv6_address",
                "healthy blocked tcp_port_blocked firewall_l3l4 medium",
            ),
        ),
    ),
    World(
        name="tcp_routing_loop",
        build=routing_loop,
        rows=(
            row("tcp_routing_loop_between_two_routers", "looping down tcp_routing_loop upstream_path high"),
        ),
    ),
    World(
        name="tcp_accept_all",
        build=accept_all,
        rows=(
            row("tcp_accept_all_by_redirect", finding="tcp_accept_all"),
            row(
                "tls_fin_after_hello_behind_accept_all",
                "denied blocked tls_fin_after_hello firewall_l7 medium",
            ),
        ),
    ),
    World(
        name="tcp_accept_all_on_one_port",
        build=accept_all_on_one_port,
        rows=(
            row(
                "tcp_accept_all_makes_a_connection_unknown",
                "nobody:8443 unknown tcp_accept_all transparent_proxy high",
                finding="tcp_accept_all",
            ),
            row("ok_where_only_another_port_accepts_everything", "somebody ok - - -"),
        ),
    ),
    World(
        name="path_one_address",
        build=one_address_broken,
        rows=(
            row(
                "path_some_ips_broken_by_reset_after_the_connect",
                "some degraded path_some_ips_broken azure_service high..medium",
                also="tls_reset_after_hello",
            ),
        ),
    ),
    World(
        name="path_one_family",
        build=family_broken,
        rows=(
            row(
                "path_ipv6_broken_after_the_connect",
                "six degraded path_ipv6_broken upstream_path high",
            ),
            row(
                "path_ipv4_broken_after_the_connect",
                "four degraded path_ipv4_broken upstream_path high",
            ),
        ),
    ),
    World(
        name="path_intermittent",
        build=first_hello_reset,
        rows=(
            row(
                "path_intermittent_by_one_reset",
                "reset-once degraded path_intermittent azure_service confirmed..low",
            ),
            row(
                "path_intermittent_by_one_refusal",
                "refused-once degraded path_intermittent azure_service confirmed..low",
            ),
        ),
    ),
    World(
        name="tcp_synproxy",
        build=synproxy,
        rows=(
            row("tcp_synproxy_stall_by_nft", "unrouted blocked tcp_synproxy_stall firewall_l3l4 high"),
            row(
                "tcp_reset_after_accept_by_synproxy",
                "refusing blocked tcp_reset_after_accept transparent_proxy medium",
            ),
        ),
    ),
    World(
        name="tcp_reset_at_accept",
        build=reset_at_accept,
        rows=(
            row(
                "tcp_reset_after_accept_by_haproxy",
                "refused-late blocked tcp_reset_after_accept transparent_proxy medium",
            ),
        ),
    ),
    World(
        name="tcp_rate_limited",
        build=rate_limited,
        healthy=False,
        harmless=True,
        rows=(row("tcp_rate_limited_by_nft", finding="tcp_rate_limited"),),
    ),
    World(
        name="nat_exhausted",
        build=nat_exhausted,
        rows=(
            row(
                "nat_ports_held_by_other_connections",
                "contended blocked tcp_port_blocked firewall_l3l4 low..high",
                why="exhausted NAT ports for one address look like one blocked address",
            ),
        ),
    ),
    World(
        name="nat_ports_contended",
        build=nat_contended,
        harmless=True,
        rows=(row("nat_ports_exhausted_by_masquerade", finding="nat_ports_exhausted"),),
    ),
    World(
        name="tcp_first_lost",
        build=first_syns_lost,
        harmless=True,
        rows=(row("path_loss_of_two_syns", "first-lost degraded path_loss upstream_path medium"),),
    ),
    World(
        name="tcp_lossy",
        build=packet_loss,
        healthy=False,
        harmless=True,
        rows=(row("path_loss_of_three_in_twenty_blocks_nothing"),),
    ),
    World(
        name="ntp",
        build=ntp_dropped,
        rows=(
            row("ntp_no_answer_by_drop", "silent-time:123 blocked ntp_no_answer firewall_l3l4 medium"),
            row("ntp_refused_by_closed_port", "closed-time:123 blocked ntp_refused azure_service high"),
        ),
    ),
)
