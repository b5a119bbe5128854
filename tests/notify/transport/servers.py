"""Loopback HTTP servers that accept, refuse, stall, redirect, reset or never end; a proxy with a password."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from egressd.model.notification import Receiver
from egressd.notify.transport.http import HttpTransport
from tests.notify.samples import sample_receiver

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TOKEN = "T0K3N-very-secret"
PATH = f"/services/hook/{TOKEN}"
QUERY = "sig=S1GN4TURE-very-secret"
BEARER = "Bearer b34rer-very-secret"
SECRETS = (TOKEN, "S1GN4TURE-very-secret", "b34rer-very-secret", PATH, QUERY)


@dataclass(kw_only=True)
class ReceivedRequest:
    """One received request."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Server:
    """A listener that records its requests."""

    port: int
    requests: list[ReceivedRequest] = field(default_factory=list)

    def url(self, scheme: str = "http", host: str = "127.0.0.1") -> str:
        """Return a URL with secrets in every part."""
        return f"{scheme}://{host}:{self.port}{PATH}?{QUERY}"


async def read_request(reader: asyncio.StreamReader) -> ReceivedRequest | None:
    """Read one request with its body; None at the end of the stream."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    line, *rows = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(line=line, headers=headers, body=body)


@asynccontextmanager
async def listening(talk: Talk, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve each connection with a function; yield the server."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            writer.close()
            running.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = tuple(running)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        await server.wait_closed()
        await asyncio.sleep(0.01)  # transports close one iteration later


@asynccontextmanager
async def answering(
    answer: bytes | Callable[[ReceivedRequest], bytes], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Answer each request with the same bytes, and close."""
    server = Server(port=0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if request is not None:
            server.requests.append(request)
            writer.write(answer if isinstance(answer, bytes) else answer(request))
            await writer.drain()

    async with listening(talk, tls=tls) as port:
        server.port = port
        yield server


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return the bytes of a response."""
    rows = (f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers)
    return "\r\n".join(rows).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def proxying(
    *, password: str | None = None, refusal: str = "", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """Run a proxy with CONNECT tunnels and forwarded plain requests; every name resolves to loopback."""
    server = Server(port=0)
    expected = f"Basic {base64.b64encode(f'proxyuser:{password}'.encode()).decode()}" if password else None

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        if request is None:
            return
        server.requests.append(request)
        if refusal:
            writer.write(http(refusal, b"<html>blocked by policy</html>"))
        elif expected is not None and request.headers.get("proxy-authorization") != expected:
            writer.write(http("407 Proxy Authentication Required", b"", "Proxy-Authenticate: Basic realm=x"))
        else:
            await _pass_on(request, reader, writer)
        await writer.drain()

    async with listening(talk, tls=tls) as port:
        server.port = port
        yield server


async def _pass_on(
    request: ReceivedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    method, target, _ = request.line.split()
    if method == "CONNECT":
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, far_writer))
            group.create_task(_pump(far_reader, writer))
        return
    parts = urlsplit(target)
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", parts.port or 80)
    rows = (
        f"{method} {parts.path}?{parts.query} HTTP/1.1",
        *(f"{k}: {v}" for k, v in request.headers.items()),
    )
    far_writer.write("\r\n".join(rows).encode() + b"\r\n\r\n" + request.body)
    try:
        await _pump(far_reader, writer)
    finally:
        far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with a RST."""
    connected: socket.socket = writer.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def receiver(type_name: str, *urls: str, timeout: float = 5.0, **transport: str | None) -> Receiver:
    """Return a receiver of an HTTP type."""
    made = HttpTransport(urls=urls, **transport)  # type: ignore[arg-type]
    return sample_receiver(type_name, transport=made, timeout=timeout)
