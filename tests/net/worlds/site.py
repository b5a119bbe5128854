"""Faults of a whole site: an outage, and firewall rules that miss one of its source addresses."""

from __future__ import annotations

from tests.net.run_egressd import endpoint
from tests.net.scenario import Config, World, host, row, start_services
from tests.net.topology import ABSENT_HOST, Network


def outage(network: Network) -> Config:
    """Blackhole the routes to all servers but one, which is unreachable."""
    network.router.ip("route", "replace", "blackhole", "203.0.113.0/24")
    return start_services(
        network, {"b": "203.0.113.20", "c": "203.0.113.21", "d": ABSENT_HOST}, probe={"connect_timeout": "4s"}
    )


def second_appliance(network: Network) -> Config:
    """Drop one of three source addresses, for thirty names."""
    network.firewall.rules("forward", "ip saddr 192.0.2.132 tcp dport 443 drop")
    names = {f"name-{number}": f"203.0.113.{20 + number}" for number in range(29)}
    sources = [
        {"name": name, "address": f"192.0.2.{last}"}
        for name, last in (("management", 130), ("appliance-1", 131), ("appliance-2", 132))
    ]
    return start_services(network, names, sources=sources)


def alternatives(network: Network) -> Config:
    """Reject both ports of one choice, and one of two of another."""
    network.firewall.rules("forward", "tcp dport { 8530, 8531, 8443 } reject with icmp type admin-prohibited")
    built = start_services(network, {"updates": "203.0.113.20", "relay": "203.0.113.21"})
    ports = (
        ("updates", 8530, "none"),
        ("updates", 8531, "none"),
        ("relay", 8443, "some"),
        ("relay", 443, "some"),
    )
    choices = [
        endpoint(host(label), port=port, protocol="tcp", one_of=choice) for label, port, choice in ports
    ]
    return built | {"endpoints": [built["endpoints"][0], *choices]}


SITE_WORLDS = (
    World(
        name="site_alternatives",
        build=alternatives,
        rows=(
            row(
                "site_choice_without_an_alternative_that_works",
                "updates:8530 blocked tcp_admin_prohibited firewall_l3l4 high",
                finding="site_choice_unreachable",
                says=f"one of {host('updates')}:8530, {host('updates')}:8531 is needed",
            ),
            row(
                "site_choice_second_alternative",
                "updates:8531 blocked tcp_admin_prohibited firewall_l3l4 high",
                finding="site_choice_unreachable",
            ),
            row("site_choice_not_needed", "relay:8443 blocked tcp_admin_prohibited firewall_l3l4 high"),
        ),
    ),
    World(
        name="site_outage",
        build=outage,
        healthy=False,
        rows=(
            row(
                "site_outage_without_routes",
                "healthy blocked tcp_ip_blocked_silent firewall_l3l4 low..low",
                finding="site_outage",
                why="silence from every target points to no single rule",
            ),
            row("tcp_unreachable_in_an_outage", "d down tcp_unreachable upstream_path high"),
        ),
    ),
    World(
        name="site_second_appliance",
        build=second_appliance,
        healthy=False,
        rows=(
            row(
                "site_source_rule_missing_by_source_address",
                "healthy blocked tcp_port_blocked firewall_l3l4 high",
                finding="site_source_rule_missing",
                says="Add 192.0.2.132 to the rules that already let 192.0.2.130, 192.0.2.131",
            ),
        ),
    ),
)
