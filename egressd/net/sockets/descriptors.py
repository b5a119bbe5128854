"""File descriptors: the soft limit (RLIMIT_NOFILE), and whether one is left."""

from __future__ import annotations

import resource
import socket

from egressd.net.sockets.errors import SHORTAGES

RESERVED = 192
"""Descriptors kept for everything that is not a probe: a third of them are for clients of the HTTP server."""


def allow_descriptors(wanted: int) -> int:
    """Raise the soft limit as far as needed and permitted; return the limit now in force.

    The usual soft limit of 1024 exists for programs that use select(2); egressd uses epoll(7).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def shortage() -> int | None:
    """Return the errno with which this host refuses a descriptor; None where one is left."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno if error.errno in SHORTAGES else None
    return None
