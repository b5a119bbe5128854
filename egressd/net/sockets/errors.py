"""PhaseError, and how an errno maps to a `Failure`."""

from __future__ import annotations

import errno
from typing import Literal

from egressd.model.observation import Failure
from egressd.net.scrub import scrub

DETAIL_LIMIT = 200

SHORTAGES = frozenset(
    (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.ENOSR)
)
"""What a call ends with where this host lacks something; ENOSPC: epoll(7) watches too many descriptors."""
_BY_ERRNO = {
    errno.ETIMEDOUT: Failure.TIMEOUT,
    errno.ECONNREFUSED: Failure.REFUSED,
    errno.ECONNRESET: Failure.RESET,
    errno.ECONNABORTED: Failure.RESET,
    errno.EPIPE: Failure.RESET,
    **dict.fromkeys(
        (
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
            errno.ENETDOWN,
            errno.EHOSTDOWN,
            errno.EACCES,
            errno.EPERM,
            errno.EINVAL,
            errno.ENOPROTOOPT,
            errno.EAFNOSUPPORT,
        ),
        Failure.UNREACHABLE,
    ),
    **dict.fromkeys(
        (*SHORTAGES, errno.EADDRNOTAVAIL, errno.EAGAIN),
        Failure.NO_RESOURCES,
    ),
}


class PhaseError(Exception):
    """The error that ends a phase; its fields become those of the observation."""

    def __init__(
        self, failure: Failure, detail: str = "", number: int | None = None, *, timed_out: bool = False
    ) -> None:
        super().__init__(failure, detail, number)
        self.failure = failure
        self.detail = scrub(detail, DETAIL_LIMIT)
        self.errno = number
        self.timed_out = timed_out or failure is Failure.TIMEOUT


class NotProcessedError(PhaseError):
    """The server says that it did not process the request: clients send it again on a new connection."""

    def __init__(self, detail: str, *, version: Literal["1.1", "2"]) -> None:
        super().__init__(Failure.HTTP2_ERROR, detail)
        self.version: Literal["1.1", "2"] = version
        """The HTTP version to send it with."""


def failure_of(error: OSError | MemoryError) -> Failure:
    """Return the failure of a connect, read or write. A TimeoutError without errno is our own timer."""
    if isinstance(error, MemoryError):
        return Failure.NO_RESOURCES
    if error.errno is None and isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    return _BY_ERRNO.get(error.errno or 0, Failure.OS_ERROR)


def detail_of(error: OSError | MemoryError) -> str:
    """Return an error as `SYMBOL: text of strerror(3)`."""
    if isinstance(error, MemoryError):
        return "ENOMEM: out of memory"
    if error.errno is None:
        return scrub(str(error), DETAIL_LIMIT)
    symbol = errno.errorcode.get(error.errno, str(error.errno))
    return scrub(f"{symbol}: {error.strerror}", DETAIL_LIMIT)


def phase_error(error: OSError | MemoryError) -> PhaseError:
    """Return an error of a connect, read or write as the end of a phase."""
    number = errno.ENOMEM if isinstance(error, MemoryError) else error.errno
    return PhaseError(failure_of(error), detail_of(error), number)
