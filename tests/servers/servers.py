"""Real servers of Debian, configured for one behaviour per port."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.servers.certificates import ZONE
from tests.servers.namespace import ServerNamespace

ANSWER = "20.60.7.7"
"""The DNS answer for every working name; `connect_to` leads connections to a port of this host."""
SINKHOLE = "146.112.61.104"
PRIVATE = "10.9.9.9"

TLS_PORTS = {
    "healthy": ("good", "http2"),
    "healthy-h1": ("good", ""),
    "expired": ("expired", ""),
    "early": ("early", ""),
    "other-name": ("other-name", ""),
    "leaf-only": ("leaf-only", ""),
    "inspected": ("inspected", ""),
    "self-signed": ("self-signed", ""),
    "no-san": ("no-san", ""),
    "old-tls": ("good", "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"),
    "other-ciphers": ("good", "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-CAMELLIA256-SHA384;"),
    "rejects-names": ("good", "ssl_reject_handshake on;"),
}
"""The certificate of each port, and its nginx directives."""
STATUSES = (401, 403, 404, 500)

PLAIN_PORTS = {
    "http-healthy": "return 200 ok;",
    "http-block-page": (
        "default_type text/html; return 403 "
        "'<html><title>Web Page Blocked!</title><body>Powered By FortiGuard</body></html>';"
    ),
    "http-azure-firewall": "return 470 'Action: Deny. Reason: No rule matched.';",
    "http-portal": "return 302 http://login.portal.elsewhere.example/hello;",
    "http-replaced": "default_type text/html; return 200 '<html><title>Scanning</title>please wait</html>';",
}

FAULTY_TCP = (
    "reset_after_hello",
    "silent_after_hello",
    "alert_80",
    "ssh",
    "half_record",
    "half_record_fin",
    "garbage",
    "endless_header",
    "one_endless_line",
    "gigabyte",
    "drip",
    "truncated",
    "nothing",
    "full_backlog",
)
FAULTY_DNS = ("dns_servfail", "dns_silent", "dns_noise", "dns_loop")


def start_nginx(namespace: ServerNamespace) -> None:
    """Start one nginx with a port per behaviour."""
    config = namespace.folder / "nginx.conf"
    config.write_text(
        "daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; server_names_hash_bucket_size 128;\n"
        + "".join(
            f"  {kind}_temp_path {namespace.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi")
        )
        + "".join(f"  {kind}_temp_path {namespace.folder}/{kind};\n" for kind in ("uwsgi", "scgi"))
        + "\n".join([*_tls_servers(namespace), *_plain_servers(namespace)])
        + "\n}\n",
        encoding="utf-8",
    )
    ports = tuple(namespace.port(name) for name in (*TLS_PORTS, *PLAIN_PORTS))
    namespace.start("nginx", "-p", str(namespace.folder), "-e", "stderr", "-c", str(config), tcp=ports)


def _tls_servers(namespace: ServerNamespace) -> Iterator[str]:
    answers = "".join(f"location /{code} {{ return {code} 'no'; }} " for code in STATUSES)
    folder = namespace.folder
    for name, (certificate, more) in TLS_PORTS.items():
        http2 = " http2" if more == "http2" else ""
        directives = "" if more == "http2" else more
        yield (
            f"  server {{ listen 127.0.0.1:{namespace.port(name)} ssl{http2}; "
            f"ssl_certificate {folder}/{certificate}.pem; ssl_certificate_key {folder}/{certificate}.key; "
            f"{directives} {answers} location / {{ return 200 ok; }} }}"
        )


def _plain_servers(namespace: ServerNamespace) -> Iterator[str]:
    for name, directives in PLAIN_PORTS.items():
        yield f"  server {{ listen 127.0.0.1:{namespace.port(name)}; location / {{ {directives} }} }}"


def start_haproxy(namespace: ServerNamespace) -> None:
    """Start one haproxy that reads the ClientHello and then ends the connection in different ways."""
    behaviours = {
        "haproxy-reject": "tcp-request content reject",
        "haproxy-silent": "tcp-request content silent-drop",
        "haproxy-refuse": "tcp-request connection reject",
    }
    lines = ["defaults", "  mode tcp", "  timeout connect 5s", "  timeout client 60s", "  timeout server 60s"]
    for name, rule in behaviours.items():
        hello = ["  tcp-request inspect-delay 5s"] if "content" in rule else []
        wait = " if { req.ssl_hello_type 1 }" if "content" in rule else ""
        lines += [f"frontend {name}", f"  bind 127.0.0.1:{namespace.port(name)}", *hello, f"  {rule}{wait}"]
        lines += ["  default_backend nowhere"]
    lines += ["backend nowhere", f"  server none 127.0.0.1:{namespace.port('closed')}", ""]
    config = namespace.folder / "haproxy.cfg"
    config.write_text("\n".join(lines), encoding="utf-8")
    ports = tuple(namespace.port(name) for name in behaviours)
    namespace.start("haproxy", "-db", "-f", str(config), tcp=ports)


def start_openssl(namespace: ServerNamespace) -> None:
    """Start `openssl s_server` that requires a client certificate, with TLS 1.3 and TLS 1.2."""
    for name, version in (("wants-client-13", "-tls1_3"), ("wants-client-12", "-tls1_2")):
        certificate = str(namespace.folder / "good")
        command = ["openssl", "s_server", "-quiet", "-www", version, "-Verify", "1", "-verify_return_error"]
        command += [
            "-CAfile",
            str(namespace.folder / "public.pem"),
            "-accept",
            f"127.0.0.1:{namespace.port(name)}",
        ]
        command += [
            "-cert",
            f"{certificate}.pem",
            "-cert_chain",
            f"{certificate}.pem",
            "-key",
            f"{certificate}.key",
        ]
        namespace.start(*command, tcp=(namespace.port(name),))


def start_unbound(namespace: ServerNamespace) -> None:
    """Start an unbound with the zone, which answers some names as a DNS filter does."""
    policies = {
        "refused": "refuse",
        "dropped": "deny",
        "filtered": "always_nxdomain",
        "nodata": "always_nodata",
        "null": "always_null",
        "sinkhole": "redirect",
        "bogon": "redirect",
    }
    data = {"sinkhole": SINKHOLE, "bogon": PRIVATE}
    lines = [
        "server:",
        f"  interface: 127.0.0.1@{namespace.port('unbound')}",
        '  do-daemonize: no\n  username: ""\n  chroot: ""\n  pidfile: ""\n  use-syslog: no\n  num-threads: 1',
        f'  directory: "{namespace.folder}"\n  module-config: "iterator"\n  do-not-query-localhost: no',
        "  do-ip6: no\n  access-control: 127.0.0.0/8 allow\n  edns-buffer-size: 1232",
        f'  local-zone: "{ZONE}." static',
        f'  local-data: "{ZONE}. 300 IN SOA ns.{ZONE}. host.{ZONE}. 1 3600 900 86400 300"',
        f'  local-zone: "good.{ZONE}." redirect\n  local-data: "good.{ZONE}. 300 IN A {ANSWER}"',
    ]
    for name in (
        *TLS_PORTS,
        *PLAIN_PORTS,
        *FAULTY_TCP,
        "haproxy-reject",
        "haproxy-silent",
        "haproxy-refuse",
    ):
        label = name.replace("_", "-")
        lines.append(f'  local-data: "{label}.{ZONE}. 300 IN A {ANSWER}"')
    lines += [f'  local-data: "{label}.{ZONE}. 300 IN A {ANSWER}"' for label in EXTRA_NAMES]
    for name, policy in policies.items():
        lines.append(f'  local-zone: "{name}.{ZONE}." {policy}')
        if name in data:
            lines.append(f'  local-data: "{name}.{ZONE}. 300 IN A {data[name]}"')
    lines += [f'  local-zone: "broken.{ZONE}." transparent', "forward-zone:", f'  name: "broken.{ZONE}."']
    lines += [f"  forward-addr: 127.0.0.1@{namespace.port('dns_servfail')}", ""]
    config = namespace.folder / "unbound.conf"
    config.write_text("\n".join(lines), encoding="utf-8")
    port = namespace.port("unbound")
    namespace.start("unbound", "-d", "-c", str(config), tcp=(port,), udp=(port,))


EXTRA_NAMES = ("closed", "wants-client-13", "wants-client-12")


def start_dnsmasq(namespace: ServerNamespace) -> None:
    """Start a dnsmasq that answers every name of the zone: a second resolver without filters."""
    port = namespace.port("dnsmasq")
    command = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]
    command += ["--bind-interfaces", "--listen-address=127.0.0.1", f"--port={port}", "--pid-file="]
    command += [f"--address=/{ZONE}/{ANSWER}", "--user=", "--group=", "--log-facility=-"]
    namespace.start(*command, tcp=(port,), udp=(port,))


def start_faulty_servers(namespace: ServerNamespace) -> None:
    """Start the servers whose faults no real program can be configured to have."""
    words = [f"{name}={namespace.port(name)}" for name in (*FAULTY_TCP, *FAULTY_DNS)]
    namespace.start(
        sys.executable,
        str(Path(__file__).with_name("faulty_servers.py")),
        *words,
        tcp=tuple(namespace.port(name) for name in FAULTY_TCP),
        udp=tuple(namespace.port(name) for name in FAULTY_DNS),
    )


PROGRAMS = {
    "nginx": start_nginx,
    "haproxy": start_haproxy,
    "openssl": start_openssl,
    "unbound": start_unbound,
    "dnsmasq": start_dnsmasq,
}
"""The programs that must be installed, and the functions that start them."""
