"""The servers that both programs probe: dnsmasq and nginx with 150 names, in a network namespace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.servers.certificates import ZONE, LeafSpec, authority, leaf
from tests.servers.namespace import ServerNamespace

ADDRESS = "20.60.7.7"
"""A public address, assigned to loopback in the namespace."""
HTTPS_NAMES = tuple(f"s{number}.{ZONE}" for number in range(130))
HTTP_NAMES = tuple(f"p{number}.{ZONE}" for number in range(20))
LOST_ZONE = f"lost.{ZONE}"
LOST_ADDRESS = "20.60.8.8"
"""An address that packets to are dropped without an answer."""
URLS = (*(f"https://{name}/" for name in HTTPS_NAMES), *(f"http://{name}/" for name in HTTP_NAMES))
EXPORTER_PORT = 9115


def start_servers(namespace: ServerNamespace) -> None:
    """Write all configurations and start the servers."""
    folder = namespace.folder
    root = authority("Bench Root", organization="Bench")
    intermediate = authority("Bench Issuing CA", organization="Bench", issuer=root)
    (folder / "root.pem").write_bytes(root.pem())
    leaf(folder, "server", LeafSpec(issuer=intermediate, sent_with=(intermediate,)))
    namespace.run("ip", "addr", "add", f"{ADDRESS}/32", "dev", "lo")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:5\n", encoding="ascii")
    _start_dns(namespace)
    _start_nginx(namespace)


def _start_dns(namespace: ServerNamespace) -> None:
    command = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]
    command += ["--bind-interfaces", "--listen-address=127.0.0.1", "--port=53", "--pid-file="]
    command += [f"--address=/{ZONE}/{ADDRESS}", f"--address=/{LOST_ZONE}/{LOST_ADDRESS}"]
    command += ["--user=", "--group=", "--log-facility=-"]
    namespace.start(*command, tcp=(53,), udp=(53,))


def _start_nginx(namespace: ServerNamespace) -> None:
    folder = namespace.folder
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        "daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; {temporary}\n"
        f"server {{ listen {ADDRESS}:80; location / {{ return 200 ok; }} }}\n"
        f"server {{ listen {ADDRESS}:443 ssl http2; ssl_certificate {folder}/server.pem; "
        f"ssl_certificate_key {folder}/server.key; location / {{ return 200 ok; }} }}\n}}\n",
        encoding="utf-8",
    )
    namespace.start(
        "nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), tcp=(80, 443)
    )


def egressd_config(namespace: ServerNamespace, *, first: int | None = None) -> Path:
    """Write the configuration of egressd (the `first` targets only): IPv4, and the same DNS server."""
    rows = [(name, 443, "https") for name in HTTPS_NAMES] + [(name, 80, "http") for name in HTTP_NAMES]
    return write_egressd_config(namespace, rows[:first], name=f"egressd-{len(rows[:first])}")


def write_egressd_config(
    namespace: ServerNamespace, rows: Sequence[tuple[str, int, str]], *, name: str
) -> Path:
    """Write a configuration with these targets: host, port and protocol of each."""
    endpoints = [
        {
            "id": host.split(".", maxsplit=1)[0],
            "service": "Bench",
            "host": host,
            "port": port,
            "protocol": protocol,
            "roles": ["machine"],
        }
        for host, port, protocol in rows
    ]
    root = str(namespace.folder / "root.pem")
    config = {
        "profiles": [],
        "resolvers": ["127.0.0.1"],
        "trust": {"store": root, "public_roots": root},
        "probe": {"families": ["ipv4"]},
        "endpoints": endpoints,
    }
    path = namespace.folder / f"{name}.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def start_exporter(namespace: ServerNamespace) -> int:
    """Start the exporter with the namespace's DNS server; return its process id."""
    module = {
        "prober": "http",
        "timeout": "10s",
        "http": {
            "preferred_ip_protocol": "ip4",
            "tls_config": {"ca_file": str(namespace.folder / "root.pem")},
        },
    }
    config = namespace.folder / "blackbox.yml"
    config.write_text(json.dumps({"modules": {"http_2xx": module}}), encoding="utf-8")
    own_dns = f"mount --bind {namespace.folder}/resolv.conf /etc/resolv.conf && exec "
    exporter = (
        f"prometheus-blackbox-exporter --config.file={config} "
        f"--web.listen-address=127.0.0.1:{EXPORTER_PORT} --log.level=error"
    )
    namespace.start("unshare", "--mount", "sh", "-c", own_dns + exporter, tcp=(EXPORTER_PORT,))
    return namespace.started[-1].pid
