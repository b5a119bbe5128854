"""Opening non-blocking sockets bound to a source."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import select
import socket

from egressd.model.observation import Failure
from egressd.model.settings import Source
from egressd.net.sockets.errors import SHORTAGES, PhaseError, detail_of, phase_error
from egressd.net.sockets.kernel import queue_icmp

IP_BIND_ADDRESS_NO_PORT = 24
SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def socket_address(address: str, port: int) -> tuple[socket.AddressFamily, SocketAddress]:
    """Return family and socket address of a literal IP address, `%scope` included.

    Raises:
        PhaseError: it is no IP address, or its scope names no interface of this host.
    """
    bare, _, scope = address.partition("%")
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        socket.inet_pton(family, bare)
    except (OSError, ValueError):
        raise PhaseError(Failure.NAME_INVALID, f"{address!r} is not an IP address") from None
    if family == socket.AF_INET:
        return family, (bare, port)
    return family, (bare, port, 0, _scope_id(scope))


def _scope_id(scope: str) -> int:
    if not scope:
        return 0
    if scope.isdecimal():
        return int(scope)
    try:
        return socket.if_nametoindex(scope)
    except OSError as error:
        raise PhaseError(Failure.UNREACHABLE, f"no interface {scope!r}", error.errno) from None


def open_socket(family: socket.AddressFamily, kind: socket.SocketKind, source: Source) -> socket.socket:
    """Open a non-blocking socket with an error queue, bound to the source.

    Raises:
        PhaseError: the source is not on this host, or no socket can be opened.
    """
    try:
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    except OSError as error:
        raise phase_error(error) from None
    try:
        queue_icmp(sock)
        bind_to(sock, source)
    except BaseException:
        sock.close()
        raise
    return sock


def bind_to(sock: socket.socket, source: Source) -> None:
    """Bind a socket to the interface and address of a source.

    Raises:
        PhaseError: INVALID_SOURCE; the source is not on this host.
    """
    try:
        if source.interface is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source.interface.encode() + b"\0")
        if source.address is not None:
            _bind_address(sock, source.address)
    except OSError as error:
        if error.errno in SHORTAGES:
            raise phase_error(error) from None
        where = source.address or source.interface
        detail = f"cannot leave from {where} (source {source.name}): {detail_of(error)}"
        raise PhaseError(Failure.INVALID_SOURCE, detail, error.errno) from None


def _bind_address(sock: socket.socket, address: str) -> None:
    """Bind without reserving a port, so that connections to different peers may share one."""
    family, local = socket_address(address, 0)
    if family != sock.family:
        # Not INVALID_SOURCE: an IPv4 source is fine, it just can't reach an IPv6 address.
        detail = f"the source address {address} is of the other family"
        raise PhaseError(Failure.UNREACHABLE, detail, errno.EAFNOSUPPORT)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    sock.bind(local)


def set_hop_limit(sock: socket.socket, ttl: int) -> None:
    """Set the hop limit (TTL) of a socket's packets. Raises OSError."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def local_address(sock: socket.socket) -> tuple[str | None, int | None]:
    """Return the local address and port; None where the kernel has not chosen them."""
    try:
        name = sock.getsockname()
    except OSError:
        return None, None
    address, port = name[0], name[1]
    return (address, port) if port else (None, None)


def writable_now(sock: socket.socket) -> bool:
    """Return whether a connect has ended, without waiting."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return bool(poll.poll(0))


async def until_writable(sock: socket.socket) -> None:
    """Wait until a socket is writable: then its connect has ended. It must stay open meanwhile."""
    loop, descriptor = asyncio.get_running_loop(), sock.fileno()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(descriptor, _set_ready, ready)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


async def until_readable(sock: socket.socket) -> None:
    """Wait until a socket is readable. Nothing is read, so a cancellation loses nothing.

    It must stay open meanwhile.
    """
    # Given a socket, the selector would write its `repr`, which asks the kernel for both addresses.
    loop, descriptor = asyncio.get_running_loop(), sock.fileno()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _set_ready, ready)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)


def _set_ready(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
