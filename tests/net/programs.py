"""Real programs in a namespace: unbound, dnsmasq, nginx, haproxy and squid, each configured by its caller.

Each function writes the lines that every configuration needs and waits until the program listens; the fault
is the caller's part. Certificates are those of `tests/servers/certificates.py`, in the network's folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.net.topology import RESOLVER, Host, Network, run
from tests.servers.certificates import ZONE, authority, write_certificates


def pki_folder(network: Network) -> Path:
    """Return the network's folder of certificates: `good.pem`, `good.key`, ..., `public.pem`."""
    folder = network.folder / "certificates"
    if not folder.exists():
        folder.mkdir()
        write_certificates(folder)
        for one in folder.iterdir():
            one.chmod(0o644)
    return folder


def unbound(
    host: Host, *, records: Iterable[str] = (), server: Iterable[str] = (), more: str = "", at: str = RESOLVER
) -> None:
    """Start a resolver that is authoritative for its records' zone; `server` are options, `more` clauses.

    A record is a line as in a zone file, with full names and no final dot wanted.
    """
    lines = [
        "server:",
        f"interface: {at}@53",
        "interface-automatic: no",
        "do-daemonize: no",
        'username: ""',
        'chroot: ""',
        'pidfile: ""',
        "use-syslog: no",
        "verbosity: 1",
        "num-threads: 1",
        "outgoing-range: 64",
        "do-not-query-localhost: no",
        "access-control: 0.0.0.0/0 allow",
        "access-control: ::/0 allow",
        *_zone(tuple(records)),
        *server,
    ]
    if not any(line.startswith("module-config") for line in lines):
        lines.append('module-config: "respip iterator"')
    path = host.folder / f"unbound-{len(host.started)}.conf"
    path.write_text("\n  ".join(lines) + f"\n{more}\n", encoding="utf-8")
    host.start("unbound", "-d", "-c", str(path), tcp=(53,), udp=(53,))


def _zone(records: tuple[str, ...]) -> tuple[str, ...]:
    if not records:
        return ()
    return (
        f'local-zone: "{ZONE}." static',
        f'local-data: "{ZONE}. 300 IN SOA ns.{ZONE}. host.{ZONE}. 1 3600 900 86400 300"',
        *(f"local-data: '{one}'" for one in records),
    )


def dnsmasq(host: Host, *options: str, at: str) -> None:
    """Start a resolver that knows only what the options say: `address=/NAME/ADDRESS`, `cname=...`."""
    path = host.folder / f"dnsmasq-{len(host.started)}.conf"
    path.write_text("\n".join(options) + "\n", encoding="utf-8")
    words = ["dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", f"--conf-file={path}"]
    words += ["--bind-interfaces", f"--listen-address={at}", "--pid-file=", "--user=root", "--group="]
    host.start(*words, "--log-facility=-", tcp=(53,), udp=(53,))


def https_server(
    *,
    listen: str = "443",
    certificate: str = "good",
    folder: Path,
    http2: bool = True,
    options: str = "",
    answer: str = "return 200 ok;",
) -> str:
    """Return an nginx server block with TLS."""
    return (
        f"server {{ listen {listen} ssl{' http2' if http2 else ''}; listen [::]:{listen.rpartition(':')[2]} "
        f"ssl{' http2' if http2 else ''}; ssl_certificate {folder}/{certificate}.pem; "
        f"ssl_certificate_key {folder}/{certificate}.key; {options} location / {{ {answer} }} }}"
    )


def http_server(*, listen: str = "80", options: str = "", answer: str = "return 200 ok;") -> str:
    """Return an nginx server block with plain HTTP."""
    port = listen.rpartition(":")[2]
    return f"server {{ listen {listen}; listen [::]:{port}; {options} location / {{ {answer} }} }}"


def issuer_location(network: Network) -> str:
    """Return an nginx location with the issuer certificate that the chains name (AIA)."""
    return f"location = /issuer.cer {{ root {pki_folder(network)}; }}"


def nginx(host: Host, *servers: str, tcp: tuple[int, ...] = (80, 443)) -> None:
    """Start nginx with server blocks."""
    folder = host.folder / f"nginx-{len(host.started)}"
    folder.mkdir()
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [
        "daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr;",
        "events { worker_connections 4096; }",
        "http { ssl_protocols TLSv1.2 TLSv1.3; access_log off; default_type text/plain;",
        "server_names_hash_bucket_size 128;",
        *(f"{kind}_temp_path {folder}/{kind};" for kind in temporary),
        *servers,
        "}",
    ]
    path = folder / "nginx.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    host.start("nginx", "-p", str(folder), "-e", "stderr", "-c", str(path), tcp=tcp)


def haproxy(host: Host, text: str, *, tcp: tuple[int, ...] = (443,)) -> None:
    """Start haproxy with sections after `defaults mode tcp`."""
    path = host.folder / f"haproxy-{len(host.started)}.cfg"
    head = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
    path.write_text(f"{head}{text}\n", encoding="utf-8")
    host.start("haproxy", "-db", "-f", str(path), tcp=tcp)


def inspection_ca(network: Network, name: str = "Corp Web Gateway Inspection CA") -> Path:
    """Make a private root CA for TLS inspection; return its PEM file with the key, as squid reads it.

    `trusted.pem` beside it is a trust store with this CA.
    """
    own = authority(name, organization="Corp IT")
    key = own.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    folder = pki_folder(network)
    path = folder / "ca.pem"
    path.write_bytes(own.pem() + key)
    (folder / "trusted.pem").write_bytes((folder / "public.pem").read_bytes() + own.pem())
    path.chmod(0o644)
    return path


def squid(host: Host, text: str, *, tcp: tuple[int, ...] = (3128,)) -> Path:
    """Start squid with a configuration; return its folder, where `access.log` is.

    The folder belongs to the user squid runs as. `inspection_ca` makes what `ssl_bump` signs with.
    """
    folder = squid_folder(host)
    path = folder / "squid.conf"
    lines = [
        f"pid_filename {folder}/squid.pid",
        f"cache_log {folder}/cache.log",
        f"access_log stdio:{folder}/access.log",
        f"coredump_dir {folder}",
        "cache deny all",
        "shutdown_lifetime 0 seconds",
        f"dns_nameservers {RESOLVER}",
        "visible_hostname proxy.corp.example",
        f"sslcrtd_program {CERTIFICATE_MAKER} -s {folder}/certificates -M 4MB",
        text,
    ]
    if "ssl_bump" in text:
        run(CERTIFICATE_MAKER, "-c", "-s", str(folder / "certificates"), "-M", "4MB")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for one in (folder, *folder.rglob("*")):
        shutil.chown(one, "proxy", "proxy")
    host.start("squid", "-N", "-n", host.name.replace("-", ""), "-f", str(path), tcp=tcp)
    return folder


CERTIFICATE_MAKER = "/usr/lib/squid/security_file_certgen"


def squid_folder(host: Host) -> Path:
    """Return the folder of a namespace's squid, made where it is not there."""
    folder = host.folder / "squid"
    folder.mkdir(exist_ok=True)
    return folder
