"""A program: the servers of blackbox_exporter's prober tests that no web server can be configured to be.

Arguments: FOLDER NAME=ADDRESS:PORT ... The folder has NAME.pem and NAME.key for those that speak TLS.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import ssl
import sys
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

BODY = b"<html>a page of some length, so that there is something to compress</html>" * 8
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 4.2.2."""
NAME_ADDRESS = "62.80.4.1"
ADDRESS_TTL = 300

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Behaviour = Callable[[Reader, Writer], Awaitable[None]]


async def _request(reader: Reader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def page(headers: bytes, body: bytes, *, status: bytes = HTML) -> Behaviour:
    """Return a server that answers each request with these headers and this body, and closes."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await _request(reader)
        writer.write(status + headers + b"Connection: close\r\n\r\n" + body)

    return serve


def length(body: bytes) -> bytes:
    """Return the header with the length of a body."""
    return b"Content-Length: %d\r\n" % len(body)


def coded(coding: bytes, body: bytes) -> Behaviour:
    """Return a server with a coded body."""
    return page(b"Content-Encoding: " + coding + b"\r\n" + length(body), body)


def banner(text: bytes, *replies: bytes) -> Behaviour:
    """Return a server that speaks first, and then answers each line."""

    async def serve(reader: Reader, writer: Writer) -> None:
        writer.write(text)
        for reply in replies:
            await reader.readline()
            writer.write(reply)
        await reader.read()

    return serve


async def close(reader: Reader, writer: Writer) -> None:
    """Accept and close."""


async def silent(reader: Reader, writer: Writer) -> None:
    """Accept and say nothing."""
    await reader.read()


async def close_at_hello(reader: Reader, writer: Writer) -> None:
    """Read the ClientHello and close."""
    await reader.read(65536)


async def plain_grpc(reader: Reader, writer: Writer) -> None:
    """Answer a ClientHello as an HTTP/2 server in clear does: settings, then GOAWAY with PROTOCOL_ERROR."""
    await reader.read(65536)
    writer.write(bytes.fromhex("000006040000000000000300000064"))
    writer.write(bytes.fromhex("0000080700000000000000000000000001"))


async def upgrade(reader: Reader, writer: Writer) -> None:
    """Accept a WebSocket upgrade."""
    lines = (await _request(reader)).split(b"\r\n")
    fields = {key.strip().lower(): value.strip() for key, _, value in (one.partition(b":") for one in lines)}
    digest = hashlib.sha1(fields[b"sec-websocket-key"] + WEBSOCKET_GUID).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    await reader.read()


async def no_http(reader: Reader, writer: Writer) -> None:
    """Answer a request with something that is no HTTP."""
    await _request(reader)
    writer.write(b"220 mail.example ESMTP ready\r\n")


async def end_after_request(reader: Reader, writer: Writer) -> None:
    """Read the request and end the TCP connection, without TLS's own close."""
    await _request(reader)
    writer.transport.abort()


DEFLATED = zlib.compress(BODY)
SERVERS: dict[str, Behaviour] = {
    "cl-identity": page(length(BODY), BODY),
    "cl-none": page(b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)),
    "cl-unknown": coded(b"x-rot13", BODY),
    "cl-gzip": coded(b"gzip", gzip.compress(BODY)),
    "cl-deflate": coded(b"deflate", DEFLATED),
    "cl-404": page(length(BODY), BODY, status=b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n"),
    "nocl-close": page(b"", BODY),
    "tcp-close": close,
    "tcp-irc": banner(b":irc.example NOTICE AUTH :*** Looking up your hostname\r\n", b":irc 001\r\n"),
    "tcp-ssh": banner(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "tcp-smtp": banner(b"220 mail.example ESMTP ready\r\n", b"250 mail.example\r\n"),
    "tcp-silent": silent,
    "tcp-bytes": banner(bytes(range(256)) * 64),
    "tls-smtp": banner(b"220 mail.example ESMTP ready\r\n", b"500 unrecognized command\r\n"),
    "tls-grpcplain": plain_grpc,
    "tls-close": close_at_hello,
}
IN_TLS: dict[str, Behaviour] = {
    "wss-ok": upgrade,
    "wss-not": page(length(BODY), BODY),
    "https-nohttp": no_http,
    "https-eof": end_after_request,
}
"""Those that do the same inside a session of TLS."""


def _denial(query: dns.message.Message, code: dns.rcode.Rcode) -> dns.message.Message:
    answer = dns.message.make_response(query, recursion_available=True)
    answer.set_rcode(code)
    return answer


def _address(query: dns.message.Message) -> dns.message.Message:
    """Answer any name with one address; other types with nothing."""
    answer = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    if question.rdtype == 1:
        answer.answer.append(dns.rrset.from_text(question.name, ADDRESS_TTL, "IN", "A", NAME_ADDRESS))
    return answer


RESOLVERS: dict[str, Callable[[dns.message.Message], dns.message.Message]] = {
    "dns-1": _address,
    "dns-2": lambda query: _denial(query, dns.rcode.SERVFAIL),
    "dns-3": lambda query: _denial(query, dns.rcode.REFUSED),
    "dns-4": _address,
    "dns-7": lambda query: _denial(query, dns.rcode.NXDOMAIN),
}
TCP_ONLY = frozenset({"dns-4"})


class Datagrams(asyncio.DatagramProtocol):
    """A resolver over UDP."""

    def __init__(self, name: str) -> None:
        self._answer = RESOLVERS[name]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        self._transport.sendto(self._answer(dns.message.from_wire(data)).to_wire(), addr)


def _over_tcp(name: str) -> Behaviour:
    async def serve(reader: Reader, writer: Writer) -> None:
        size = int.from_bytes(await reader.readexactly(2))
        wire = RESOLVERS[name](dns.message.from_wire(await reader.readexactly(size))).to_wire()
        writer.write(len(wire).to_bytes(2) + wire)

    return serve


def _guarded(behaviour: Behaviour) -> Callable[[Reader, Writer], Awaitable[None]]:
    async def serve(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(OSError, EOFError):
            await behaviour(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    return serve


async def start(folder: Path, name: str, address: str, port: int) -> None:
    """Start one server."""
    context = None
    if name in IN_TLS:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    if name in RESOLVERS and name not in TCP_ONLY:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: Datagrams(name), local_addr=(address, port))
    behaviour = _over_tcp(name) if name in RESOLVERS else (SERVERS | IN_TLS)[name]
    await asyncio.start_server(_guarded(behaviour), address, port, ssl=context, backlog=128)


async def main(folder: str, *servers: str) -> None:
    """Start the servers named by the arguments; run until killed."""
    for word in servers:
        name, _, where = word.partition("=")
        address, _, port = where.rpartition(":")
        await start(Path(folder), name, address, int(port))
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
