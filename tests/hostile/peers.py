"""Peers on loopback that speak each protocol, with some bytes of what they send changed."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path

import dns.exception
import dns.message
import dns.rrset
import h2.config
import h2.connection
import h2.events
import h2.exceptions
from cryptography.hazmat.primitives import serialization
from hypothesis import strategies as st

from egressd.lab import ntp
from egressd.lab.authority import CertificateAuthority
from egressd.lab.leaf import LeafKind
from egressd.lab.sockets import (
    ServerGroup,
    ServerStream,
    TcpConnection,
    TlsConnection,
    port_of,
    socket_pair,
    udp_socket,
)
from egressd.lab.tls import read_client_hello

LOOPBACK = "127.0.0.1"
PATIENCE = 0.3
"""Seconds for which a silent peer keeps a connection open."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of some bytes."""

    kind: str
    where: float
    """From 0, the beginning, to 1, the end."""
    data: bytes

    def apply(self, whole: bytes) -> bytes:
        """Return the bytes with this change."""
        at = int(self.where * len(whole))
        match self.kind:
            case "flip":
                return whole[:at] + bytes(one ^ 0xFF for one in whole[at : at + 1]) + whole[at + 1 :]
            case "cut":
                return whole[:at]
            case "insert":
                return whole[:at] + self.data + whole[at:]
            case "overwrite":
                return whole[:at] + self.data + whole[at + len(self.data) :]
            case "repeat":
                return whole + whole[at:]
            case _:
                return self.data


EDITS = st.builds(
    Edit,
    st.sampled_from(("flip", "flip", "cut", "insert", "overwrite", "overwrite", "repeat", "replace")),
    st.floats(0, 1),
    st.sampled_from(
        (b"\xff\xff", b"\0\0\0\0", b"\x80", b"\r\n", b"\r\n\r\n", b"\x16\x03\x03\xff\xff", b"\xc0\x0c")
    )
    | st.binary(max_size=40),
)
CHANGES = st.lists(EDITS, max_size=3).map(tuple)
Changes = tuple[Edit, ...]


def changed(whole: bytes, changes: Changes) -> bytes:
    """Return bytes with all changes, one after the other."""
    for one in changes:
        whole = one.apply(whole)
    return whole


class Ending(Enum):
    """What a peer does after its last byte."""

    FIN = "fin"
    RESET = "reset"
    SILENCE = "silence"


HEADS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: https://[::1\r\nDate: Mon, 1 Jan 0001 00:00:00 +9999\r\n\r\n",
    b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="\r\nContent-Length: 99999999999999999999\r\n\r\n',
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n\x88\x02",
    b"HTTP/1.0 200\r\nAge: 99999999999\r\nCache-Control: max-age=99999999999999999999\r\n\r\n<title>\xff",
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\xff\xff",
    b"HTTP/9.9 999 \x00\r\n : \r\nX" + b"x" * 300 + b"\r\n\r\n",
    b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-x\r\n",
    b"\x15\x03\x01\x00\x02\x02\x28",
    b"",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Script:
    """What the peers of one sweep do."""

    dns: Changes = ()
    flight: Changes = ()
    """Of the server's first flight: ServerHello and certificates."""
    certificates: Changes = ()
    """Of each certificate, before the handshake."""
    kind: LeafKind = LeafKind.GOOD
    tls12: bool = False
    head: bytes = HEADS[0]
    http: Changes = ()
    frames: Changes = ()
    ntp: Changes = ()
    ending: Ending = Ending.FIN


SCRIPTS = st.builds(
    Script,
    dns=CHANGES,
    flight=CHANGES,
    certificates=CHANGES,
    kind=st.sampled_from(LeafKind),
    tls12=st.booleans(),
    head=st.sampled_from(HEADS),
    http=CHANGES,
    frames=CHANGES,
    ntp=CHANGES,
    ending=st.sampled_from(Ending),
)


@cache
def authority() -> CertificateAuthority:
    """Return the authority of all peers."""
    return CertificateAuthority(Path(tempfile.mkdtemp(prefix="hostile-")))


@dataclass(kw_only=True)
class Peers:
    """The ports of the peers that run."""

    script: Script
    ports: dict[str, int] = field(default_factory=dict)

    async def broken_tls(self, connection: TcpConnection) -> None:
        """Send a changed first flight, then end."""
        hello = await read_client_hello(connection)
        if hello is not None:
            context = authority().context("broken.test", self.script.kind, self._variant)
            flight = TlsConnection(connection, context).first_flight(hello.data)
            await connection.write(changed(flight, self.script.flight))
        await self._end(connection)

    async def odd_certificate(self, connection: TcpConnection) -> None:
        """Do a handshake with changed certificates; where OpenSSL can't serve them, just send them."""
        hello = await read_client_hello(connection)
        if hello is None:
            return
        ders = odd_certificates(self.script)
        try:
            context = context_with(ders)
        except (ssl.SSLError, ValueError):
            await connection.write(flight_with(ders))
            await self._end(connection)
            return
        await self._inside_tls(TlsConnection(connection, context), hello.data, connection)

    async def good_certificate(self, connection: TcpConnection) -> None:
        """Do a handshake without a fault, then speak HTTP badly."""
        hello = await read_client_hello(connection)
        if hello is not None:
            context = authority().context("h2.test", LeafKind.GOOD, "")
            await self._inside_tls(TlsConnection(connection, context), hello.data, connection)

    async def _inside_tls(self, tls: TlsConnection, hello: bytes, connection: TcpConnection) -> None:
        try:
            await tls.handshake(hello)
            if tls.alpn == "h2":
                await self._http2(tls)
            else:
                await self.http(tls)
        except ssl.SSLError:
            await connection.close_gracefully()

    async def http(self, stream: ServerStream) -> None:
        """Read a request, and answer badly."""
        data = b""
        while b"\r\n\r\n" not in data and (more := await stream.read()):
            data += more
        await stream.write(changed(self.script.head, self.script.http))
        await self._end(stream)

    async def _http2(self, stream: ServerStream) -> None:
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        answered = False
        while not answered and (data := await stream.read()):
            for event in server.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and event.stream_id is not None:
                    server.send_headers(
                        event.stream_id, [(":status", "200"), ("server", "x"), ("age", "9" * 30)]
                    )
                    server.send_data(event.stream_id, b"<title>hello", end_stream=True)
                    answered = True
        await stream.write(changed(server.data_to_send(), self.script.frames))
        await self._end(stream)

    async def _end(self, stream: ServerStream) -> None:
        match self.script.ending:
            case Ending.FIN:
                await stream.close_gracefully()
            case Ending.RESET:
                stream.reset()
            case Ending.SILENCE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE):
                        while await stream.read():
                            pass

    def answer_dns(self, data: bytes) -> bytes:
        """Answer a query: badly where the name says so, else with loopback."""
        query = dns.message.from_wire(data)
        (question,) = query.question
        answer = dns.message.make_response(query, recursion_available=True)
        if question.rdtype == 1:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", LOOPBACK))
        wire = answer.to_wire()
        bad = str(question.name).startswith("bad")
        return wire[:2] + changed(wire[2:], self.script.dns) if bad else wire

    async def dns_over_tcp(self, connection: TcpConnection) -> None:
        """Answer one query over TCP, with its length before it."""
        data = await connection.read()
        while len(data) >= 2 and len(data) < 2 + int.from_bytes(data[:2], "big"):
            data += await connection.read()
        wire = self.answer_dns(data[2:])
        bad = b"\x03bad" in data
        whole = len(wire).to_bytes(2, "big") + wire
        await connection.write(changed(whole, self.script.dns) if bad else whole)
        await self._end(connection)

    def answer_ntp(self, data: bytes) -> bytes:
        """Answer with a changed packet; the cookie stays, or the answer would not count."""
        packet = changed(ntp.correct(data, lambda: datetime.now(UTC)), self.script.ntp)
        return packet[:24] + data[40:48] + packet[32:] if len(packet) >= 32 else packet

    @property
    def _variant(self) -> str:
        return "tls12" if self.script.tls12 else ""


def odd_certificates(script: Script) -> list[bytes]:
    """Return a chain in DER with the changes of a script in each certificate."""
    chain, _ = authority().issue("odd.test", script.kind)
    return [changed(one, script.certificates) for one in chain]


def context_with(ders: list[bytes]) -> ssl.SSLContext:
    """Return a server's context. Raises where OpenSSL refuses the certificates or the key does not fit."""
    _, key = authority().issue("odd.test", LeafKind.GOOD)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = b"".join(
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
        for der in ders
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(private + pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def flight_with(ders: list[bytes]) -> bytes:
    """Return a ServerHello of TLS 1.2, a Certificate message with any bytes, and a ServerHelloDone."""
    hello = b"\x03\x03" + b"\x11" * 32 + b"\0" + b"\xc0\x2b" + b"\0"
    entries = b"".join(len(one).to_bytes(3, "big") + one for one in ders)
    certificates = len(entries).to_bytes(3, "big") + entries
    messages = b"".join(
        bytes([kind]) + len(body).to_bytes(3, "big") + body
        for kind, body in ((2, hello), (11, certificates), (14, b""))
    )
    records = (messages[at : at + 16000] for at in range(0, len(messages), 16000))
    return b"".join(b"\x16\x03\x03" + len(one).to_bytes(2, "big") + one for one in records)


@asynccontextmanager
async def running(script: Script) -> AsyncIterator[Peers]:
    """Run the peers of a script."""
    peers = Peers(script=script)
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        talks: dict[str, Callable[[TcpConnection], Awaitable[None]]] = {
            "broken": peers.broken_tls,
            "odd": peers.odd_certificate,
            "h2": peers.good_certificate,
            "http": peers.http,
            "proxy": peers.http,
        }
        peers.ports = {name: servers.listen(_quietly(talk)) for name, talk in talks.items()}
        listener, datagrams = socket_pair()
        servers.accept(servers.own(listener), _quietly(peers.dns_over_tcp))
        servers.start(_datagrams(servers.own(datagrams), peers.answer_dns))
        clock = servers.own(udp_socket())
        servers.start(_datagrams(clock, peers.answer_ntp))
        peers.ports |= {"dns": port_of(listener), "ntp": port_of(clock)}
        try:
            yield peers
        finally:
            servers.stop()
    servers.close()


def _quietly(talk: Callable[[TcpConnection], Awaitable[None]]) -> Callable[[TcpConnection], Awaitable[None]]:
    async def serve(connection: TcpConnection) -> None:
        with suppress(ssl.SSLError, dns.exception.DNSException, h2.exceptions.ProtocolError):
            await talk(connection)

    return serve


async def _datagrams(sock: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    """Answer each datagram twice: badly formed ones must not hide the next."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(OSError):  # an ICMP error caused by an earlier answer
            data, client = await loop.sock_recvfrom(sock, 2048)
            for _ in range(2):
                await loop.sock_sendto(sock, answer(data)[:60_000], client)
