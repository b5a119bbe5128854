"""badssl's zoo: one address, one wildcard certificate, and beside it every odd certificate and protocol.

OpenSSL 3 can't offer RC4 or 3DES. A server with only ciphers that no client offers ends the handshake alike.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from textwrap import wrap
from typing import Any

from tests.foreign.badssl.chains import write_chains
from tests.foreign.badssl.rows import PORTS, ROWS, ZONE
from tests.foreign.internet import add_public_addresses, zone_options
from tests.net.programs import haproxy, http_server, nginx, unbound
from tests.net.run_egressd import endpoint
from tests.net.topology import RESOLVER, Network, run

ADDRESS, PKI_ADDRESS = "62.80.1.10", "62.80.1.80"
TLS_13_PORT = 9443
ANY = "ALL:eNULL:@SECLEVEL=0"
UNKNOWN_TO_CLIENTS = "ECDHE-RSA-CAMELLIA256-SHA384"
CIPHERS = {
    "cbc": "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA384",
    "3des": UNKNOWN_TO_CLIENTS,
    "rc4": UNKNOWN_TO_CLIENTS,
    "rc4-md5": UNKNOWN_TO_CLIENTS,
    "null": "NULL-SHA256",
    "static-rsa": "AES128-GCM-SHA256:AES128-SHA",
    "dh1024": "DHE-RSA-AES128-GCM-SHA256",
    "dh2048": "DHE-RSA-AES128-GCM-SHA256",
    "dh-composite": "DHE-RSA-AES128-GCM-SHA256",
    "dh-small-subgroup": "DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    "mozilla-intermediate": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
    "mozilla-old": "ALL",
}
"""What a host offers, where it is not everything. A client can't see a small subgroup: both ways lead in."""
DH_GROUPS = ("dh1024", "dh2048", "dh-composite", "dh-small-subgroup")
TO_CLEAR_TEXT = (
    "http",
    "http-credit-card",
    "http-dynamic-login",
    "http-login",
    "http-password",
    "http-textarea",
    "spoof",
    "www",
)
OLD_PROTOCOLS = {"ssl-v2": "TLSv1", "ssl-v3": "TLSv1", "tls-v1-0": "TLSv1", "tls-v1-1": "TLSv1.1"}
"""No OpenSSL of today speaks SSL 2 or 3; a server with TLS 1.0 alone answers a client with the same alert."""


def host_name(label: str) -> str:
    """Return a row's host: the apex is called after the zone."""
    return ZONE if label == "apex" else f"{label}.{ZONE}"


def build(network: Network) -> dict[str, Any]:
    """Start the zoo; return the configuration that probes each of its hosts."""
    add_public_addresses(network)
    folder = network.folder / "zoo"
    folder.mkdir()
    own = write_chains(folder)
    _write_dh_groups(folder)
    records = [f"{host_name(one.name)}. 300 IN A {ADDRESS}" for one in ROWS]
    records.append(f"pki.{ZONE}. 300 IN A {PKI_ADDRESS}")
    unbound(network.server, server=tuple(zone_options({ZONE: records})))
    nginx(
        network.server,
        _site(folder, "_", "wildcard", default=True),
        *(_site(folder, label, label if label in own else "wildcard") for label in sorted({*own, *SPECIAL})),
        *(_old_site(folder, label) for label in PORTS),
        _modern_site(folder),
        http_server(listen=f"{ADDRESS}:80", answer="return 200 '<html>in clear</html>';"),
        http_server(listen=f"{PKI_ADDRESS}:80", answer=f"root {folder};").replace("listen [::]:80;", ""),
        tcp=(80, TLS_13_PORT, *PORTS.values()),
    )
    _split_by_version(network)
    return {
        "profiles": [],
        "resolvers": [RESOLVER],
        "trust": {"store": str(folder / "root.pem"), "public_roots": str(folder / "root.pem")},
        "endpoints": [
            endpoint(host_name(one.name), port=PORTS.get(one.name, 443), id=one.name) for one in ROWS
        ],
        "probe": {"families": ["ipv4"], "deadline": "20s"},
    }


SPECIAL = {
    **{label: f"ssl_ciphers {ciphers}:@SECLEVEL=0;" for label, ciphers in CIPHERS.items()},
    "client": "ssl_verify_client on;",
    "client-cert-missing": "ssl_verify_client optional; if ($ssl_client_verify != FAIL) { return 400; }",
}
"""Options of hosts that are more than a certificate or a page."""


def _site(folder: Path, label: str, certificate: str, *, default: bool = False) -> str:
    """Return an nginx block on the port that haproxy forwards to."""
    listen = f"listen 127.0.0.1:8443 ssl http2{' default_server' if default else ''};"
    names = label if label == "_" else host_name(label)
    options = SPECIAL.get(label, f"ssl_ciphers {ANY};")
    if label in DH_GROUPS:
        options += f" ssl_dhparam {folder}/{label}.dh;"
    if "verify_client" in options:
        options += f" ssl_client_certificate {folder}/root.pem;"
    return (
        f"server {{ {listen} server_name {names}; ssl_protocols TLSv1 TLSv1.1 TLSv1.2; "
        f"ssl_certificate {folder}/{certificate}.pem; ssl_certificate_key {folder}/{certificate}.key; "
        f"{options} {_page(label)} }}"
    )


def _page(label: str) -> str:
    """Return what is served: a page, or for the default site also the redirects, which need no other site."""
    if label != "_":
        target = f"https://{host_name('extended-validation')}/"
        return (
            f"location / {{ return 301 {target}; }}" if label == "ev" else "location / { return 200 fine; }"
        )
    hosts = "|".join(TO_CLEAR_TEXT)
    return (
        "default_type text/html; location / { "
        f"if ($host ~ ^({hosts})\\.) {{ return 301 http://$host/; }} return 200 '<html>a page</html>'; }}"
    )


def _old_site(folder: Path, label: str) -> str:
    protocol = OLD_PROTOCOLS.get(label, "TLSv1.2")
    return (
        f"server {{ listen {ADDRESS}:{PORTS[label]} ssl; ssl_protocols {protocol}; ssl_ciphers {ANY}; "
        f"ssl_certificate {folder}/wildcard.pem; "
        f"ssl_certificate_key {folder}/wildcard.key; return 200 fine; }}"
    )


def _modern_site(folder: Path) -> str:
    return (
        f"server {{ listen 127.0.0.1:{TLS_13_PORT} ssl http2; ssl_protocols TLSv1.3; "
        f"ssl_certificate {folder}/wildcard.pem; ssl_certificate_key {folder}/wildcard.key; "
        "return 200 fine; }"
    )


def _split_by_version(network: Network) -> None:
    """Forward by name: nginx settles the version of TLS before it reads the name."""
    haproxy(
        network.server,
        f"frontend zoo\n  bind {ADDRESS}:443\n  tcp-request inspect-delay 5s\n"
        "  tcp-request content accept if { req.ssl_hello_type 1 }\n"
        f"  use_backend modern if {{ req.ssl_sni mozilla-modern.{ZONE} }}\n  default_backend usual\n"
        f"backend modern\n  server nginx 127.0.0.1:{TLS_13_PORT}\n"
        "backend usual\n  server nginx 127.0.0.1:8443\n",
        tcp=(443,),
    )


def _write_dh_groups(folder: Path) -> None:
    """Write groups for DHE: short, of a product of primes, with a small subgroup, and a sound one."""
    short = _named_group("dh_1024_160")
    groups = {
        "dh1024": short,
        "dh2048": _named_group("ffdhe2048"),
        "dh-small-subgroup": _named_group("dh_2048_224"),
        "dh-composite": _with_composite_modulus(short, folder),
    }
    for label, pem in groups.items():
        (folder / f"{label}.dh").write_text(pem, encoding="utf-8")


def _named_group(name: str) -> str:
    """Return the parameters of a group that OpenSSL knows, as PEM."""
    return run("openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:{name}")


def _with_composite_modulus(group: str, folder: Path) -> str:
    """Return a group with a modulus that no prime is: the multiple of three next to that of another group."""
    first = next(line for line in run("openssl", "asn1parse", stdin=group).splitlines() if "INTEGER" in line)
    modulus = int(first.rpartition(":")[2], 16)
    modulus -= modulus % 3 if (modulus - modulus % 3) % 2 else modulus % 3 + 3
    sequence = f"asn1=SEQUENCE:dh\n[dh]\np=INTEGER:0x{modulus:X}\ng=INTEGER:2\n"
    (folder / "composite.asn1").write_text(sequence, encoding="utf-8")
    words = ("-genconf", str(folder / "composite.asn1"), "-noout", "-out", str(folder / "composite.der"))
    run("openssl", "asn1parse", *words)
    der = (folder / "composite.der").read_bytes()
    body = "\n".join(wrap(b64encode(der).decode(), 64))
    return f"-----BEGIN DH PARAMETERS-----\n{body}\n-----END DH PARAMETERS-----\n"
