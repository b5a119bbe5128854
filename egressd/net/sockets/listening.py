"""An address to listen on: whether it can be had, and what to do where it can't."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")


def _kernel_address(family: socket.AddressFamily, text: str) -> str:
    """Write an address as the kernel's lists do: words of 32 bits in the order of this machine."""
    packed = socket.inet_pton(family, text)
    words = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in range(0, len(packed), 4))
    return "".join(f"{one:08X}" for one in words)


_LISTEN = "0A"
"""TCP_LISTEN of net/tcp_states.h, as /proc/net/tcp writes it."""

_AT_IPV4_LOOPBACK = frozenset(
    _kernel_address(family, text)
    for family, text in (
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),
        (socket.AF_INET6, "::ffff:127.0.0.1"),
        (socket.AF_INET6, "::"),
    )
)
"""Addresses, as /proc/net/tcp and tcp6 write them, at which a socket accepts for 127.0.0.1. `::` does as
well, unless it is for IPv6 only, which the list does not say."""
_AT_IPV6_LOOPBACK = frozenset({_kernel_address(socket.AF_INET6, "::1")})
BACKLOG = 128
TcpSocket = socket.socket


async def open_listening(host: str | None, port: int) -> tuple[TcpSocket, ...]:
    """Listen on each address of a host, or on every address.

    The loop resolves and binds; accepting is left to the caller. Raises OSError.
    """
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    try:
        found = tuple(one.dup() for one in server.sockets)
    finally:
        server.close()
    for one in found:
        one.setblocking(False)  # `dup` makes it as sockets are by default
        one.listen(BACKLOG)
    return found


def split_listen(text: str) -> tuple[str | None, int]:
    """Split `address:port`, `[v6]:port` and `:port`; None: all addresses."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or None, int(port)


def listen_problem(text: str) -> str | None:
    """Say why nothing could listen here. A port that is taken is no problem: the daemon may have it."""
    host, port = split_listen(text)
    family = socket.AF_INET if host is not None and ":" not in host else socket.AF_INET6
    address = host or ("::" if socket.has_dualstack_ipv6() else "0.0.0.0")
    if host is None and address == "0.0.0.0":
        family = socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, port))
    except OSError as error:
        number = error.errno or errno.EADDRNOTAVAIL
        return None if number == errno.EADDRINUSE else why_not_listening(number, port)
    return None


def why_not_listening(number: int, port: int) -> str:
    """Say what an error of `bind` means for a port, and what to do; `number` is an errno."""
    why = os.strerror(number)
    match number:
        case errno.EADDRINUSE:
            found = ", ".join(port_holders(port))
            ask = f"`ss -ltnp sport = :{port}`, as root, names the program that has it"
            return f"{why}: {f'{found} has it' if found else ask}; stop that, or name another port"
        case errno.EADDRNOTAVAIL:
            return f"{why}: no interface of this host has it now; `ip address` lists those it has"
        case errno.EACCES | errno.EPERM:
            return f"{why}: it takes CAP_NET_BIND_SERVICE to listen on port {port}; name one from 1024 on"
        case _:
            return why


def port_holders(port: int) -> tuple[str, ...]:
    """Name the programs that listen on a TCP port, as far as this user may see them."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return ()
    processes = (one for one in PROC.iterdir() if one.name.isdecimal())
    return tuple(_named(one) for one in processes if _has_any(one, sockets))


def loopback_listener(port: int) -> str | None:
    """Return the loopback address at which something listens on a TCP port; None: nothing does.

    Read from the kernel's list (proc_net_tcp(5)), without a connection; None where that can't be read.
    """
    places = {words[1].rpartition(":")[0] for words in _listening(port)}
    if places & _AT_IPV4_LOOPBACK:
        return "127.0.0.1"
    return "::1" if places & _AT_IPV6_LOOPBACK else None


def _listening_inodes(port: int) -> Iterator[str]:
    return (words[9] for words in _listening(port))


def _listening(port: int) -> Iterator[list[str]]:
    """Yield the words of each row of a socket that listens on a port."""
    for name in ("tcp", "tcp6"):
        for row in _text(PROC / "net" / name).splitlines()[1:]:
            words = row.split()
            if words[3] == _LISTEN and int(words[1].rpartition(":")[2], 16) == port:
                yield words


def _has_any(process: Path, sockets: set[str]) -> bool:
    try:
        return any(_link(one) in sockets for one in (process / "fd").iterdir())
    except OSError:  # another user's, or it has ended
        return False


def _link(descriptor: Path) -> str | None:
    try:
        return os.readlink(descriptor)  # noqa: PTH115 - no path
    except OSError:  # it was closed meanwhile
        return None


def _named(process: Path) -> str:
    name = _text(process / "comm").strip()
    return f"{name if name.isprintable() and name else 'a program'} (pid {process.name})"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
