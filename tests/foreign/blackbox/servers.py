"""The servers that blackbox_exporter's tests probe, each at an address of its own."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.foreign.blackbox import odd_servers
from tests.foreign.blackbox.rows import PROBED, Probed
from tests.foreign.certificates import NOW, Authority, Leaf, subject, write_chain
from tests.foreign.internet import add_public_addresses, zone_options
from tests.net.programs import nginx, unbound
from tests.net.run_egressd import endpoint
from tests.net.topology import RESOLVER, Network

ZONE = "prober.example"
OTHER_ZONE, OTHER_ADDRESS = "another.example", "62.80.4.9"
ADDRESSES = {one.row.name: f"62.80.4.{10 + number}" for number, one in enumerate(PROBED)}
ANSWERS = {
    "redirect": "location = / { return 302 /next; } location = /next { return 200 there; }",
    "redirect-loop": "location / { return 302 http://$host/; }",
    "redirect-https-other": f"location / {{ return 301 https://www.{OTHER_ZONE}/; }}",
    "redirect-https-same": "location / { return 301 https://$host/; }",
    "basic-auth": "location / { add_header WWW-Authenticate 'Basic realm=x' always; return 401; }",
}
"""What hosts in clear answer; the statuses follow from the names of their rows."""
CERTIFICATES = ("https-selfsigned", "https-trustedself", "https-wrongname", "https-2days", "tls-2days")
"""Hosts that are special by their certificate only."""
SOUND = ("redirect-https-same", OTHER_ZONE)
"""Where redirects lead."""
ALSO_OPEN = 8443
"""Another port at the address with a closed one."""


def build(network: Network) -> dict[str, Any]:
    """Start the servers; return the configuration that probes them."""
    add_public_addresses(network)
    folder = network.folder / "sites"
    folder.mkdir()
    _write_certificates(folder)
    records = [f"{one.row.name}.{ZONE}. 300 IN A {ADDRESSES[one.row.name]}" for one in PROBED]
    zones = {
        "": [],
        ZONE: records,
        OTHER_ZONE: [f"www.{OTHER_ZONE}. 300 IN A {OTHER_ADDRESS}"],
        "example.com": ["example.com. 300 IN A 62.80.8.8"],
    }
    unbound(network.server, server=tuple(zone_options(zones)))
    _start_odd_servers(network, folder)
    _start_sites(network, folder)
    return {
        "profiles": [],
        "resolvers": [RESOLVER],
        "trust": {"store": str(folder / "store.pem"), "public_roots": str(folder / "root.pem")},
        "endpoints": [_endpoint(one) for one in PROBED],
        "probe": {"families": ["ipv4"], "dns_timeout": "2s", "connect_timeout": "3s", "deadline": "20s"},
    }


def _endpoint(probed: Probed) -> dict[str, Any]:
    """Return the endpoint of a row; a resolver is named by its address."""
    name = probed.row.name
    host = ADDRESSES[name] if name in odd_servers.RESOLVERS else f"{name}.{ZONE}"
    return endpoint(host, id=name, port=probed.port, **probed.more)


def _write_certificates(folder: Path) -> None:
    root = Authority.make(subject("Plain Trust Root R3", "Plain Trust Services"))
    intermediate = Authority.make(subject("Plain Trust TLS CA 7", "Plain Trust Services"), issuer=root)
    for label in (*CERTIFICATES, *odd_servers.IN_TLS, *SOUND):
        name = f"www.{label}" if label == OTHER_ZONE else f"{label}.{ZONE}"
        leaf = Leaf(names=(name,), subject=subject(name))
        if label.endswith("-2days"):
            leaf = replace(leaf, until=NOW + timedelta(days=2))
        if label == "https-wrongname":
            leaf = replace(leaf, names=("portal.elsewhere.example",))
        if "self" in label:
            issued = leaf.issue(None)
            write_chain(folder, label, issued)
        else:
            write_chain(folder, label, leaf.issue(intermediate), intermediate.issued)
    trusted = (folder / "https-trustedself.pem").read_bytes()
    (folder / "root.pem").write_bytes(root.issued.pem)
    (folder / "store.pem").write_bytes(root.issued.pem + trusted)
    for one in folder.iterdir():
        one.chmod(0o644)


def _start_odd_servers(network: Network, folder: Path) -> None:
    """Start the program with the servers that nginx can't be."""
    names = (*odd_servers.SERVERS, *odd_servers.IN_TLS, *odd_servers.RESOLVERS)
    ports = {one.row.name: one.port for one in PROBED}
    words = [f"{name}={ADDRESSES[name]}:{ports[name]}" for name in names]
    listening = tuple({ports[name] for name in names})
    program = Path(odd_servers.__file__)
    network.server.start(sys.executable, str(program), str(folder), *words, tcp=listening)


def _start_sites(network: Network, folder: Path) -> None:
    """Start nginx for what is an ordinary web server."""
    nginx(
        network.server,
        *(_in_clear(label) for label in ADDRESSES if label.startswith("status-") or label in ANSWERS),
        *(_in_tls(folder, label) for label in (*CERTIFICATES, *SOUND)),
        f"server {{ listen {ADDRESSES['tcp-noport']}:{ALSO_OPEN}; return 200 open; }}",
        tcp=(80, 443, ALSO_OPEN),
    )


def _in_clear(label: str) -> str:
    if label.startswith("status-"):
        answer = f"location / {{ return {label.split('-')[1]} '<html>{label}</html>'; }}"
    else:
        answer = ANSWERS[label]
    return f"server {{ listen {ADDRESSES[label]}:80; default_type text/html; {answer} }}"


def _in_tls(folder: Path, label: str) -> str:
    address = OTHER_ADDRESS if label == OTHER_ZONE else ADDRESSES[label]
    return (
        f"server {{ listen {address}:443 ssl http2; return 200 fine; "
        f"ssl_certificate {folder}/{label}.pem; ssl_certificate_key {folder}/{label}.key; }}"
    )
