"""The HTTP phase: one request on an open stream. No redirect is followed, nothing is retried here."""

from __future__ import annotations

import asyncio
from typing import Protocol

from msgspec.structs import replace

from egressd.model.observation import Failure, HttpObservation, TlsAlert
from egressd.net.http.headers import redirect_url, select_headers
from egressd.net.http.http1 import Http1Client
from egressd.net.http.request import ReadLimits, Request, read_limits
from egressd.net.http.response import ResponseBuffer
from egressd.net.sockets.errors import NotProcessedError, PhaseError, detail_of, phase_error
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream, TlsAlertError, TlsDataError
from egressd.net.tls.session import TlsStream

__all__ = ["Request", "exchange", "fetch"]

_LARGE = 16 * 1024
"""Bytes before an answer that are too many for the answer to be called slow."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


async def exchange(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float
) -> HttpObservation:
    """Send a request and read as much of the response as it needs, within `timeout` seconds.

    The stream stays open; the caller closes it.
    """
    observation, _ = await _exchange(stream, request, read_limits(request), alpn=alpn, timeout=timeout)
    return observation


async def fetch(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float, limit: int
) -> tuple[HttpObservation, bytes]:
    """Send a request and return the body as well.

    A body larger than `limit` bytes, or an incomplete one, is a failure.
    """
    limits = ReadLimits(stop_after=limit + 1, keep=limit + 1, body_seconds=None)
    observation, response = await _exchange(stream, request, limits, alpn=alpn, timeout=timeout)
    if response.received > limit and observation.failure is None:
        detail = f"the body is larger than {limit} bytes"
        return replace(observation, failure=Failure.TOO_LARGE, detail=detail), b""
    return observation, bytes(response.kept) if observation.failure is None else b""


async def _exchange(
    stream: ByteStream, request: Request, limits: ReadLimits, *, alpn: str | None, timeout: float
) -> tuple[HttpObservation, ResponseBuffer]:
    watch = Stopwatch()
    timer = asyncio.timeout(timeout)
    response = ResponseBuffer(limits, timer, stream.turn)
    version = "2" if alpn == "h2" else "1.1"
    failed: PhaseError | None = None
    alert: TlsAlert | None = None
    client = _http_client(version, stream, response)
    try:
        async with timer:
            await client.exchange(request)
    except TimeoutError as error:
        failed = _timeout_error(error, response, _received(client, stream))
    except PhaseError as error:
        # A traceback refers to this frame, and so to all that was received: a cycle that is freed much later.
        failed = error.with_traceback(None)
        if error.failure is Failure.FLOOD and _suffices(response):
            failed = None
    except TlsAlertError as error:
        failed, alert = PhaseError(Failure.ALERT, str(error)), error.alert
    except TlsDataError as error:
        failed = PhaseError(Failure.TLS_ERROR, detail_of(error))
    except (OSError, MemoryError) as error:
        failed = phase_error(error)
    return _observe(stream, request, version, watch, response, failed=failed, alert=alert), response


class HttpClient(Protocol):
    """A client of one version of HTTP, for one request."""

    @property
    def received(self) -> int:
        """The bytes received so far."""
        ...

    async def exchange(self, request: Request) -> None:
        """Send a request and read the response into the buffer."""
        ...


def _http_client(version: str, stream: ByteStream, response: ResponseBuffer) -> HttpClient:
    if version == "1.1":
        return Http1Client(stream, response)
    from egressd.net.http.http2 import Http2Client  # noqa: PLC0415 - h2 is slow to import and often not needed

    return Http2Client(stream, response)


def _received(client: HttpClient, stream: ByteStream) -> int:
    """Return the bytes received for a request, those of TLS records without data too."""
    return client.received + (stream.without_data if isinstance(stream, TlsStream) else 0)


def _suffices(response: ResponseBuffer) -> bool:
    """Return whether the answer came, and its body is not needed in full."""
    return response.status is not None and response.limits.body_seconds is not None


def _timeout_error(error: TimeoutError, response: ResponseBuffer, received: int) -> PhaseError | None:
    """Return the failure of a timeout; None where what came suffices."""
    if _suffices(response):
        return None
    if response.status is None and received > _LARGE:
        return PhaseError(Failure.FLOOD, f"{received} bytes came that bring no answer, until the timeout")
    where = "no answer" if response.status is None else f"{response.received} bytes of the body came in time"
    return PhaseError(Failure.TIMEOUT, where, error.errno)


def _redirect(stream: ByteStream, request: Request, response: ResponseBuffer) -> str | None:
    location = response.header("location")
    if response.status not in _REDIRECTS or location is None:
        return None
    scheme = "https" if isinstance(stream, TlsStream) else "http"
    base = request.url_path if "://" in request.url_path else f"{scheme}://{request.host}{request.url_path}"
    return redirect_url(base, location)


def _observe(
    stream: ByteStream,
    request: Request,
    version: str,
    watch: Stopwatch,
    response: ResponseBuffer,
    *,
    failed: PhaseError | None,
    alert: TlsAlert | None,
) -> HttpObservation:
    return HttpObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        method=request.method,
        host=request.host,
        url_path=request.url_path,
        version=version,
        failure=failed.failure if failed else None,
        detail=failed.detail if failed else "",
        errno=failed.errno if failed else None,
        status=response.status,
        headers=select_headers(response.headers),
        content_length=response.content_length,
        bytes_received=response.received,
        bytes_decoded=response.decoded,
        throughput=response.throughput,
        sha256=response.sha256,
        violations=response.violations,
        redirect=_redirect(stream, request, response),
        retry_version=failed.version if isinstance(failed, NotProcessedError) else None,
        close_notify=stream.close_notify if isinstance(stream, TlsStream) else None,
        body=response.body_text,
        title=response.title,
        der=response.der,
        alert=alert,
        unverified=isinstance(stream, TlsStream) and stream.unverified,
        credentials_sent=request.has_credentials,
        info=stream.info(),
    )
