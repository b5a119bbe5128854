"""Faults of the probing host and its default gateway."""

from __future__ import annotations

import sys

from tests.net.scenario import Config, World, row, start_services
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


def routes_and_rules(network: Network) -> Config:
    """Give single destinations unusable routes, or a firewall rule of the probing host."""
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
    return start_services(network, addresses, probe={"connect_timeout": "4s"})


def dns_dropped_locally(network: Network) -> Config:
    """Drop the host's own DNS queries on output."""
    network.client.rules("output", "udp dport 53 drop")
    return start_services(network, {})


def gateway_dead(network: Network) -> Config:
    """Route everything to an unassigned address of the LAN."""
    network.client.ip("route", "replace", "default", "via", "192.0.2.150")
    return start_services(network, {}, probe={"dns_timeout": "4s"})


def ports_exhausted(network: Network) -> Config:
    """Exhaust the local TCP port range."""
    network.client.sysctl({"net.ipv4.ip_local_port_range": "40000 40015"})
    network.client.start(sys.executable, "-c", HOLD_EVERY_PORT, tcp=(9,))
    return start_services(network, {})


def hosts_file(network: Network) -> Config:
    """Pin a name in the hosts file to an unassigned address."""
    built = start_services(network, {"pinned": "203.0.113.20"}, resolvers=["system"])
    network.client.etc("hosts", f"127.0.0.1 localhost\n{ABSENT_HOST} pinned.azure.example\n")
    return built


LOCAL_HOST_WORLDS = (
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
                "local_tcp_reset_is_like_a_remote_one",
                "reset blocked tcp_refused - low..high",
                why="a local `reject with tcp reset` cannot be distinguished from a remote one",
            ),
        ),
    ),
    World(
        name="local_firewall_drops_dns",
        build=dns_dropped_locally,
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
        build=gateway_dead,
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
