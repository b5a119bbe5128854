"""Syslog: one message over a local socket, UDP (RFC 5426) or TCP with counted octets (RFC 6587)."""

from __future__ import annotations

import asyncio
import os
import socket

from egressd.model.notification import Receiver, Syslog
from egressd.notify.delivery import Delivery, arrived, failed
from egressd.notify.send.trouble import describe, too_slow

_ECHO = 0.05
"""Seconds in which a host says that nobody listens on a UDP port, if it is near."""
_FAREWELL = 0.5
"""Seconds in which a TCP server closes or resets: nothing is acknowledged, but a reset says it was lost."""


async def send_line(receiver: Receiver, line: bytes) -> Delivery:
    """Send a message and say how it went, within the receiver's timeout."""
    way = _way(receiver)
    place = way.address if way.transport == "unix" else f"{way.address}:{way.port}"
    try:
        async with asyncio.timeout(receiver.timeout):
            match way.transport:
                case "unix":
                    _put(way.address, line)
                case "udp":
                    await _datagram(way, line)
                case _:
                    await _stream(way, line)
    except TimeoutError:
        return failed(too_slow(place, receiver.timeout))
    except OSError as error:
        return failed(f"syslog: {describe(error, place)}")
    return arrived()


def _put(path: str, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
        way.setblocking(False)
        way.connect(path)
        way.send(line)


async def _datagram(way: Syslog, line: bytes) -> None:
    """Send to the first address that can be sent to."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(way.address, way.port, type=socket.SOCK_DGRAM)
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        with socket.socket(family, kind | socket.SOCK_CLOEXEC, protocol) as one:
            one.setblocking(False)
            try:
                await loop.sock_connect(one, address)
                await loop.sock_sendall(one, line)
                await asyncio.sleep(_ECHO)
                _raise_pending(one)
            except OSError:
                if number == len(found):
                    raise
            else:
                return


def _raise_pending(one: socket.socket) -> None:
    """Raise what the network has said of a datagram since."""
    code = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def _stream(way: Syslog, line: bytes) -> None:
    reader, writer = await asyncio.open_connection(way.address, way.port)
    try:
        writer.write(b"%d %s" % (len(line), line))
        await writer.drain()
        writer.write_eof()
        await _farewell(reader)
    finally:
        writer.close()


async def _farewell(reader: asyncio.StreamReader) -> None:
    """Wait a moment for the other end to close. One that keeps the connection has got it all the same."""
    try:
        async with asyncio.timeout(_FAREWELL):
            await reader.read(1)
    except TimeoutError:
        return


def _way(receiver: Receiver) -> Syslog:
    if not isinstance(receiver.way, Syslog):
        raise TypeError(f"{receiver.name}: a receiver of kind {receiver.kind.value} needs a syslog address")
    return receiver.way
