"""A connected UDP socket: it gets ICMP errors, and only datagrams of the peer."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import TypeVar

from egressd.model.observation import Failure, Icmp
from egressd.model.settings import Source
from egressd.net.sockets.errors import PhaseError, detail_of, phase_error
from egressd.net.sockets.kernel import read_icmp
from egressd.net.sockets.opening import local_address, open_socket, socket_address, until_readable

MAX_DATAGRAM = 65535
"""The largest there is: one that is cut off here would seem malformed."""
_MAX_UNRELATED = 100
"""Datagrams that are no answer; more are taken for a flood."""

T = TypeVar("T")


class Datagrams:
    """A UDP socket connected to one peer.

    Raises:
        PhaseError: by any method, on a socket error.
    """

    def __init__(self, address: str, port: int, *, source: Source) -> None:
        family, peer = socket_address(address, port)
        self._sock = open_socket(family, socket.SOCK_DGRAM, source)
        self.icmp: Icmp | None = None
        """The ICMP error behind the last socket error, if any."""
        try:
            self._sock.connect(peer)
        except OSError as error:
            self._sock.close()
            raise _connect_error(error) from None

    @property
    def local(self) -> tuple[str | None, int | None]:
        """The local address and port."""
        return local_address(self._sock)

    def send(self, data: bytes) -> None:
        """Send one datagram; a full send buffer is an error too."""
        try:
            self._sock.send(data)
        except (OSError, MemoryError) as error:
            raise self._socket_error(error) from None

    async def wait_for_answer(self, read: Callable[[bytes], T | None], *, timeout: float) -> T:
        """Return the result of `read` for the first datagram it accepts; it returns None for others.

        Raises:
            PhaseError: TIMEOUT, the socket's error, or what `read` raised.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._first_answer(read)
        except TimeoutError as error:
            if error.errno is not None:
                raise self._socket_error(error) from None
            return self._answer_in_buffer(read)
        except (OSError, MemoryError) as error:
            raise self._socket_error(error) from None

    async def _first_answer(self, read: Callable[[bytes], T | None]) -> T:
        for _ in range(_MAX_UNRELATED):
            await until_readable(self._sock)
            try:
                data = self._sock.recv(MAX_DATAGRAM)
            except BlockingIOError:  # the kernel dropped it: bad checksum
                continue
            answer = read(data)
            if answer is not None:
                return answer
        raise PhaseError(Failure.MALFORMED, f"{_MAX_UNRELATED} datagrams came and none was an answer")

    def _answer_in_buffer(self, read: Callable[[bytes], T | None]) -> T:
        """Return an answer that is in the socket already: a busy host may see its timer first."""
        try:
            for _ in range(_MAX_UNRELATED):
                answer = read(self._sock.recv(MAX_DATAGRAM))
                if answer is not None:
                    return answer
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._socket_error(error) from None
        raise PhaseError(Failure.TIMEOUT)

    def _socket_error(self, error: OSError | MemoryError) -> PhaseError:
        self.icmp = read_icmp(self._sock)
        return phase_error(error)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _connect_error(error: OSError) -> PhaseError:
    """Return a connect error; without a port to bind, EADDRNOTAVAIL means no usable source address."""
    if error.errno == errno.EADDRNOTAVAIL:
        return PhaseError(Failure.UNREACHABLE, detail_of(error), error.errno)
    return phase_error(error)
