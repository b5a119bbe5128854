"""A network of one host whose servers name URLs that lead back into it: run in a namespace of its own.

Usage: `unshare -rn python -m tests.hostile.url_world [--proxy]`. It probes the servers with `egressd --once`
and prints as JSON who was connected to, what the proxy was asked for, and the report.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset
import yaml
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.foreign.certificates import (
    Authority,
    Issued,
    Leaf,
    Pki,
    ordinary_key,
    revocation_list,
    subject,
    write_chain,
)

OWN, METADATA, NEIGHBOUR = "20.1.2.3", "169.254.169.254", "10.9.8.7"
ADDRESSES = (OWN, METADATA, NEIGHBOUR, "192.168.1.1", "100.100.100.200", "168.63.129.16")
ADDRESSES6 = ("fd00:ec2::254", "fe80::1")
NAMES = {
    "loop.evil.example": "127.0.0.1",
    "loop6.evil.example": "::1",
    "mapped.evil.example": "::ffff:127.0.0.1",
    "null.evil.example": "0.0.0.0",
    "metadata.evil.example": METADATA,
    "metadata6.evil.example": "fd00:ec2::254",
    "neighbour.evil.example": NEIGHBOUR,
    "carrier.evil.example": "100.100.100.200",
    "platform.evil.example": "168.63.129.16",
    "self.evil.example": OWN,
    "nat64.evil.example": "64:ff9b::7f00:1",
    "metadata.google.internal": METADATA,
    "printer.local": "192.168.1.1",
    "wiki": NEIGHBOUR,
    "crl.good.example": "192.0.2.80",
    "extra.good.example": "192.0.2.80",
}
"""Other names lead to this host's address that looks public."""
PLACES = (
    *NAMES,
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0177.0.0.1",
    "0x7f000001",
    "0x7f.1",
    "0",
    "0.0.0.0",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::7f00:1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:7f00:1::1]",
    "[2001:db8::5efe:7f00:1]",
    "[fe80::1%25lo]",
    "[fd00:ec2::254]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "a.localhost",
    "loop.evil.example.",
    METADATA,
    NEIGHBOUR,
    OWN,
    "127.0.0.1:8000",
    "loop.evil.example:8000",
    "x@127.0.0.1",
    "crl.good.example:8000@127.0.0.1",
    "127.0.0.1%00.good.example",
    "127.0.0.1\\@crl.good.example",
    "①②⑦.⓪.⓪.①".encode("idna").decode(),
    "127.0.0.1\r\nHost: x",
)
URLS = tuple(
    f"http://{place}/{number}" for number, place in enumerate(PLACES) if not place.endswith("good.example")
)
PER_KIND = 8
"""URLs of one kind that are read of one certificate."""
TLS, WEB, RECORDER, PROXY, DNS = 443, 8080, 8000, 3128, 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls(Pki):
    """Any URLs, in all three places of a certificate."""

    every: tuple[str, ...]

    def extensions(self) -> list[x509.ExtensionType]:
        """Return the two extensions."""
        lists, queries, issuers = (self.every[at * PER_KIND :][:PER_KIND] for at in range(3))
        methods = (
            (AuthorityInformationAccessOID.OCSP, queries),
            (AuthorityInformationAccessOID.CA_ISSUERS, issuers),
        )
        access = [x509.AccessDescription(how, _uri(url)) for how, urls in methods for url in urls]
        points = [
            x509.DistributionPoint(full_name=[_uri(one)], relative_name=None, reasons=None, crl_issuer=None)
            for one in lists
        ]
        return [
            x509.CRLDistributionPoints(points),
            *([x509.AuthorityInformationAccess(access)] if access else []),
        ]


def _uri(url: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(url)


class World:
    """The servers, and what was asked of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.connected: list[tuple[str, int, str]] = []
        """Address and port connected to, and the first line received."""
        self.requested: list[str] = []
        """The URLs that the proxy was asked for."""
        self.root = Authority.make(subject("Root of all", "Public"))
        self.crl = revocation_list(self.root)
        self.hosts = tuple(self._issue())

    def _issue(self) -> Iterator[str]:
        """Write a chain for each few URLs, with a good one on its path and forged certificates beside it."""
        write_chain(self.folder, "root", self.root.issued)
        step = 3 * PER_KIND - 1
        for first in range(0, len(URLS), step):
            host = f"h{first}.evil.example"
            urls = ("http://crl.good.example/ca.crl", *URLS[first : first + step])
            signer = Authority(issued=self.root.issued, pki=Urls(every=urls))
            leaf = Leaf(names=(host,), subject=subject(host)).issue(signer)
            write_chain(self.folder, host, leaf, *self._extras())
            yield host

    def _extras(self) -> Iterator[Issued]:
        """Yield certificates of the attacker's making, with the names and the key of the real root."""
        more = Urls(every=("http://extra.good.example/x", *URLS[: 3 * PER_KIND - 1]))
        for forger in (Authority.make(subject("Root of all", "Public")), Authority.make(subject("Forger"))):
            signer = Authority(issued=forger.issued, pki=more)
            yield Leaf(names=(), subject=subject("Root of all", "Public"), key=self.root.issued.key).issue(
                signer
            )
            yield Leaf(names=("elsewhere.example",), subject=subject("Elsewhere"), key=ordinary_key()).issue(
                signer
            )

    def start(self) -> None:
        """Start all servers, in threads."""
        for family, port in ((socket.AF_INET, 80), (socket.AF_INET6, 80), (socket.AF_INET, RECORDER)):
            self._serve(family, port, self._record)
        self._serve(socket.AF_INET, TLS, self._serve_tls)
        self._serve(socket.AF_INET, WEB, self._redirect)
        self._serve(socket.AF_INET, PROXY, self._forward)
        names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        names.bind(("127.0.0.1", DNS))
        threading.Thread(target=_resolve, args=(names,), daemon=True).start()

    def _serve(self, family: socket.AddressFamily, port: int, talk: Any) -> None:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        listener.listen(64)

        def accept() -> None:
            while True:
                peer = listener.accept()[0]
                peer.settimeout(10)
                threading.Thread(target=_quietly, args=(talk, peer), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def _record(self, peer: socket.socket) -> None:
        address, port = peer.getsockname()[:2]
        entry = len(self.connected)
        self.connected.append((address, port, ""))
        head = peer.recv(4096).decode("latin-1")
        self.connected[entry] = (address, port, head.partition("\r\n")[0])
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.crl) + self.crl)

    def _serve_tls(self, peer: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "root.pem", self.folder / "root.key")

        def choose(session: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
            if name not in self.hosts:
                return
            own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            own.load_cert_chain(self.folder / f"{name}.pem", self.folder / f"{name}.key")
            session.context = own

        context.sni_callback = choose
        with context.wrap_socket(peer, server_side=True) as session:
            session.recv(4096)
            session.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def _redirect(self, peer: socket.socket) -> None:
        """Redirect `rN.evil.example` to the place of that number, `good.evil.example` to one that may be."""
        host = peer.recv(4096).decode("latin-1").lower().partition("host: r")[2].partition(".")[0]
        place = URLS[int(host)] if host.isdigit() else "http://crl.good.example/moved"
        peer.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
        )

    def _forward(self, peer: socket.socket) -> None:
        """Be a proxy: open tunnels to the TLS server, and answer requests for any URL."""
        method, url = peer.recv(4096).decode("latin-1").split(" ")[:2]
        if method != "CONNECT":
            self.requested.append(url)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(self.crl) + self.crl)
            return
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        self._serve_tls(peer)


def _quietly(talk: Any, peer: socket.socket) -> None:
    with peer, contextlib.suppress(OSError, ValueError):
        talk(peer)


def _resolve(sock: socket.socket) -> None:
    while True:
        data, peer = sock.recvfrom(4096)
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        question = query.question[0]
        address = NAMES.get(question.name.to_text().rstrip(".").lower(), OWN)
        wanted = dns.rdatatype.AAAA if ":" in address else dns.rdatatype.A
        if question.rdtype == wanted:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", wanted, address))
        sock.sendto(answer.to_wire(), peer)


def config_of(world: World, *, proxy: bool) -> dict[str, Any]:
    """Return the configuration: the servers as endpoints, and an entry for the good hosts."""
    secure = [
        {"id": f"s{at}", "service": "s", "host": host, "port": TLS, "protocol": "https"}
        for at, host in enumerate(world.hosts)
    ]
    clear = [
        {"id": f"r{at}", "service": "r", "host": f"r{at}.evil.example", "port": WEB, "protocol": "http"}
        for at in range(len(URLS))
    ]
    good = {"id": "good", "service": "g", "host": "good.evil.example", "port": WEB, "protocol": "http"}
    files = {"store": str(world.folder / "root.pem"), "public_roots": str(world.folder / "root.pem")}
    document: dict[str, Any] = {
        "profiles": [],
        "resolvers": [f"127.0.0.1:{DNS}"],
        "trust": files,
        "probe": {"families": ["ipv4", "ipv6"], "deadline": "4s"},
        "endpoints": secure if proxy else [*secure, *clear, good],
        "connect_to": [{"match": "*.good.example:80", "address": "127.0.0.1", "port": RECORDER}],
    }
    if proxy:
        document["proxy"] = {"url": f"http://127.0.0.1:{PROXY}"}
    return document


def main() -> None:
    """Build the world, probe it once, and print what came of it."""
    proxy = "--proxy" in sys.argv
    commands = ["link set lo up", *(f"addr add {one}/32 dev lo" for one in ADDRESSES)]
    for command in (*commands, *(f"addr add {one}/128 dev lo" for one in ADDRESSES6)):
        subprocess.run(["ip", *command.split()], check=True)
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name))
        world.start()
        config = world.folder / "egressd.yml"
        config.write_text(yaml.safe_dump(config_of(world, proxy=proxy)))
        words = [sys.executable, "-m", "egressd", "--once", "--config.file", str(config), "--format", "json"]
        done = subprocess.run(words, capture_output=True, check=False, timeout=60)
        try:
            report = json.loads(done.stdout)
        except ValueError:
            sys.exit(f"no report: {done.stderr.decode()}")
        sys.stdout.write(
            json.dumps({"connected": world.connected, "requested": world.requested, "report": report})
        )


if __name__ == "__main__":
    main()
