"""A connected UDP socket: only such a socket hears ICMP errors, and only the peer's answers."""

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

LARGEST = 4096
_MOST_STRAYS = 100
"""Datagrams that are no answer; beyond this somebody is flooding us."""

T = TypeVar("T")


class Datagrams:
    """A conversation in datagrams with one peer.

    Raises:
        PhaseError: by any method, when the socket says that it can't go on.
    """

    def __init__(self, address: str, port: int, *, source: Source) -> None:
        family, peer = socket_address(address, port)
        self._sock = open_socket(family, socket.SOCK_DGRAM, source)
        self.icmp: Icmp | None = None
        """The ICMP error that ended it, if one did."""
        try:
            self._sock.connect(peer)
        except OSError as error:
            self._sock.close()
            raise _connect_error(error) from None
        self.local = local_address(self._sock)

    def send(self, data: bytes) -> None:
        """Send one datagram; a full buffer is an error, as there is nothing to wait for."""
        try:
            self._sock.send(data)
        except OSError as error:
            raise self._socket_error(error) from None

    async def wait_for_answer(self, read: Callable[[bytes], T | None], *, timeout: float) -> T:
        """Return what `read` makes of the first datagram it accepts; others are passed over.

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
        except OSError as error:
            raise self._socket_error(error) from None

    async def _first_answer(self, read: Callable[[bytes], T | None]) -> T:
        for _ in range(_MOST_STRAYS):
            await until_readable(self._sock)
            try:
                data = self._sock.recv(LARGEST)
            except BlockingIOError:  # the kernel dropped it for its checksum
                continue
            answer = read(data)
            if answer is not None:
                return answer
        raise PhaseError(Failure.MALFORMED, f"{_MOST_STRAYS} datagrams came and none was an answer")

    def _answer_in_buffer(self, read: Callable[[bytes], T | None]) -> T:
        """Return the answer that waits in the socket: on a busy host the timer may be seen first."""
        try:
            for _ in range(_MOST_STRAYS):
                answer = read(self._sock.recv(LARGEST))
                if answer is not None:
                    return answer
        except BlockingIOError:
            pass
        except OSError as error:
            raise self._socket_error(error) from None
        raise PhaseError(Failure.TIMEOUT)

    def _socket_error(self, error: OSError) -> PhaseError:
        self.icmp = read_icmp(self._sock)
        return phase_error(error)

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _connect_error(error: OSError) -> PhaseError:
    """Name an error of connecting: with no port asked for, EADDRNOTAVAIL means no address to leave from."""
    if error.errno == errno.EADDRNOTAVAIL:
        return PhaseError(Failure.UNREACHABLE, detail_of(error), error.errno)
    return phase_error(error)
