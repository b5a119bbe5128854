"""Ports for programs that are told where to listen, and ports where nobody listens.

A port that the kernel hands out and that is closed again may be handed to somebody else before it is needed.
These are below those that the kernel hands out, and each process of the tests has some of its own.
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
    """Return a port of loopback that nobody has, over TCP or UDP, and that no other test will be given."""
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
    """Keep a port where nobody listens: a dial is refused while somebody has it who does not listen."""
    if kind is socket.SOCK_DGRAM:
        yield free_port()
        return
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield one.getsockname()[1]
