"""The soft limit on open file descriptors (RLIMIT_NOFILE)."""

from __future__ import annotations

import resource

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
