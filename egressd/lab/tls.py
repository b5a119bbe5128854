"""The lab's TLS servers: read the ClientHello, then do the handshake or the fault.

The ClientHello is parsed here, within bounds: the server name selects the fault before OpenSSL sees a byte.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Awaitable, Callable

from msgspec import Struct

from egressd.lab.authority import DHE_ONLY, CertificateAuthority
from egressd.lab.faults import ActiveFaults, Layer
from egressd.lab.leaf import LeafKind
from egressd.lab.responses import plaintext_block_page
from egressd.lab.sockets import ServerStream, TcpConnection, TlsConnection

MAX_HELLO = 18 * 1024
"""A TLS record is 16 KiB at most; no client sends a larger ClientHello."""
NO_NAME = "no-sni.lab.test"
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
GARBAGE = b"\x00\x7f" + hashlib.shake_256(b"egressd lab garbage").digest(254)
HELLO_REQUEST = bytes((0x16, 3, 3, 0, 4, 0, 0, 0, 0))
NEGOTIATION_EFFECTS = frozenset({"http1_only", "tls12", "client_certificate", DHE_ONLY})
"""Effects that change what is negotiated; the handshake goes on."""

ServeStream = Callable[[ServerStream, str, int, str | None], Awaitable[None]]
"""Serves the application protocol: stream, server name, documented port, ALPN protocol."""


class ReceivedHello(Struct, frozen=True, kw_only=True):
    """A ClientHello as received."""

    data: bytes
    server_name: str | None


class LabTlsServer:
    """Serves one port: a certificate is issued for every server name."""

    def __init__(
        self, authority: CertificateAuthority, active: ActiveFaults, port: int, serve_stream: ServeStream
    ) -> None:
        self._authority = authority
        self._active = active
        self._port = port
        self._serve_stream = serve_stream

    async def serve(self, connection: TcpConnection) -> None:
        """Serve one connection."""
        hello = await read_client_hello(connection)
        if hello is None:
            await connection.close_gracefully()
            return
        host = hello.server_name or NO_NAME
        effect = self._active.effect(Layer.TLS, host, self._port)
        if effect is None or effect in NEGOTIATION_EFFECTS:
            await self._complete_handshake(connection, hello, host, effect or "")
        elif effect.startswith("partial_"):
            await self._send_half_flight(connection, hello, host, effect)
        else:
            await break_connection(connection, effect)

    async def _complete_handshake(
        self, connection: TcpConnection, hello: ReceivedHello, host: str, variant: str
    ) -> None:
        stream = TlsConnection(connection, self._context(host, variant))
        try:
            await stream.handshake(hello.data)
        except ssl.SSLError:  # the client rejected the certificate
            await connection.close_gracefully()
            return
        await self._serve_stream(stream, host, self._port, stream.alpn)

    def _context(self, host: str, variant: str) -> ssl.SSLContext:
        effect = self._active.effect(Layer.CERTIFICATE, host, self._port)
        return self._authority.context(host, LeafKind(effect) if effect else LeafKind.GOOD, variant)

    async def _send_half_flight(
        self, connection: TcpConnection, hello: ReceivedHello, host: str, effect: str
    ) -> None:
        """Send the first half of the server's flight, then the effect."""
        flight = TlsConnection(connection, self._context(host, "")).first_flight(hello.data)
        await connection.write(flight[: len(flight) // 2])
        await break_connection(connection, effect.removeprefix("partial_"))


async def break_connection(connection: TcpConnection, effect: str) -> None:
    """Send the effect in place of a TLS handshake."""
    if effect.startswith("alert_"):
        await _send_and_close(connection, bytes((0x15, 3, 3, 0, 2, 2, int(effect.removeprefix("alert_")))))
        return
    await BREAKING_EFFECTS[effect](connection)


async def _send_and_close(connection: TcpConnection, data: bytes) -> None:
    await connection.write(data)
    await connection.close_gracefully()


async def _reset(connection: TcpConnection) -> None:
    connection.reset()


BREAKING_EFFECTS: dict[str, Callable[[TcpConnection], Awaitable[None]]] = {
    "reset": _reset,
    "fin": TcpConnection.close_gracefully,
    "silence": TcpConnection.wait_for_close,
    "plaintext": lambda connection: _send_and_close(connection, plaintext_block_page()),
    "ssh": lambda connection: _send_and_close(connection, SSH_BANNER),
    "flood": lambda connection: _send_and_close(connection, HELLO_REQUEST * 100_000),
    "garbage": lambda connection: _send_and_close(connection, GARBAGE),
}


async def read_client_hello(connection: TcpConnection) -> ReceivedHello | None:
    """Read a whole ClientHello; None where the client sends something else, or too much."""
    data = b""
    while len(data) < MAX_HELLO:
        more = await connection.read()
        if not more:
            return None
        data += more
        body = client_hello_body(data)
        if body is None:
            return None
        if body:
            return ReceivedHello(data=data, server_name=server_name(body))
    return None


def client_hello_body(data: bytes) -> bytes | None:
    """Return the body of a ClientHello, joined over records; b"" if incomplete, None if it is none."""
    handshake = b""
    while len(data) >= 5:
        if data[0] != 0x16 or data[1] != 3:
            return None
        size = int.from_bytes(data[3:5])
        handshake += data[5 : 5 + size]
        data = data[5 + size :]
        if len(handshake) >= 4:
            due = 4 + int.from_bytes(handshake[1:4])
            if handshake[0] != 1 or not 4 < due <= MAX_HELLO:
                return None
            if due <= len(handshake):
                return handshake[4:due]
    return b""


def server_name(body: bytes) -> str | None:
    """Return the server name of a ClientHello body (RFC 6066 section 3); None without a valid one."""
    try:
        at = 34
        at += 1 + body[at]
        at += 2 + int.from_bytes(body[at : at + 2])
        at += 1 + body[at]
        end = at + 2 + int.from_bytes(body[at : at + 2])
        at += 2
        while at + 4 <= min(end, len(body)):
            kind, size = int.from_bytes(body[at : at + 2]), int.from_bytes(body[at + 2 : at + 4])
            if kind == 0:
                return _valid_name(body[at + 9 : at + 4 + size])
            at += 4 + size
    except IndexError:
        return None
    return None


def _valid_name(name: bytes) -> str | None:
    """Return a name in lower case if it can stand in a certificate."""
    text = name.decode("ascii", "replace").lower().rstrip(".")
    fine = (
        text and len(text) <= 253 and all(one.isascii() and (one.isalnum() or one in "-._") for one in text)
    )
    return text if fine else None
