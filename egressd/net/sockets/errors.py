"""From exceptions to `Failure`, per operation: the same errno means different things in different places."""

from __future__ import annotations

import errno

from egressd.model.observation import Failure
from egressd.net.scrub import scrub

DETAIL_LIMIT = 200

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
        (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN),
        Failure.NO_RESOURCES,
    ),
}


class PhaseError(Exception):
    """Something a phase can't go on after; it becomes the observation's failure."""

    def __init__(
        self, failure: Failure, detail: str = "", number: int | None = None, *, silent: bool = False
    ) -> None:
        super().__init__(failure, detail, number)
        self.failure = failure
        self.detail = scrub(detail, DETAIL_LIMIT)
        self.errno = number
        self.silent = silent or failure is Failure.TIMEOUT


def failure_of(error: OSError) -> Failure:
    """Name an error of connecting, reading or writing. A bare TimeoutError is our own timer."""
    if error.errno is None and isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    return _BY_ERRNO.get(error.errno or 0, Failure.OS_ERROR)


def detail_of(error: OSError) -> str:
    """Say an error in short: its symbol and the kernel's words."""
    if error.errno is None:
        return scrub(str(error), DETAIL_LIMIT)
    symbol = errno.errorcode.get(error.errno, str(error.errno))
    return scrub(f"{symbol}: {error.strerror}", DETAIL_LIMIT)


def phase_error(error: OSError) -> PhaseError:
    """Return an error of reading or writing as what the phase ended with."""
    return PhaseError(failure_of(error), detail_of(error), error.errno)
