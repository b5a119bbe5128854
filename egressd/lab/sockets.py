"""The lab's sockets: connections that can be reset, not answered, or carry TLS.

Every connection belongs to a `ServerGroup`, is bounded in number and lifetime, and is closed with it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Protocol

LOOPBACK = "127.0.0.1"
MAX_CONNECTIONS = 512
LIFETIME = 120.0
"""The most seconds a connection lasts."""
HOLD_SECONDS = 60.0
"""Seconds for which a server that does not answer keeps a connection open."""
READ = 65536


class ServerStream(Protocol):
    """A stream that an HTTP server uses."""

    async def read(self) -> bytes:
        """Return received bytes; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all bytes."""
        ...

    async def close_gracefully(self) -> None:
        """End the stream with FIN."""
        ...

    def reset(self) -> None:
        """End it with RST."""
        ...


class TcpConnection:
    """One accepted TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    async def read(self) -> bytes:
        """Return received bytes; b"" at the end."""
        return await self._loop.sock_recv(self._sock, READ)

    async def write(self, data: bytes) -> None:
        """Send all bytes."""
        await self._loop.sock_sendall(self._sock, data)

    async def close_gracefully(self) -> None:
        """Send FIN, then read until the client closes too: unread bytes would turn FIN into RST."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(2.0):
                while await self.read():
                    pass
        self.close()

    def reset(self) -> None:
        """Close with RST."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Close at once."""
        self._sock.close()

    async def wait_for_close(self) -> None:
        """Send nothing until the client closes or `HOLD_SECONDS` pass."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HOLD_SECONDS):
                while await self.read():
                    pass


class TlsConnection:
    """The server side of TLS over a connection; the ClientHello has been read already."""

    def __init__(self, connection: TcpConnection, context: ssl.SSLContext) -> None:
        self._connection = connection
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def alpn(self) -> str | None:
        """The protocol negotiated by ALPN."""
        return self._tls.selected_alpn_protocol()

    def first_flight(self, hello: bytes) -> bytes:
        """Return the server's first flight in answer to a ClientHello."""
        self._incoming.write(hello)
        with suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._outgoing.read()

    async def handshake(self, hello: bytes) -> None:
        """Complete the handshake.

        Raises:
            OSError: the client closed, or rejected the certificate.
        """
        self._incoming.write(hello)
        try:
            while not await self._advance():
                await self._feed()
        finally:
            await self._flush()

    async def _advance(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            await self._flush()
            return False
        return True

    async def read(self) -> bytes:
        """Return decrypted bytes; b"" at the end."""
        while True:
            try:
                return self._tls.read(READ)
            except ssl.SSLWantReadError:
                await self._flush()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            await self._feed()

    async def write(self, data: bytes) -> None:
        """Encrypt and send all bytes."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:READ]) :]
            await self._flush()

    async def close_gracefully(self) -> None:
        """Send close_notify and FIN."""
        with suppress(OSError):
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            await self._flush()
        await self._connection.close_gracefully()

    def reset(self) -> None:
        """Close with RST, no close_notify."""
        self._connection.reset()

    async def _feed(self) -> None:
        data = await self._connection.read()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await self._connection.write(data)


ServeConnection = Callable[[TcpConnection], Awaitable[None]]


class ServerGroup:
    """Owns the lab's sockets and the tasks that serve them."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._sockets: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def own(self, sock: socket.socket) -> socket.socket:
        """Own a socket: it is closed with the group."""
        self._sockets.add(sock)
        return sock

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run a coroutine until the group stops."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def listen(self, serve: ServeConnection, port: int = 0) -> int:
        """Serve TCP on loopback; return the port."""
        listener = self.own(open_listener(port))
        self.accept(listener, serve)
        return port_of(listener)

    def accept(self, listener: socket.socket, serve: ServeConnection) -> None:
        """Serve the connections of a listener."""
        self.start(self._accept(listener, serve))

    def stop(self) -> None:
        """Cancel all tasks; the task group waits for them."""
        for task in tuple(self._tasks):
            task.cancel()

    def close(self) -> None:
        """Close all sockets; call after all tasks have ended."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    async def _accept(self, listener: socket.socket, serve: ServeConnection) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError:  # no descriptors left, or the client has closed already
                self._slots.release()
                await asyncio.sleep(0.05)
                continue
            self.start(self._serve(self.own(sock), serve))

    async def _serve(self, sock: socket.socket, serve: ServeConnection) -> None:
        try:
            with suppress(OSError):  # the client closed; TimeoutError is an OSError too
                async with asyncio.timeout(LIFETIME):
                    await serve(TcpConnection(sock))
        finally:
            sock.close()
            self._sockets.discard(sock)
            self._slots.release()


def open_listener(port: int = 0, *, backlog: int = 256, address: str = LOOPBACK) -> socket.socket:
    """Return a listening socket on loopback."""
    return _bind(socket.SOCK_STREAM, port, backlog=backlog, address=address)


def udp_socket(port: int = 0, *, address: str = LOOPBACK) -> socket.socket:
    """Return a datagram socket on loopback."""
    return _bind(socket.SOCK_DGRAM, port, address=address)


def _bind(
    kind: socket.SocketKind, port: int, *, backlog: int | None = None, address: str = LOOPBACK
) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if backlog is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if backlog is not None:
            sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def port_of(sock: socket.socket) -> int:
    """Return the port a socket is bound to."""
    port: int = sock.getsockname()[1]
    return port


def socket_pair(
    port: int = 0, *, backlog: int = 256, address: str = LOOPBACK
) -> tuple[socket.socket, socket.socket]:
    """Bind TCP and UDP to the same port; a free one where the port is 0.

    Raises:
        OSError: the port is taken, or none is free for both.
    """
    for _ in range(50):
        listener = open_listener(port, backlog=backlog, address=address)
        try:
            return listener, udp_socket(port_of(listener), address=address)
        except OSError:
            listener.close()
            if port:
                raise
    raise OSError(f"no port of {address} is free for both TCP and UDP")


def blackhole_port(own: Callable[[socket.socket], socket.socket], address: str = LOOPBACK) -> int:
    """Return a port that refuses: it is bound, so that no other program gets it, but nothing listens.

    The UDP socket is connected to itself: datagrams of others are refused.
    """
    listener, datagrams = socket_pair(backlog=0, address=address)
    own(datagrams)
    port = port_of(own(listener))
    for _ in range(3):
        filler = own(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        filler.setblocking(False)
        filler.connect_ex((address, port))
    return port


def closed_port(kind: socket.SocketKind, own: Callable[[socket.socket], socket.socket]) -> int:
    """Return a port that refuses: it is bound, so that no other program takes it, but nothing listens.

    For datagrams a bound socket is connected to itself: what others send is refused.
    """
    sock = own(_bind(kind, 0))
    if kind is socket.SOCK_DGRAM:
        sock.connect(sock.getsockname())
    return port_of(sock)
