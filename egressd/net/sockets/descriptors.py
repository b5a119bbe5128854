"""How many sockets this process may hold."""

from __future__ import annotations

import resource

SPARE = 128
"""Descriptors for everything that is not a probe."""


def allow_descriptors(wanted: int) -> int:
    """Raise the soft limit as far as needed and permitted; return what it is now.

    The usual soft limit of 1024 exists for programs that use select(2); this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
