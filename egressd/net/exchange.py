"""One HTTP request on the stream the earlier phases made. No redirect is followed, nothing is retried."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from egressd.model.observation import Failure, HttpObservation, TlsAlert
from egressd.net.http.headers import select_headers
from egressd.net.http.http1 import Http1Client
from egressd.net.http.request import ReadLimits, Request, read_limits
from egressd.net.http.response import ResponseBuffer
from egressd.net.sockets.errors import PhaseError, detail_of, phase_error
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream, TlsAlertError, TlsDataError
from egressd.net.tls.session import TlsStream

__all__ = ["Request", "exchange", "fetch"]


async def exchange(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float
) -> HttpObservation:
    """Send a request and read as much of the answer as it wants, within `timeout` seconds.

    The stream stays open; it is the caller's to close.
    """
    observation, _ = await _converse(stream, request, read_limits(request), alpn=alpn, timeout=timeout)
    return observation


async def fetch(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float, limit: int
) -> tuple[HttpObservation, bytes]:
    """Send a request and return the body as well.

    A body larger than `limit` bytes, or one that did not come whole, is a failure.
    """
    limits = ReadLimits(wanted=limit + 1, keep=limit + 1, seconds=None)
    observation, response = await _converse(stream, request, limits, alpn=alpn, timeout=timeout)
    if response.received > limit and observation.failure is None:
        detail = f"the body is larger than {limit} bytes"
        return replace(observation, failure=Failure.TOO_LARGE, detail=detail), b""
    return observation, bytes(response.kept) if observation.failure is None else b""


async def _converse(
    stream: ByteStream, request: Request, limits: ReadLimits, *, alpn: str | None, timeout: float
) -> tuple[HttpObservation, ResponseBuffer]:
    watch = Stopwatch()
    limit = asyncio.timeout(timeout)
    response = ResponseBuffer(limits, lambda: _hurry(limit, limits.seconds))
    version = "2" if alpn == "h2" else "1.1"
    trouble: PhaseError | None = None
    alert: TlsAlert | None = None
    try:
        async with limit:
            await _speaker(version, stream, response).exchange(request)
    except TimeoutError as error:
        trouble = _late(error, response, limits)
    except PhaseError as found:
        trouble = found
    except TlsAlertError as received:
        trouble, alert = PhaseError(Failure.ALERT, str(received)), received.alert
    except TlsDataError as error:
        trouble = PhaseError(Failure.TLS_ERROR, detail_of(error))
    except OSError as error:
        trouble = phase_error(error)
    return _observe(stream, request, version, watch, response, trouble=trouble, alert=alert), response


class HttpClient(Protocol):
    """Speaks one version of HTTP."""

    async def exchange(self, request: Request) -> None:
        """Send a request and take its answer in."""
        ...


def _speaker(version: str, stream: ByteStream, response: ResponseBuffer) -> HttpClient:
    if version == "1.1":
        return Http1Client(stream, response)
    from egressd.net.http.http2 import Http2Client  # noqa: PLC0415 - h2 is slow to import and often not needed

    return Http2Client(stream, response)


def _hurry(limit: asyncio.Timeout, seconds: float | None) -> None:
    """Once the head is here, give a body that is only looked at less time."""
    if seconds is None:
        return
    sooner = asyncio.get_running_loop().time() + seconds
    limit.reschedule(min(sooner, limit.when() or sooner))


def _late(error: TimeoutError, response: ResponseBuffer, limits: ReadLimits) -> PhaseError | None:
    """Say what a timeout means: nothing, where the answer came and its body was only looked at."""
    if response.status is not None and limits.seconds is not None:
        return None
    where = "no answer" if response.status is None else f"{response.received} bytes of the body came in time"
    return PhaseError(Failure.TIMEOUT, where, error.errno)


def _observe(
    stream: ByteStream,
    request: Request,
    version: str,
    watch: Stopwatch,
    response: ResponseBuffer,
    *,
    trouble: PhaseError | None,
    alert: TlsAlert | None,
) -> HttpObservation:
    return HttpObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        method=request.method,
        host=request.host,
        url_path=request.url_path,
        version=version,
        failure=trouble.failure if trouble else None,
        detail=trouble.detail if trouble else "",
        errno=trouble.errno if trouble else None,
        status=response.status,
        headers=select_headers(response.headers),
        content_length=response.content_length,
        bytes_received=response.received,
        throughput=response.throughput,
        sha256=response.sha256,
        body=response.body_text,
        title=response.title,
        der=response.der,
        alert=alert,
        unverified=isinstance(stream, TlsStream) and stream.unverified,
        credentials_sent=request.has_credentials,
        info=stream.info(),
    )
