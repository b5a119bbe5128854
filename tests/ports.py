"""Ports for programs that are given a port to listen on, and ports without a listener.

A port that the kernel gave out and that is closed again may be taken by another process before it is
needed. These are below those that the kernel gives out, and each process of the tests has some of its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle

FIRST, EACH, PROCESSES = 11_000, 100, 90
_begin = FIRST + os.getpid() % PROCESSES * EACH
_own = cycle(range(_begin, _begin + EACH))


def free_port() -> int:
    """Return a free port of loopback, over TCP and UDP, that no other test will be given."""
    return next(port for port in _own if _is_free(port))


def _is_free(port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as one:
                one.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@contextmanager
def closed_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[int]:
    """Reserve a port without a listener: it is bound, so no other process gets it, and a dial is refused."""
    if kind is socket.SOCK_DGRAM:
        yield free_port()
        return
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]
