"""Transport errors in words: what happened, with which host and port, what to do."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

from egressd.net.scrub import scrub

_LONGEST = 200


def error_text(error: BaseException, place: str) -> str:
    """Return what an error of a socket, of TLS or of name resolution means, and what to do."""
    cause = _root(error)
    match cause:
        case ssl.SSLCertVerificationError():
            reason = scrub(cause.verify_message or "it does not verify", _LONGEST)
            return f"the certificate of {place} is not trusted ({reason}); set ca_file, or fix the server"
        case ssl.SSLError():
            reason = scrub(cause.reason or "no reason given", _LONGEST)
            return f"the TLS handshake with {place} failed ({reason})"
        case socket.gaierror():
            return f"the name of {place} can't be resolved ({(cause.strerror or 'no reason given').lower()})"
        case asyncio.TimeoutError():
            return f"no answer from {place} in time"
        case OSError() if cause.errno:
            return f"{place} can't be reached ({os.strerror(cause.errno).lower()})"
        case ConnectionError() | EOFError():
            return f"{place} closed the connection before it answered"
        case OSError():
            return f"{place} can't be reached"
        case _:
            return f"{place}: {type(cause).__name__}"


def timeout_text(place: str, seconds: float) -> str:
    """Return that a delivery timed out."""
    return f"no answer from {place} within {seconds:g} s"


def _root(error: BaseException) -> BaseException:
    """Return the error of the system that a library has wrapped in its own."""
    seen = error
    while True:
        inner = getattr(seen, "os_error", None) or getattr(seen, "certificate_error", None)
        inner = inner or (seen.__cause__ if not isinstance(seen, ssl.SSLError | socket.gaierror) else None)
        if not isinstance(inner, OSError | ssl.SSLError) or inner is seen:
            return seen
        seen = inner
