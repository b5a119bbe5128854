"""Faults of the probing host itself and of its first hop."""

from __future__ import annotations

import sys

from tests.net.scenario import Built, World, row, town
from tests.net.topology import ABSENT_HOST, Network

HOLD_EVERY_PORT = """
import socket, time
held = []
for port in range(40000, 40016):
    one = socket.socket()
    one.bind(("0.0.0.0", port))
    held.append(one)
ready = socket.create_server(("127.0.0.1", 9))
time.sleep(600)
"""


def routes_and_rules(network: Network) -> Built:
    """Give single destinations routes that lead nowhere, or a rule of this very host."""
    routes = {
        "no-route": "throw",
        "unreachable": "unreachable",
        "prohibit": "prohibit",
        "blackhole": "blackhole",
    }
    addresses = {label: f"203.0.113.{20 + number}" for number, label in enumerate(routes)}
    for label, kind in routes.items():
        network.client.ip("route", "add", kind, addresses[label])
    addresses |= {"gateway": "203.0.113.30", "rejected": "203.0.113.31", "reset": "203.0.113.32"}
    network.client.ip("route", "add", addresses["gateway"], "via", "192.0.2.150")
    network.client.rules(
        "output",
        f"ip daddr {addresses['rejected']} reject with icmp type admin-prohibited",
        f"ip daddr {addresses['reset']} tcp dport 443 reject with tcp reset",
    )
    return town(network, addresses, probe={"connect_timeout": "4s"})


def udp_dropped(network: Network) -> Built:
    """Drop this host's own questions before they leave."""
    network.client.rules("output", "udp dport 53 drop")
    return town(network, {})


def dead_gateway(network: Network) -> Built:
    """Send everything to an address of the LAN that nobody has."""
    network.client.ip("route", "replace", "default", "via", "192.0.2.150")
    return town(network, {}, probe={"dns_timeout": "4s"})


def ports_exhausted(network: Network) -> Built:
    """Leave no local port for a TCP connection."""
    network.client.sysctl({"net.ipv4.ip_local_port_range": "40000 40015"})
    network.client.start(sys.executable, "-c", HOLD_EVERY_PORT, tcp=(9,))
    return town(network, {})


def hosts_file(network: Network) -> Built:
    """Pin a name in the hosts file to an address where nobody is."""
    built = town(network, {"pinned": "203.0.113.20"}, resolvers=["system"])
    network.client.etc("hosts", f"127.0.0.1 localhost\n{ABSENT_HOST} pinned.azure.example\n")
    return built


HERE = (
    World(
        name="local_routes_and_rules",
        build=routes_and_rules,
        rows=(
            row("local_no_route_for_one_address", "no-route blocked local_no_route local_host confirmed"),
            row(
                "local_unreachable_route", "unreachable blocked local_unreachable_route local_host confirmed"
            ),
            row("local_prohibit_route", "prohibit blocked local_prohibit_route local_host confirmed"),
            row("local_blackhole_route", "blackhole blocked local_blackhole_route local_host confirmed"),
            row("local_gateway_dead_for_one_route", "gateway blocked local_gateway_dead local_gateway high"),
            row(
                "local_firewall_reject_by_nft", "rejected blocked local_firewall_reject local_host confirmed"
            ),
            row(
                "local_tcp_reset_looks_remote",
                "reset blocked tcp_refused - low..high",
                why="a local `reject with tcp reset` leaves no trace that tells it from a remote one",
            ),
        ),
    ),
    World(
        name="local_firewall_drops_dns",
        build=udp_dropped,
        healthy=False,
        rows=(
            row(
                "local_firewall_drop_udp_by_nft",
                "healthy blocked local_firewall_drop_udp local_host confirmed",
                finding="local_firewall_drop_udp",
            ),
        ),
    ),
    World(
        name="local_gateway_dead",
        build=dead_gateway,
        healthy=False,
        rows=(
            row(
                "local_gateway_dead_for_all",
                "healthy blocked local_gateway_dead local_gateway confirmed",
                finding="local_gateway_dead",
            ),
        ),
    ),
    World(
        name="local_ports_exhausted",
        build=ports_exhausted,
        healthy=False,
        rows=(
            row(
                "local_resource_exhausted_by_port_range",
                "healthy unknown local_resource_exhausted egressd_env confirmed",
            ),
        ),
    ),
    World(
        name="local_hosts_file",
        build=hosts_file,
        rows=(
            row("dns_local_override_by_hosts_file", "pinned degraded dns_local_override local_host medium"),
        ),
    ),
)
