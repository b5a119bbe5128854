"""OONI's censors: a provider's resolver that lies, a device that reads names, and the servers beyond.

Every scenario has a zone and an address of its own, so that none is another's control.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.foreign.certificates import DAY, NOW, Authority, Leaf, subject, write_chain
from tests.foreign.internet import add_public_addresses, zone_options
from tests.foreign.ooni.rows import MEBIBYTE, SCENARIOS, Scenario, zone_of
from tests.net.programs import dnsmasq, haproxy, nginx, unbound
from tests.net.run_egressd import endpoint
from tests.net.topology import FIREWALL, RESOLVER, SECOND_RESOLVER, Network

BY_NAME = {one.name: one for one in SCENARIOS}
ADDRESSES = {one.name: f"62.80.2.{10 + number}" for number, one in enumerate(SCENARIOS)}
PAGE_SERVER, STRANGER, REFUSING, OTHER_FRONT = "62.80.7.20", "62.80.7.21", "62.80.7.22", "62.80.7.23"
PASSING_PROXY = "62.81.7.30"
"""On the router: a proxy that passes everything on."""
PRIVATE = "10.10.34.35"
LOOPBACK = "127.0.0.1"
ABSENT, EMPTY = None, ""
BLOCK_PAGE = (
    "<html><head><title>Notice</title></head><body><h1>This page can not be shown</h1>"
    "<p>Access was restricted by decision of the regional authority.</p></body></html>"
)
CAPTCHA = "<html><head><title>One moment</title></head><body>Prove that you are human.</body></html>"

Answers = Mapping[str, str | None]
"""What a resolver says of a name: an address, EMPTY for none, ABSENT for no such name."""


def _host(name: str) -> str:
    return BY_NAME[name].full_host.lower()


HONEST: dict[str, str | None] = {
    **{one.full_host.lower(): ADDRESSES[one.name] for one in SCENARIOS},
    _host("badSSLWrongName"): ADDRESSES["successHTTPS"],
    _host("downNXDOMAIN"): ABSENT,
    _host("downNoAddrs"): EMPTY,
    _host("ghostDNSHTTP"): ABSENT,
    _host("ghostDNSHTTPS"): ABSENT,
    _host("localhostHTTP"): LOOPBACK,
    _host("localhostHTTPS"): LOOPBACK,
    "example.com": "62.80.8.8",
}
LIES: dict[str, str | None] = {
    _host("badSSLUnknownAuthorityInconsistent"): STRANGER,
    _host("dnsBlockingBOGON"): PRIVATE,
    _host("dnsBlockingNXDOMAIN"): ABSENT,
    _host("dnsHijackLocalhostHTTP"): LOOPBACK,
    _host("dnsHijackLocalhostHTTPS"): LOOPBACK,
    _host("dnsHijackProxyHTTP"): PASSING_PROXY,
    _host("dnsHijackProxyHTTPS"): PASSING_PROXY,
    _host("ghostDNSHTTP"): PAGE_SERVER,
    _host("ghostDNSHTTPS"): PAGE_SERVER,
    _host("httpDiffInconsistent"): PAGE_SERVER,
    _host("tcpRefusedInconsistentDNS"): REFUSING,
    _host("tlsResetInconsistent"): OTHER_FRONT,
}
CLOSED = (REFUSING, *(ADDRESSES[name] for name in ("hop2RefusedHTTP", "hop2RefusedHTTPS", "downTCPConnect")))


def build(network: Network, *, with_second: bool) -> dict[str, Any]:
    """Start resolvers, servers and the censor's devices; return the configuration of one setup."""
    add_public_addresses(network)
    folder = network.folder / "sites"
    folder.mkdir()
    _write_certificates(folder)
    unbound(network.server, server=tuple(_zones({**HONEST, **LIES})), at=RESOLVER)
    unbound(network.server, server=tuple(_zones(HONEST)), at=SECOND_RESOLVER)
    _start_sites(network, folder)
    _close_ports(network)
    _start_passing_proxy(network)
    _filter_names(network)
    _inject_denials(network)
    _replace_page(network)
    _close_connections(network)
    _throttle(network)
    return {
        "profiles": [],
        "resolvers": [RESOLVER, SECOND_RESOLVER] if with_second else [RESOLVER],
        "trust": {"store": str(folder / "root.pem"), "public_roots": str(folder / "root.pem")},
        "endpoints": [_endpoint(one) for one in SCENARIOS],
        "probe": {"families": ["ipv4"], "dns_timeout": "2s", "connect_timeout": "3s", "deadline": "20s"},
    }


def _endpoint(scenario: Scenario) -> dict[str, Any]:
    port = 80 if scenario.protocol == "http" else 443
    more = {"expect": {"min_bytes": scenario.least_bytes}} if scenario.least_bytes else {}
    return endpoint(scenario.full_host, id=scenario.name.lower(), port=port, **more)


def _zones(answers: Answers) -> list[str]:
    """Return unbound's options for the root, which denies what is not listed, and a zone per scenario."""
    zones: dict[str, list[str]] = {"": []}
    for name, address in answers.items():
        zone = name.split(".", 1)[1] if name.count(".") > 1 else name
        records = zones.setdefault(zone, [f"{zone}. 300 IN TXT zone"])
        if address == EMPTY:
            records.append(f"{name}. 300 IN TXT nothing")
        elif address is not None:
            records.append(f"{name}. 300 IN A {address}")
    return zone_options(zones)


def _write_certificates(folder: Path) -> None:
    """Write a sound certificate for each zone, and the three bad ones."""
    root = Authority.make(subject("Plain Trust Root R2", "Plain Trust Services"))
    intermediate = Authority.make(subject("Plain Trust TLS CA 5", "Plain Trust Services"), issuer=root)
    (folder / "root.pem").write_bytes(root.issued.pem)
    for one in SCENARIOS:
        zone = one.full_host.lower().split(".", 1)[1]
        leaf = Leaf(names=(one.full_host.lower(), zone), subject=subject(zone))
        match one.name:
            case "badSSLExpired":
                leaf = replace(leaf, since=NOW - 90 * DAY, until=NOW - 2 * DAY)
            case "badSSLWrongName":
                leaf = replace(leaf, names=("intranet.elsewhere.example",))
        issuer = intermediate
        if "UnknownAuthority" in one.name:  # one each: a shared one would be a device's
            issuer = Authority.make(subject(f"Office Authority of {zone}", "Office"))
        write_chain(folder, one.name, leaf.issue(issuer), issuer.issued)
        if one.name == "badSSLUnknownAuthorityInconsistent":
            write_chain(folder, f"{one.name}-right", leaf.issue(intermediate), intermediate.issued)
    (folder / "large").write_bytes(b"x" * (3 * MEBIBYTE))
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o755)


LARGE = ("large", "throttling")
ANSWERS = {
    "cloudflareHTTP": f"return 503 '{CAPTCHA}';",
    "cloudflareHTTPS": f"return 503 '{CAPTCHA}';",
    "redirectBrokenHTTP": "return 302 http://www..broken.example/;",
    "redirectBrokenHTTPS": "return 302 https://www..broken.example/;",
    "redirectLoopHTTP": "return 302 http://$host/again;",
    "redirectLoopHTTPS": "return 302 https://$host/again;",
    "redirectFirstHop": f"return 302 https://{_host('hop2EOFHTTPS')}/;",
}
"""What hosts answer instead of a page of their own; no name can have an empty label."""


def _start_sites(network: Network, folder: Path) -> None:
    """Start a web server on every address: by name for TLS, and with the censor's page on its own address."""
    nginx(
        network.server,
        *(_site(folder, one) for one in SCENARIOS),
        _site(folder, BY_NAME["badSSLUnknownAuthorityInconsistent"], at=STRANGER),
        f"server {{ listen {PAGE_SERVER}:80; default_type text/html; return 200 '{BLOCK_PAGE}'; }}",
        tcp=(80, 443),
    )


def _site(folder: Path, scenario: Scenario, at: str = "") -> str:
    """Return nginx blocks for one host, in clear and in TLS."""
    address = at or HONEST[scenario.full_host.lower()] or ADDRESSES[scenario.name]
    if address == LOOPBACK:
        return ""
    certificate = scenario.name
    if "UnknownAuthorityInconsistent" in scenario.name and not at:
        certificate += "-right"
    answer = ANSWERS.get(scenario.name, f"return 200 '<html>{scenario.full_host}</html>';")
    if scenario.name.startswith(LARGE):
        answer = f"root {folder}; try_files /large =404;"
    answer = f"default_type text/html; location / {{ {answer} }}"
    name = scenario.full_host.lower()
    listens = [f"{address}:443 ssl http2"]
    if scenario.name == "tlsResetInconsistent":
        listens.append(f"{OTHER_FRONT}:443 ssl http2")
    tls = " ".join(f"listen {one};" for one in listens)
    return (
        f"server {{ listen {address}:80; server_name {name}; {answer} }}\n"
        f"server {{ {tls} server_name {name}; ssl_certificate {folder}/{certificate}.pem; "
        f"ssl_certificate_key {folder}/{certificate}.key; {answer} }}"
    )


def _close_ports(network: Network) -> None:
    """Refuse, as a host does on which nothing listens."""
    closed = ", ".join(CLOSED)
    network.server.rules("input", f"ip daddr {{ {closed} }} tcp dport {{ 80, 443 }} reject with tcp reset")


def _start_passing_proxy(network: Network) -> None:
    """Put a proxy on the router that passes bytes on to the servers whose names lead to it."""
    network.router.ip("route", "add", "local", f"{PASSING_PROXY}/32", "dev", "lo")
    http, https = (ADDRESSES[f"dnsHijackProxy{kind}"] for kind in ("HTTP", "HTTPS"))
    haproxy(
        network.router,
        f"listen clear\n  bind {PASSING_PROXY}:80\n  server far {http}:80\n"
        f"listen tls\n  bind {PASSING_PROXY}:443\n  server far {https}:443\n",
        tcp=(80, 443),
    )


def _filter_names(network: Network) -> None:
    """Drop or reset what names a host, in a ClientHello or a Host header.

    Of the kernel's searches only `kmp` finds a name that lies across two pages of a packet's memory.
    """
    reset, drop = "REJECT --reject-with tcp-reset", "DROP"
    for name, port, action in (
        ("httpBlockingReset", 80, reset),
        ("tlsResetConsistent", 443, reset),
        ("tlsResetInconsistent", 443, reset),
        ("hop2TimeoutHTTP", 80, drop),
        ("hop2TimeoutHTTPS", 443, drop),
    ):
        match = f"-m string --algo kmp --string {_host(name)}"
        network.firewall.iptables(f"FORWARD -p tcp --dport {port} {match} -j {action}")
    network.firewall.iptables(f"FORWARD -p tcp -d {ADDRESSES['tcpConnectTimeout']} --dport 443 -j DROP")


def _inject_denials(network: Network) -> None:
    """Answer queries for one name on the way, to whatever resolver they go, with a denial that has no SOA."""
    zone = zone_of("dnsBlockingNXDOMAINinjected")
    dnsmasq(network.firewall, f"address=/{zone}/", at=FIREWALL)
    label = zone.split(".", maxsplit=1)[0]
    words = f"-p udp --dport 53 -m string --algo kmp --string {label} --icase"
    network.firewall.run(
        "iptables",
        "-w",
        "-t",
        "nat",
        "-A",
        "PREROUTING",
        *words.split(),
        "-j",
        "DNAT",
        "--to-destination",
        FIREWALL,
    )


def _replace_page(network: Network) -> None:
    """Lead requests in clear for one address to the censor's page."""
    rule = f"ip daddr {ADDRESSES['httpDiffConsistent']} tcp dport 80 dnat to {PAGE_SERVER}"
    network.firewall.rules("prerouting -100", rule, family="ip", kind="nat")


def _close_connections(network: Network) -> None:
    """Close connections once they name a host; other names at these addresses pass."""
    http, https = ("hop2EOFHTTP", "hop2EOFHTTPS")
    haproxy(
        network.firewall,
        "frontend clear\n  bind :9080\n  tcp-request inspect-delay 3s\n"
        f"  tcp-request content reject if {{ req.payload(0,0) -m sub -i {_host(http)} }}\n"
        f"  tcp-request content accept if {{ req.len gt 0 }}\n  default_backend far80\n"
        f"backend far80\n  server far {ADDRESSES[http]}:80\n"
        "frontend tls\n  bind :9443\n  tcp-request inspect-delay 3s\n"
        f"  tcp-request content reject if {{ req.ssl_sni {_host(https)} }}\n"
        f"  tcp-request content accept if {{ req.ssl_hello_type 1 }}\n  default_backend far443\n"
        f"backend far443\n  server far {ADDRESSES[https]}:443\n",
        tcp=(9080, 9443),
    )
    network.firewall.rules(
        "prerouting -100",
        f"ip daddr {ADDRESSES[http]} tcp dport 80 redirect to :9080",
        f"ip daddr {ADDRESSES[https]} tcp dport 443 redirect to :9443",
        family="ip",
        kind="nat",
    )


def _throttle(network: Network) -> None:
    """Let little more than a handshake through per second from each throttled address."""
    network.firewall.rules("forward", *_throttling_rules())


def _throttling_rules() -> Iterator[str]:
    for name, address in ADDRESSES.items():
        if name.startswith("throttling"):
            yield f"ip saddr {address} limit rate over 24 kbytes/second burst 24 kbytes drop"
