"""One HTTP request on the stream the earlier phases made. No redirect is followed, nothing is retried."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Protocol

from egressd.model.observation import Failure, HttpObservation, TlsAlert
from egressd.net.http.headers import select_headers
from egressd.net.http.http1 import Http1
from egressd.net.http.intake import Intake
from egressd.net.http.request import Appetite, Request, appetite_of
from egressd.net.stream import AlertReceived, ByteStream, TlsBroken
from egressd.net.tls.session import TlsStream
from egressd.net.wire.classify import Misbehaviour, detail_of, misbehaviour
from egressd.net.wire.stopwatch import Stopwatch

__all__ = ["Request", "exchange", "fetch"]


async def exchange(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float
) -> HttpObservation:
    """Send a request and read as much of the answer as it wants, within `timeout` seconds.

    The stream stays open; it is the caller's to close.
    """
    observation, _ = await _converse(stream, request, appetite_of(request), alpn=alpn, timeout=timeout)
    return observation


async def fetch(
    stream: ByteStream, request: Request, *, alpn: str | None, timeout: float, limit: int
) -> tuple[HttpObservation, bytes]:
    """Send a request and return the body as well.

    A body larger than `limit` bytes, or one that did not come whole, is a failure.
    """
    appetite = Appetite(wanted=limit + 1, keep=limit + 1, seconds=None)
    observation, intake = await _converse(stream, request, appetite, alpn=alpn, timeout=timeout)
    if intake.received > limit and observation.failure is None:
        detail = f"the body is larger than {limit} bytes"
        return replace(observation, failure=Failure.TOO_LARGE, detail=detail), b""
    return observation, bytes(intake.kept) if observation.failure is None else b""


async def _converse(
    stream: ByteStream, request: Request, appetite: Appetite, *, alpn: str | None, timeout: float
) -> tuple[HttpObservation, Intake]:
    watch = Stopwatch()
    limit = asyncio.timeout(timeout)
    intake = Intake(appetite, lambda: _hurry(limit, appetite.seconds))
    version = "2" if alpn == "h2" else "1.1"
    trouble: Misbehaviour | None = None
    alert: TlsAlert | None = None
    try:
        async with limit:
            await _speaker(version, stream, intake).speak(request)
    except TimeoutError as error:
        trouble = _late(error, intake, appetite)
    except Misbehaviour as found:
        trouble = found
    except AlertReceived as received:
        trouble, alert = Misbehaviour(Failure.ALERT, str(received)), received.alert
    except TlsBroken as error:
        trouble = Misbehaviour(Failure.TLS_ERROR, detail_of(error))
    except OSError as error:
        trouble = misbehaviour(error)
    return _observe(stream, request, version, watch, intake, trouble=trouble, alert=alert), intake


class Speaker(Protocol):
    """Speaks one version of HTTP."""

    async def speak(self, request: Request) -> None:
        """Send a request and take its answer in."""
        ...


def _speaker(version: str, stream: ByteStream, intake: Intake) -> Speaker:
    if version == "1.1":
        return Http1(stream, intake)
    from egressd.net.http.http2 import Http2  # noqa: PLC0415 - h2 is slow to import and often not needed

    return Http2(stream, intake)


def _hurry(limit: asyncio.Timeout, seconds: float | None) -> None:
    """Once the head is here, give a body that is only looked at less time."""
    if seconds is None:
        return
    sooner = asyncio.get_running_loop().time() + seconds
    limit.reschedule(min(sooner, limit.when() or sooner))


def _late(error: TimeoutError, intake: Intake, appetite: Appetite) -> Misbehaviour | None:
    """Say what a timeout means: nothing, where the answer came and its body was only looked at."""
    if intake.status is not None and appetite.seconds is not None:
        return None
    where = "no answer" if intake.status is None else f"{intake.received} bytes of the body came in time"
    return Misbehaviour(Failure.TIMEOUT, where, error.errno)


def _observe(
    stream: ByteStream,
    request: Request,
    version: str,
    watch: Stopwatch,
    intake: Intake,
    *,
    trouble: Misbehaviour | None,
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
        status=intake.status,
        headers=select_headers(intake.headers),
        content_length=intake.content_length,
        bytes_received=intake.received,
        throughput=intake.throughput,
        sha256=intake.sha256,
        body=intake.body_text,
        title=intake.title,
        der=intake.der,
        alert=alert,
        unverified=isinstance(stream, TlsStream) and stream.unverified,
        credentials_sent=request.logs_in,
        info=stream.info(),
    )
