"""Middleboxes that answer for the server: TLS alerts, block pages, captive portals, and invalid data."""

from __future__ import annotations

import sys
from pathlib import Path

from egressd.attribution.reasons import ALERTS, REASONS, alert_code
from tests.net import fixed_response_server
from tests.net.programs import http_server, nginx
from tests.net.scenario import PORTAL, PORTAL_RECORD, Config, Row, World, host, row, start_services
from tests.net.topology import Network

ALERT_ROWS = tuple(number for number in ALERTS if number not in (0, 100))
"""Fatal alerts; close_notify is tested by `egressd lab`."""
UNOFFERED_CIPHER = "160303002a020000260303" + "11" * 32 + "00" + "ffff" + "00"
"""A ServerHello with a cipher suite that the client did not offer."""
NOISE = "deadbeef" * 8 + "0d0a0d0a"
PAGES = {
    "fortiguard": "return 403 '<html><title>Web Page Blocked!</title>Powered By FortiGuard</html>';",
    "azure-firewall": "return 470 'Action: Deny. Reason: No rule matched.';",
    "portal": f"return 302 http://{PORTAL}/hello;",
    "sign-in": "return 511 'sign in first';",
    "proxy-auth": "add_header Proxy-Authenticate 'Basic realm=corp' always; return 407 'no';",
    "replaced": "default_type text/html; return 200 '<html><title>Scanning</title>please wait</html>';",
    "other": "default_type application/json; return 200 '{}';",
    "gone": "return 404 'no';",
    "denied": "default_type text/html; return 403 '<html><title>Access denied</title>Ask IT.</html>';",
    "odd": "add_header 'X-Odd ' 1; return 200 'fine';",
    "moved": "return 302 https://nowhere.azure.example/start;",
}
BINARY = {"status": [200], "content_type": "application/octet-stream"}


def redirect(network: Network, address: str, port: int, to: int) -> None:
    """Redirect connections to an address and port to a port of the firewall."""
    rule = f"ip daddr {address} tcp dport {port} redirect to :{to}"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")


def alerts(network: Network) -> Config:
    """Answer ClientHellos with every fatal alert, and with an invalid ServerHello."""
    responses = {f"alert-{number}": f"1503030002{2:02x}{number:02x}" for number in ALERT_ROWS}
    responses |= {"unoffered-cipher": UNOFFERED_CIPHER}
    ports = {label: 9100 + number for number, label in enumerate(responses)}
    words = [f"{ports[label]}={response}" for label, response in responses.items()]
    network.firewall.start(
        sys.executable, str(Path(fixed_response_server.__file__)), *words, tcp=tuple(ports.values())
    )
    addresses = {label: f"203.0.113.{100 + number}" for number, label in enumerate(responses)}
    for label, address in addresses.items():
        redirect(network, address, 443, ports[label])
    return start_services(network, addresses)


def pages(network: Network) -> Config:
    """Answer plain HTTP requests for the server."""
    ports = {label: 9200 + number for number, label in enumerate(PAGES)}
    blocks = [http_server(listen=str(ports[label]), answer=answer) for label, answer in PAGES.items()]
    nginx(network.firewall, *blocks, tcp=tuple(ports.values()))
    network.firewall.start(
        sys.executable, str(Path(fixed_response_server.__file__)), f"9300={NOISE}", tcp=(9300,)
    )
    ports["noise"] = 9300
    addresses = {label: f"203.0.113.{100 + number}" for number, label in enumerate(ports)}
    for label, address in addresses.items():
        redirect(network, address, 80, ports[label])
    built = start_services(
        network, {f"{label}:80": address for label, address in addresses.items()}, server=PORTAL_RECORD
    )
    for one in built["endpoints"]:
        if one["host"] in (host("replaced"), host("other"), host("gone")):
            one["expect"] = BINARY
    return built


def _alert_row(number: int) -> Row:
    code = alert_code(number)
    expected = f"alert-{number} blocked {code} {REASONS[code].suspects.usual} low..high"
    return row(f"{code}_from_a_device", expected)


MIDDLEBOX_WORLDS = (
    World(
        name="tls_alerts",
        build=alerts,
        rows=(
            *(_alert_row(number) for number in ALERT_ROWS),
            row(
                "tls_protocol_error_from_a_device",
                "unoffered-cipher blocked tls_protocol_error unknown_middlebox low..high",
            ),
        ),
    ),
    World(
        name="http_pages",
        build=pages,
        rows=(
            row(
                "http_block_page_by_redirect", "fortiguard:80 blocked http_block_page firewall_l7 high..high"
            ),
            row(
                "http_azure_firewall_denied_by_redirect",
                "azure-firewall:80 blocked http_azure_firewall_denied firewall_l7 confirmed",
            ),
            row(
                "http_captive_portal_by_redirect",
                "portal:80 blocked http_captive_portal transparent_proxy medium..medium",
            ),
            row(
                "http_captive_portal_by_status_511",
                "sign-in:80 blocked http_captive_portal transparent_proxy high",
            ),
            row(
                "http_transparent_proxy_auth_by_redirect",
                "proxy-auth:80 blocked http_transparent_proxy_auth transparent_proxy high",
            ),
            row(
                "http_content_replaced_by_redirect",
                "replaced:80 blocked http_content_replaced transparent_proxy high",
            ),
            row(
                "http_content_unexpected_by_redirect",
                "other:80 degraded http_content_unexpected - low",
            ),
            row("http_unexpected_status_by_redirect", "gone:80 down http_unexpected_status - low"),
            row("http_not_http_from_a_device", "noise:80 blocked http_not_http - high"),
            row("http_unproven_answer_by_redirect", "denied:80 unknown http_unproven_answer - low"),
            row("http_malformed_answer_by_nginx", "odd:80 degraded http_malformed_answer - high"),
            row("http_redirect_dead_end_by_nginx", "moved:80 ok - - -", also="http_redirect_dead_end"),
        ),
    ),
)
