"""Explicit proxies: squid and haproxy that forward, require a login, deny, inspect, or fail upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.net.programs import haproxy, http_server, inspection_ca, nginx, pki_folder, squid
from tests.net.scenario import HEALTHY, Config, World, host, row, start_services
from tests.net.topology import FIREWALL, Network, run
from tests.net.worlds.tls import https_server_at
from tests.servers.certificates import LeafSpec, authority, leaf

PROXY = f"http://{FIREWALL}:3128"
USER, PASSWORD = "svc-egress", "c4n4ry-P4ssw0rd"
NCSA = "/usr/lib/squid/basic_ncsa_auth"
NTLM = "/usr/lib/squid/ntlm_fake_auth"
TUNNELS = (
    "acl tunnels port 443 9443 9444 9445\nacl CONNECT method CONNECT\nhttp_access deny CONNECT !tunnels\n"
)
ALLOW_ALL = f"http_port 3128\n{TUNNELS}http_access allow all"


def via_proxy(built: Config, **proxy: Any) -> Config:
    """Send everything through the proxy on the firewall, and give the client no working resolver."""
    return {**built, "resolvers": ["127.0.0.1"], "proxy": {"url": PROXY, **proxy}}


def forwarding(network: Network) -> Config:
    """Deny names and ports on the proxy; upstream of it refuse, drop, reject, or fail DNS."""
    squid(
        network.firewall,
        f"http_port 3128\nconnect_timeout 1 seconds\n{TUNNELS}acl denied dstdomain {host('denied')}\n"
        "http_access deny denied\nhttp_access allow all",
    )
    router = network.router
    router.iptables("FORWARD -d 203.0.113.31 -j DROP")
    router.iptables("FORWARD -d 203.0.113.32 -j REJECT --reject-with icmp-net-unreachable")
    router.iptables("FORWARD -p tcp -d 203.0.113.33 -j REJECT --reject-with tcp-reset")
    haproxy(
        network.server,
        "frontend silent\n  bind :9444\n  tcp-request inspect-delay 60s\n"
        "  tcp-request content silent-drop if { req.ssl_hello_type 1 }\n"
        "frontend closing\n  bind :9445\n  tcp-request inspect-delay 60s\n"
        "  tcp-request content reject if { req.ssl_hello_type 1 }\n",
        tcp=(9444, 9445),
    )
    origins = tuple(
        http_server(listen=f"203.0.113.{last}:80", answer=f"return {code} 'no';").replace(
            "listen [::]:80;", ""
        )
        for last, code in ((41, 403), (43, 503))
    )
    labels = {
        "denied": "203.0.113.20",
        "denied:80": "203.0.113.20",
        "ported:8443": "203.0.113.20",
        "refused:9443": "203.0.113.20",
        "refused-plain:80": "203.0.113.33",
        "dropped": "203.0.113.31",
        "dropped-plain:80": "203.0.113.31",
        "unreachable": "203.0.113.32",
        "absent": "",
        "absent-plain:80": "",
        "seen:80": "203.0.113.20",
        "says-403:80": "203.0.113.41",
        "says-503:80": "203.0.113.43",
        "silent:9444": "203.0.113.20",
        "closing:9445": "203.0.113.20",
    }
    return via_proxy(start_services(network, labels, sites=origins))


def _login(network: Network, text: str) -> Path:
    """Write a password file in the client's folder."""
    path = network.client.folder / "login"
    path.write_text(text + "\n", encoding="utf-8")
    return path


def squid_with_login(network: Network) -> None:
    """Start a squid that requires a login."""
    hashed = run("openssl", "passwd", "-apr1", PASSWORD).strip()
    users = network.firewall.folder / "known"
    users.write_text(f"{USER}:{hashed}\n", encoding="utf-8")
    users.chmod(0o644)
    squid(
        network.firewall,
        f"auth_param basic program {NCSA} {users}\nauth_param basic realm corp\n"
        "acl known proxy_auth REQUIRED\n"
        "http_port 3128\nhttp_access deny !known\nhttp_access allow known",
    )


def login(password: str | None) -> Callable[[Network], Config]:
    """Go through a squid that requires a login, with a password or without."""

    def build(network: Network) -> Config:
        squid_with_login(network)
        built = start_services(network, {"seen:80": "203.0.113.20"})
        if password is None:
            return via_proxy(built)
        return via_proxy(built, username=USER, password_file=str(_login(network, password)))

    return build


def ntlm_only(network: Network) -> Config:
    """Offer NTLM only."""
    squid(
        network.firewall,
        f"auth_param ntlm program {NTLM}\nacl known proxy_auth REQUIRED\n"
        "http_port 3128\nhttp_access deny !known\nhttp_access allow known",
    )
    built = start_services(network, {"seen:80": "203.0.113.20"})
    return via_proxy(built, username=USER, password_file=str(_login(network, PASSWORD)))


INSPECTED = ("bumped-1", "bumped-2", "bumped-3")
SPLICED = ("spliced-1", "spliced-2")


def ssl_bump(network: Network) -> Config:
    """Inspect some tunnels, splice others; terminate one, deny one inside, distrust one certificate."""
    ca = inspection_ca(network)
    folder = pki_folder(network)
    spliced = " ".join((HEALTHY, *(host(label) for label in SPLICED)))
    squid(
        network.firewall,
        f"http_port 3128 ssl-bump tls-cert={ca} generate-host-certificates=on\n"
        f"tls_outgoing_options cafile={folder}/public.pem\nsslproxy_cert_error allow all\n"
        f"acl spliced ssl::server_name {spliced}\nacl cut ssl::server_name {host('cut')}\n"
        f"acl denied dstdomain {host('denied')}\n"
        "acl first at_step SslBump1\nssl_bump peek first\nssl_bump terminate cut\n"
        "ssl_bump splice spliced\nssl_bump bump all\n"
        "http_access deny denied\nhttp_access allow all",
    )
    labels = dict.fromkeys((*INSPECTED, *SPLICED, "cut", "denied"), "203.0.113.20")
    sites = (https_server_at(network, "203.0.113.25", certificate="inspected"),)
    return via_proxy(
        start_services(network, {**labels, "badly-signed": "203.0.113.25"}, sites=sites),
    )


def tls_to_proxy(*, ca: bool, url: str = "https://proxy.corp.example:3129") -> Callable[[Network], Config]:
    """Connect to squid over TLS (TLS in TLS), with the proxy's CA configured or without."""

    def build(network: Network) -> Config:
        folder = pki_folder(network)
        own = authority("Corp Proxy CA", organization="Corp IT")
        leaf(folder, "proxy", LeafSpec(issuer=own, names=("proxy.corp.example",)))
        for name in ("proxy.pem", "proxy.key"):
            (folder / name).chmod(0o644)
        at = f"https_port 3129 tls-cert={folder}/proxy.pem tls-key={folder}/proxy.key"
        squid(network.firewall, f"{at}\n{ALLOW_ALL}", tcp=(3128, 3129))
        built = start_services(network, {"seen:80": "203.0.113.20"})
        if ca:
            (folder / "proxy-ca.pem").write_bytes(own.pem())
        network.client.etc("hosts", f"127.0.0.1 localhost\n{FIREWALL} proxy.corp.example\n")
        more = {"ca_file": str(folder / "proxy-ca.pem")} if ca else {}
        return {**built, "resolvers": ["system"], "proxy": {"url": url, **more}}

    return build


def fixed_response(
    rule: str, labels: Mapping[str, str] = MappingProxyType({"seen:80": "203.0.113.20"})
) -> Callable[[Network], Config]:
    """Make a haproxy the proxy, which answers every request alike."""

    def build(network: Network) -> Config:
        haproxy(
            network.firewall,
            f"frontend proxy\n  mode http\n  bind :3128\n  timeout http-request 60s\n  {rule}\n",
            tcp=(3128,),
        )
        return via_proxy(start_services(network, dict(labels)))

    return build


def web_server(network: Network) -> Config:
    """Configure a web server as the proxy: it answers every request with a page."""
    nginx(network.firewall, http_server(listen="3128"), tcp=(3128,))
    return via_proxy(start_services(network, {"seen:80": "203.0.113.20"}))


def proxy_not_listening(network: Network) -> Config:
    """Configure a proxy address where nothing listens."""
    return via_proxy(start_services(network, {"seen:80": "203.0.113.20"}))


def proxy_name_unknown(network: Network) -> Config:
    """Configure a proxy whose name does not exist."""
    built = start_services(network, {"seen:80": "203.0.113.20"})
    return {**built, "proxy": {"url": f"http://{host('no-proxy')}:3128"}}


def bypass_list(network: Network) -> Config:
    """Bypass the proxy for one name, which it would deny."""
    squid(
        network.firewall,
        f"http_port 3128\nacl denied dstdomain {host('beside')}\nhttp_access deny denied\n"
        "http_access allow all",
    )
    built = start_services(network, {"beside": "203.0.113.20"})
    return {**built, "proxy": {"url": PROXY, "bypass": [host("beside") + ":443"]}}


def only_proxy_allowed(network: Network) -> Config:
    """Allow DNS and the proxy, and drop every direct connection."""
    squid(network.firewall, ALLOW_ALL)
    network.firewall.iptables("FORWARD -i inside -p tcp -j DROP")
    built = start_services(network, {"seen:80": "203.0.113.20", "other": "203.0.113.21"})
    return {**built, "proxy": {"url": PROXY}}


def only_proxy_resolves(network: Network) -> Config:
    """Leave DNS to the proxy alone."""
    squid(network.firewall, ALLOW_ALL)
    return via_proxy(start_services(network, {"other": "203.0.113.21"}))


def proxy_denies_one(network: Network) -> Config:
    """Deny one name at the proxy, which a direct connection reaches."""
    squid(
        network.firewall,
        f"http_port 3128\nacl denied dstdomain {host('denied')}\nhttp_access deny denied\n"
        "http_access allow all",
    )
    built = start_services(network, {"denied": "203.0.113.20", "seen:80": "203.0.113.20"})
    return {**built, "proxy": {"url": PROXY}}


ANSWERS_TO_CONNECT = {
    "proxy_redirected": "http-request redirect location https://login.corp.example/?u=1 code 302",
    "proxy_login_required": "http-request return status 511 content-type text/html string <html>login</html>",
    "proxy_rate_limited": "http-request return status 429 hdr Retry-After 30",
    "proxy_page_for_tunnel": "http-request return status 200 content-type text/html string <html>no</html>",
    "proxy_refused": "http-request return status 418",
}
"""By reason: what a haproxy says to every CONNECT."""

PROXY_WORLDS = (
    *(
        World(
            name=f"{reason}_by_answer",
            build=fixed_response(rule, {}),
            healthy=False,
            rows=(row(f"{reason}_by_haproxy", f"healthy blocked {reason} explicit_proxy confirmed"),),
        )
        for reason, rule in ANSWERS_TO_CONNECT.items()
    ),
    World(
        name="proxy_silent",
        build=fixed_response("http-request silent-drop", {}),
        healthy=False,
        rows=(row("proxy_no_answer_by_haproxy", "healthy blocked proxy_no_answer explicit_proxy medium"),),
    ),
    World(
        name="proxy_forwarding",
        build=forwarding,
        rows=(
            row("proxy_denied_by_squid", "denied blocked proxy_denied explicit_proxy confirmed"),
            row("proxy_denied_in_plain_by_squid", "denied:80 blocked proxy_denied explicit_proxy confirmed"),
            row("proxy_port_denied_by_squid", "ported:8443 blocked proxy_port_denied explicit_proxy high"),
            row(
                "proxy_upstream_refused_by_squid",
                "refused:9443 blocked proxy_upstream_refused firewall_l3l4 confirmed",
            ),
            row(
                "proxy_upstream_refused_in_plain",
                "refused-plain:80 blocked proxy_upstream_refused firewall_l3l4 confirmed",
            ),
            row(
                "proxy_upstream_timeout_by_squid",
                "dropped blocked proxy_upstream_timeout firewall_l3l4 confirmed",
            ),
            row(
                "proxy_upstream_timeout_in_plain",
                "dropped-plain:80 blocked proxy_upstream_timeout firewall_l3l4 confirmed",
            ),
            row(
                "proxy_upstream_unreachable_by_squid",
                "unreachable blocked proxy_upstream_unreachable firewall_l3l4 confirmed",
            ),
            row(
                "proxy_upstream_dns_failed_by_squid",
                "absent down proxy_upstream_dns_failed dns_resolver high",
            ),
            row(
                "proxy_upstream_error_of_a_name_that_does_not_exist",
                "absent-plain:80 down proxy_upstream_error explicit_proxy medium..high",
                why="for plain HTTP, squid 5 reports only a read error",
            ),
            row("proxy_forwards_plain_http", "seen:80 ok - - -"),
            row("proxy_forwards_the_origins_403", "says-403:80 ok - - -"),
            row("proxy_forwards_the_origins_503", "says-503:80 ok - - -"),
            row(
                "proxy_tunnel_stall_behind_squid",
                "silent:9444 blocked proxy_tunnel_stall explicit_proxy medium",
            ),
            row(
                "proxy_tunnel_closed_behind_squid",
                "closing:9445 blocked proxy_tunnel_closed explicit_proxy medium",
            ),
        ),
    ),
    World(
        name="proxy_login_missing",
        build=login(None),
        healthy=False,
        rows=(
            row(
                "proxy_auth_required_by_squid",
                "healthy blocked proxy_auth_required explicit_proxy confirmed",
                finding="proxy_auth_required",
            ),
            row(
                "proxy_auth_required_in_plain", "seen:80 blocked proxy_auth_required explicit_proxy confirmed"
            ),
        ),
    ),
    World(
        name="proxy_login_wrong",
        build=login("wrong-" + PASSWORD),
        healthy=False,
        rows=(
            row(
                "proxy_auth_rejected_by_squid",
                "healthy blocked proxy_auth_rejected explicit_proxy confirmed",
                finding="proxy_auth_rejected",
            ),
            row(
                "proxy_auth_rejected_in_plain", "seen:80 blocked proxy_auth_rejected explicit_proxy confirmed"
            ),
        ),
    ),
    World(
        name="proxy_login_right",
        build=login(PASSWORD),
        harmless=True,
        rows=(row("proxy_login_lets_plain_http_through", "seen:80 ok - - -"),),
    ),
    World(
        name="proxy_login_unsupported",
        build=ntlm_only,
        healthy=False,
        rows=(
            row(
                "proxy_auth_unsupported_by_squid_ntlm",
                "healthy blocked proxy_auth_unsupported explicit_proxy confirmed",
                finding="proxy_auth_unsupported",
            ),
        ),
    ),
    World(
        name="proxy_ssl_bump",
        build=ssl_bump,
        rows=(
            row(
                "proxy_inspects_some_names",
                "bumped-1 blocked tls_mitm_untrusted - medium",
                finding="tls_mitm_untrusted",
                says="Corp Web Gateway Inspection CA",
            ),
            row("proxy_splices_other_names", "spliced-1 ok - - -"),
            row(
                "proxy_tunnel_closed_on_sni_by_squid",
                "cut blocked proxy_tunnel_closed_on_sni explicit_proxy high",
            ),
            row(
                "proxy_block_page_in_tunnel_by_squid",
                "denied blocked proxy_block_page_in_tunnel explicit_proxy confirmed",
            ),
            row(
                "proxy_origin_untrusted_by_squid",
                "badly-signed blocked proxy_origin_untrusted - medium",
            ),
        ),
    ),
    World(
        name="proxy_by_tls",
        build=tls_to_proxy(ca=True),
        harmless=True,
        rows=(row("proxy_by_tls_hands_on_plain_http", "seen:80 ok - - -"),),
    ),
    World(
        name="proxy_by_tls_untrusted",
        build=tls_to_proxy(ca=False),
        healthy=False,
        rows=(
            row(
                "proxy_certificate_untrusted_by_squid",
                "healthy blocked proxy_certificate_untrusted local_host confirmed",
                finding="proxy_certificate_untrusted",
            ),
        ),
    ),
    World(
        name="proxy_by_tls_to_a_plain_port",
        build=tls_to_proxy(ca=True, url="https://proxy.corp.example:3128"),
        healthy=False,
        rows=(
            row(
                "proxy_not_connect_capable_without_tls",
                "healthy blocked proxy_not_connect_capable egressd_env high",
                finding="proxy_not_connect_capable",
            ),
        ),
    ),
    World(
        name="proxy_is_a_web_server",
        build=web_server,
        healthy=False,
        rows=(
            row(
                "proxy_not_connect_capable_by_nginx",
                "healthy blocked proxy_not_connect_capable egressd_env high",
            ),
            row(
                "proxy_not_connect_capable_in_plain",
                "seen:80 blocked proxy_not_connect_capable egressd_env high",
                why="a page for every request is not the origin's response",
            ),
        ),
    ),
    World(
        name="proxy_answers_502",
        build=fixed_response("http-request return status 502"),
        healthy=False,
        rows=(
            row("proxy_upstream_error_by_haproxy", "healthy down proxy_upstream_error explicit_proxy medium"),
            row(
                "proxy_upstream_error_in_plain",
                "seen:80 down proxy_upstream_error explicit_proxy low..medium",
                why="nothing shows who sent it",
            ),
        ),
    ),
    World(
        name="proxy_answers_403",
        build=fixed_response("http-request deny deny_status 403"),
        healthy=False,
        rows=(
            row("proxy_denied_by_haproxy", "healthy blocked proxy_denied explicit_proxy high"),
            row(
                "proxy_denied_in_plain_by_haproxy",
                "seen:80 blocked proxy_denied explicit_proxy low..medium",
                why="nothing shows who sent it",
            ),
        ),
    ),
    World(
        name="proxy_closes_connections",
        build=fixed_response("http-request reject"),
        healthy=False,
        rows=(
            row("proxy_closed_by_haproxy", "healthy blocked proxy_closed explicit_proxy medium"),
            row("proxy_closed_in_plain", "seen:80 blocked proxy_closed explicit_proxy medium"),
        ),
    ),
    World(
        name="proxy_not_listening",
        build=proxy_not_listening,
        healthy=False,
        rows=(
            row(
                "proxy_unreachable_on_a_closed_port",
                "healthy blocked proxy_unreachable explicit_proxy confirmed",
                finding="proxy_unreachable",
            ),
        ),
    ),
    World(
        name="proxy_name_unknown",
        build=proxy_name_unknown,
        healthy=False,
        rows=(
            row(
                "proxy_name_unresolvable_by_unbound",
                "healthy blocked proxy_name_unresolvable dns_resolver confirmed",
                finding="proxy_name_unresolvable",
            ),
        ),
    ),
    World(
        name="proxy_bypassed",
        build=bypass_list,
        harmless=True,
        rows=(row("proxy_bypass_is_followed", "beside ok - - -"),),
    ),
    World(
        name="proxy_only",
        build=only_proxy_allowed,
        arguments=("--compare-paths",),
        harmless=True,
        rows=(
            row(
                "proxy_required_where_direct_is_blocked",
                "other ok - - -",
                also="proxy_required",
                finding="site_requires_proxy",
            ),
        ),
    ),
    World(
        name="proxy_resolves_names",
        build=only_proxy_resolves,
        arguments=("--compare-paths",),
        harmless=True,
        rows=(
            row(
                "dns_not_required_behind_a_proxy",
                "other ok - - -",
                also="dns_not_required",
                finding="site_requires_proxy",
            ),
        ),
    ),
    World(
        name="proxy_denies_one",
        build=proxy_denies_one,
        arguments=("--compare-paths",),
        rows=(
            row(
                "proxy_breaks_path_of_a_denied_name",
                "denied blocked proxy_breaks_path explicit_proxy high",
                also="proxy_denied",
                finding="proxy_breaks_path",
            ),
            row("proxy_and_direct_both_work", "seen:80 ok - - -"),
        ),
    ),
)
