"""One TCP connect to one address, from one source. No happy eyeballs (RFC 8305), no retry."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket

from msgspec.structs import replace

from egressd.model.observation import Failure, Icmp, TcpInfo, TcpObservation
from egressd.model.settings import Source
from egressd.net.sockets.errors import SHORTAGES, PhaseError, detail_of, failure_of, phase_error
from egressd.net.sockets.kernel import read_icmp, tcp_info
from egressd.net.sockets.opening import (
    SocketAddress,
    local_address,
    open_socket,
    set_hop_limit,
    socket_address,
    until_readable,
    until_writable,
    writable_now,
)
from egressd.net.sockets.turns import LoopTurn
from egressd.net.stopwatch import Stopwatch


class TcpStream:
    """A connected TCP socket."""

    __slots__ = ("_loop", "_returned", "_sock", "_written", "turn")

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._returned = b""
        self._written = 0
        self.turn = LoopTurn()

    async def read(self, n: int) -> bytes:
        """Return up to `n` bytes; b"" at the end. Raises OSError."""
        if self._returned:
            data, self._returned = self._returned[:n], self._returned[n:]
            return data
        while (received := self._receive(n)) is None:
            self.turn.pause()
            await until_readable(self._sock)
            self.turn.resume()
        await self.turn.share()
        return received

    def _receive(self, n: int) -> bytes | None:
        """Return up to `n` bytes that are there; None where there are none yet."""
        try:
            return self._sock.recv(n)
        except BlockingIOError:
            return None

    def unread(self, data: bytes) -> None:
        """Push bytes back; the next read returns them first."""
        self._returned = data + self._returned

    async def write(self, data: bytes) -> None:
        """Send all bytes. Raises OSError."""
        self._written += len(data)
        await self._loop.sock_sendall(self._sock, data)

    def set_hop_limit(self, ttl: int) -> None:
        """Limit the hops of packets sent from now on; where the limit is exceeded, `read` raises."""
        with contextlib.suppress(OSError):
            set_hop_limit(self._sock, ttl)

    def info(self) -> TcpInfo | None:
        """Return TCP_INFO; None once the socket is closed."""
        info = tcp_info(self._sock)
        return replace(info, bytes_written=self._written) if info is not None else None

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


async def dial(
    address: str,
    port: int,
    *,
    source: Source,
    timeout: float,
    max_segment: int | None = None,
    ttl: int | None = None,
) -> tuple[TcpObservation, TcpStream | None]:
    """Connect within `timeout` seconds; the stream is None where that failed.

    `ttl` is the hop limit: a router at which it runs out sends an ICMP error, recorded as `icmp`.
    """
    attempt = _ConnectAttempt(address, port, max_segment=max_segment, ttl=ttl)
    stream: TcpStream | None = None
    try:
        family, peer = socket_address(address, port)
        stream = await attempt.connect(open_socket(family, socket.SOCK_STREAM, source), peer, timeout)
    except PhaseError as error:
        return attempt.observe(failure=error.failure, detail=error.detail, number=error.errno), None
    return attempt.observe(), stream


class _ConnectAttempt:
    """One connect in progress, and the facts for its observation."""

    def __init__(self, address: str, port: int, *, max_segment: int | None, ttl: int | None) -> None:
        self.watch = Stopwatch()
        self.address = address
        self.port = port
        self.max_segment = max_segment
        self.ttl = ttl
        self.local: tuple[str | None, int | None] = (None, None)
        self.info: TcpInfo | None = None
        self.icmp: Icmp | None = None

    async def connect(self, sock: socket.socket, peer: SocketAddress, timeout: float) -> TcpStream:
        try:
            self._set_options(sock)
            await self._establish(sock, peer, timeout)
            self.info = tcp_info(sock)
            return TcpStream(sock)
        except (OSError, MemoryError) as error:
            self.icmp = read_icmp(sock)
            self.info = tcp_info(sock)
            sock.close()
            raise _connect_error(error, peer) from None
        except BaseException:
            sock.close()
            raise

    def _set_options(self, sock: socket.socket) -> None:
        # Whole messages are written, then an answer is read: Nagle's algorithm would only delay them.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.max_segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, self.max_segment)
        if self.ttl is not None:
            set_hop_limit(sock, self.ttl)

    async def _establish(self, sock: socket.socket, peer: SocketAddress, timeout: float) -> None:
        """Connect; note the local address before the answer, as firewall logs are searched by it."""
        number = sock.connect_ex(peer)
        self.local = local_address(sock)
        if number == errno.EINPROGRESS:
            try:
                async with asyncio.timeout(timeout):
                    await until_writable(sock)
            except TimeoutError:
                # On a busy host the loop may see the timer before an answer that came in time.
                if not writable_now(sock):
                    raise
            number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))

    def observe(
        self, *, failure: Failure | None = None, detail: str = "", number: int | None = None
    ) -> TcpObservation:
        return TcpObservation(
            started=self.watch.started,
            elapsed_ms=self.watch.elapsed_ms,
            remote_address=self.address,
            remote_port=self.port,
            local_address=self.local[0],
            local_port=self.local[1],
            failure=failure,
            detail=detail,
            errno=number,
            icmp=self.icmp,
            info=self.info,
            max_segment=self.max_segment,
            ttl=self.ttl,
        )


def _connect_error(error: OSError | MemoryError, peer: SocketAddress) -> PhaseError:
    failure = failure_of(error)
    if isinstance(error, MemoryError):
        return phase_error(error)
    if error.errno == errno.EADDRNOTAVAIL and not _has_local_address_for(peer):
        failure = Failure.UNREACHABLE
    return PhaseError(failure, detail_of(error), error.errno)


def _has_local_address_for(peer: SocketAddress) -> bool:
    """Return whether this host has an address to reach a peer from; nothing is sent.

    EADDRNOTAVAIL means both "no address of this family configured" and "no local port left". A connected
    UDP socket needs the same address, but none of TCP's ports.
    """
    family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(peer)
    except OSError as error:
        return error.errno in SHORTAGES
    return True
