"""The lab's TLS servers: read the ClientHello first, then misbehave or shake hands.

The hello is read by a small bounded parser of our own, so that a fault can be chosen by the server
name before OpenSSL sees a byte.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from egressd.lab.authority import Authority, Leaf
from egressd.lab.faults import Layer, Switchboard
from egressd.lab.pages import plaintext_block_page
from egressd.lab.wire import Stream, TlsWire, Wire

MOST_HELLO = 18 * 1024
"""One TLS record is 16 KiB at most; a hello over that is nobody's."""
NO_NAME = "no-sni.lab.test"
SSH_BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
GARBAGE = b"\x00\x7f" + hashlib.shake_256(b"egressd lab garbage").digest(254)
VARIANTS = frozenset({"http1_only", "tls12", "client_certificate"})
"""Acts that change what is negotiated; the handshake goes on."""

Inside = Callable[[Stream, str, int, str | None], Awaitable[None]]
"""What is spoken inside: the stream, the server name, the port it stands for, the ALPN protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """The first bytes of a connection."""

    data: bytes
    server_name: str | None


class TlsServer:
    """Serves one port: every name has its own certificate, made when first asked for."""

    def __init__(self, authority: Authority, board: Switchboard, port: int, inside: Inside) -> None:
        self._authority = authority
        self._board = board
        self._port = port
        self._inside = inside

    async def talk(self, wire: Wire) -> None:
        """Hold one conversation."""
        hello = await read_hello(wire)
        if hello is None:
            await wire.finish()
            return
        host = hello.server_name or NO_NAME
        act = self._board.act(Layer.TLS, host, self._port)
        if act is None or act in VARIANTS:
            await self._shake(wire, hello, host, act or "")
        elif act.startswith("partial_"):
            await self._half(wire, hello, host, act)
        else:
            await misbehave(wire, act)

    async def _shake(self, wire: Wire, hello: Hello, host: str, variant: str) -> None:
        stream = TlsWire(wire, self._context(host, variant))
        try:
            await stream.handshake(hello.data)
        except ssl.SSLError:  # the client does not like us: that is its right, and its alert was heard
            await wire.finish()
            return
        await self._inside(stream, host, self._port, stream.alpn)

    def _context(self, host: str, variant: str) -> ssl.SSLContext:
        act = self._board.act(Layer.CERTIFICATE, host, self._port)
        return self._authority.context(host, Leaf(act) if act else Leaf.GOOD, variant)

    async def _half(self, wire: Wire, hello: Hello, host: str, act: str) -> None:
        """Send half of what the server would say, then go the way the act says."""
        flight = TlsWire(wire, self._context(host, "")).first_flight(hello.data)
        await wire.write(flight[: len(flight) // 2])
        await misbehave(wire, act.removeprefix("partial_"))


async def misbehave(wire: Wire, act: str) -> None:
    """End a conversation in TLS's place."""
    if act.startswith("alert_"):
        await _say(wire, bytes((0x15, 3, 3, 0, 2, 2, int(act.removeprefix("alert_")))))
        return
    await MISDEEDS[act](wire)


async def _say(wire: Wire, data: bytes) -> None:
    await wire.write(data)
    await wire.finish()


async def _reset(wire: Wire) -> None:
    wire.reset()


MISDEEDS: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "reset": _reset,
    "fin": Wire.finish,
    "silence": Wire.hold,
    "plaintext": lambda wire: _say(wire, plaintext_block_page()),
    "ssh": lambda wire: _say(wire, SSH_BANNER),
    "garbage": lambda wire: _say(wire, GARBAGE),
}


async def read_hello(wire: Wire) -> Hello | None:
    """Read until the ClientHello is whole; None where the client says something else, or too much."""
    data = b""
    while len(data) < MOST_HELLO:
        more = await wire.read()
        if not more:
            return None
        data += more
        body = hello_body(data)
        if body is None:
            return None
        if body:
            return Hello(data=data, server_name=server_name(body))
    return None


def hello_body(data: bytes) -> bytes | None:
    """Return the body of a ClientHello, joined over records; b"" where more is due, None if it is none."""
    handshake = b""
    while len(data) >= 5:
        if data[0] != 0x16 or data[1] != 3:
            return None
        size = int.from_bytes(data[3:5])
        handshake += data[5 : 5 + size]
        data = data[5 + size :]
        if len(handshake) >= 4:
            due = 4 + int.from_bytes(handshake[1:4])
            if handshake[0] != 1 or not 4 < due <= MOST_HELLO:
                return None
            if due <= len(handshake):
                return handshake[4:due]
    return b""


def server_name(body: bytes) -> str | None:
    """Return the server name of a ClientHello body (RFC 6066 section 3), if it has a usable one."""
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
                return _usable(body[at + 9 : at + 4 + size])
            at += 4 + size
    except IndexError:
        return None
    return None


def _usable(name: bytes) -> str | None:
    """Return a name that can stand in a certificate, in lower case."""
    text = name.decode("ascii", "replace").lower().rstrip(".")
    fine = (
        text and len(text) <= 253 and all(one.isascii() and (one.isalnum() or one in "-._") for one in text)
    )
    return text if fine else None
