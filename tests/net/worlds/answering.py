"""Devices that answer in the server's place: alerts, pages, portals, nonsense."""

from __future__ import annotations

import sys
from pathlib import Path

from egressd.attribution.reasons import ALERTS, REASONS, alert_code
from tests.net import device
from tests.net.programs import nginx, plain
from tests.net.scenario import Built, Row, World, host, row, town
from tests.net.topology import ABSENT_HOST, Network

ALERT_ROWS = tuple(number for number in ALERTS if number not in (0, 100))
"""What a device may send as fatal; a close_notify is the lab's."""
ODD_HELLO = "160303002a020000260303" + "11" * 32 + "00" + "ffff" + "00"
"""A ServerHello that chooses a cipher suite nobody offered."""
NOISE = "deadbeef" * 8 + "0d0a0d0a"
PAGES = {
    "fortiguard": "return 403 '<html><title>Web Page Blocked!</title>Powered By FortiGuard</html>';",
    "azure-firewall": "return 470 'Action: Deny. Reason: No rule matched.';",
    "portal": "return 302 http://login.portal.example/hello;",
    "sign-in": "return 511 'sign in first';",
    "who-are-you": "add_header Proxy-Authenticate 'Basic realm=corp' always; return 407 'no';",
    "replaced": "default_type text/html; return 200 '<html><title>Scanning</title>please wait</html>';",
    "other": "default_type application/json; return 200 '{}';",
    "gone": "return 404 'no';",
}
BINARY = {"status": [200], "content_type": "application/octet-stream"}


def turn(network: Network, address: str, port: int, to: int) -> None:
    """Turn connections to an address and port to a port of the firewall."""
    rule = f"ip daddr {address} tcp dport {port} redirect to :{to}"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")


def alerts(network: Network) -> Built:
    """Answer hellos with each fatal alert there is, and with nonsense."""
    speeches = {f"alert-{number}": f"1503030002{2:02x}{number:02x}" for number in ALERT_ROWS}
    speeches |= {"odd-hello": ODD_HELLO}
    ports = {label: 9100 + number for number, label in enumerate(speeches)}
    words = [f"{ports[label]}={speech}" for label, speech in speeches.items()]
    network.firewall.start(sys.executable, str(Path(device.__file__)), *words, tcp=tuple(ports.values()))
    addresses = {label: f"203.0.113.{100 + number}" for number, label in enumerate(speeches)}
    for label, address in addresses.items():
        turn(network, address, 443, ports[label])
    return town(network, addresses)


def pages(network: Network) -> Built:
    """Answer plain requests in the server's place."""
    ports = {label: 9200 + number for number, label in enumerate(PAGES)}
    blocks = [plain(listen=str(ports[label]), answer=answer) for label, answer in PAGES.items()]
    nginx(network.firewall, *blocks, tcp=tuple(ports.values()))
    network.firewall.start(sys.executable, str(Path(device.__file__)), f"9300={NOISE}", tcp=(9300,))
    ports["noise"] = 9300
    addresses = {label: f"203.0.113.{100 + number}" for number, label in enumerate(ports)}
    for label, address in addresses.items():
        turn(network, address, 80, ports[label])
    built = town(network, {f"{label}:80": address for label, address in addresses.items()})
    for one in built["endpoints"]:
        if one["host"] in (host("replaced"), host("other"), host("gone")):
            one["expect"] = BINARY
    return built


def outage(network: Network) -> Built:
    """Lose the way to all servers, each at another place."""
    network.router.ip("route", "replace", "blackhole", "203.0.113.0/24")
    return town(
        network, {"b": "203.0.113.20", "c": "203.0.113.21", "d": ABSENT_HOST}, probe={"connect_timeout": "4s"}
    )


def no_resolver(network: Network) -> Built:
    """Leave resolv.conf empty."""
    built = town(network, {}, resolvers=["system"])
    network.client.etc("resolv.conf", "")
    return built


def second_appliance(network: Network) -> Built:
    """Allow two of three source addresses, for thirty names."""
    network.firewall.rules("forward", "ip saddr 192.0.2.132 tcp dport 443 drop")
    names = {f"name-{number}": f"203.0.113.{20 + number}" for number in range(29)}
    sources = [
        {"name": name, "address": f"192.0.2.{last}"}
        for name, last in (("management", 130), ("appliance-1", 131), ("appliance-2", 132))
    ]
    return town(network, names, sources=sources)


def _alert_row(number: int) -> Row:
    code = alert_code(number)
    said = f"alert-{number} blocked {code} {REASONS[code].blame} low..high"
    return row(f"{code}_from_a_device", said)


ANSWERING = (
    World(
        name="tls_alerts",
        build=alerts,
        rows=(
            *(_alert_row(number) for number in ALERT_ROWS),
            row(
                "tls_protocol_error_from_a_device",
                "odd-hello blocked tls_protocol_error unknown_middlebox low..high",
            ),
        ),
    ),
    World(
        name="http_pages",
        build=pages,
        rows=(
            row("http_block_page_by_redirect", "fortiguard:80 blocked http_block_page firewall_l7 confirmed"),
            row(
                "http_azure_firewall_denied_by_redirect",
                "azure-firewall:80 blocked http_azure_firewall_denied firewall_l7 confirmed",
            ),
            row(
                "http_captive_portal_by_redirect",
                "portal:80 blocked http_captive_portal transparent_proxy high",
            ),
            row(
                "http_captive_portal_by_status_511",
                "sign-in:80 blocked http_captive_portal transparent_proxy high",
            ),
            row(
                "http_transparent_proxy_auth_by_redirect",
                "who-are-you:80 blocked http_transparent_proxy_auth transparent_proxy high",
            ),
            row(
                "http_content_replaced_by_redirect",
                "replaced:80 blocked http_content_replaced transparent_proxy high",
            ),
            row(
                "http_content_unexpected_by_redirect",
                "other:80 degraded http_content_unexpected transparent_proxy low",
            ),
            row("http_unexpected_status_by_redirect", "gone:80 down http_unexpected_status - low"),
            row("http_not_http_from_a_device", "noise:80 blocked http_not_http unknown_middlebox high"),
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
                why="what is silent everywhere is nobody's rule in particular",
            ),
            row("tcp_unreachable_in_an_outage", "d down tcp_unreachable upstream_path high"),
        ),
    ),
    World(
        name="dns_no_resolver",
        build=no_resolver,
        healthy=False,
        rows=(
            row(
                "dns_no_resolver_in_resolv_conf",
                "healthy blocked dns_no_resolver local_host confirmed",
                finding="dns_no_resolver",
            ),
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
