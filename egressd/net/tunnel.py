"""A tunnel through an explicit proxy: one CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlsplit

from egressd.model.observation import Failure, ProxyObservation
from egressd.model.settings import Proxy
from egressd.net.http.headers import select_headers
from egressd.net.http.http1 import Http1
from egressd.net.http.intake import Intake
from egressd.net.http.request import AUTHORIZATION, USER_AGENT, Appetite, sendable
from egressd.net.stream import AlertReceived, ByteStream, Rewindable
from egressd.net.wire.classify import Misbehaviour, misbehaviour
from egressd.net.wire.stopwatch import Stopwatch

_APPETITE = Appetite(wanted=16 * 1024, keep=16 * 1024, seconds=1.0)
"""An error page of the proxy is worth a look, not a wait."""
_HEX_BYTES = 64


async def connect_through(
    stream: ByteStream, proxy: Proxy, authority: str, *, timeout: float
) -> ProxyObservation:
    """Ask a proxy for a tunnel to `host:port`. Where it is granted, the stream goes on as the tunnel."""
    watch = Stopwatch()
    limit = asyncio.timeout(timeout)
    intake = Intake(_APPETITE, lambda: _hurry(limit))
    http = Http1(stream, intake)
    trouble: Misbehaviour | None = None
    try:
        async with limit:
            target = sendable(authority)
            await http.send("CONNECT", target, _headers(proxy, target))
            await http.take_answer()
    except TimeoutError as error:
        trouble = Misbehaviour(Failure.TIMEOUT, "no answer", error.errno) if intake.status is None else None
    except Misbehaviour as found:
        trouble = found if intake.status is None else None
    except AlertReceived as received:
        trouble = Misbehaviour(Failure.ALERT, str(received))
    except OSError as error:
        trouble = misbehaviour(error) if intake.status is None else None
    trouble = trouble or _refusal(intake)
    if trouble is None and http.beyond and isinstance(stream, Rewindable):
        stream.unread(http.beyond)
    return ProxyObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        proxy=_shown(proxy),
        authority=authority,
        credentials_sent=proxy.username is not None,
        failure=trouble.failure if trouble else None,
        detail=trouble.detail if trouble else "",
        status=intake.status,
        headers=select_headers(intake.headers),
        body=intake.body_text,
        first_bytes=http.first[:_HEX_BYTES].hex(),
        info=stream.info(),
    )


def _hurry(limit: asyncio.Timeout) -> None:
    sooner = asyncio.get_running_loop().time() + (_APPETITE.seconds or 0)
    limit.reschedule(min(sooner, limit.when() or sooner))


def _refusal(intake: Intake) -> Misbehaviour | None:
    if intake.status is not None and 200 <= intake.status < 300:
        return None
    return Misbehaviour(Failure.PROXY_STATUS, f"the proxy answered {intake.status}")


def _headers(proxy: Proxy, authority: str) -> tuple[tuple[str, str], ...]:
    headers = (("host", authority), ("user-agent", USER_AGENT), ("proxy-connection", "keep-alive"))
    return (*headers, *credentials(proxy))


def credentials(proxy: Proxy) -> tuple[tuple[str, str], ...]:
    """Return the header that logs in at a proxy (RFC 7617); () where it wants none."""
    if proxy.username is None:
        return ()
    return ((AUTHORIZATION, f"Basic {_pair(proxy)}"),)


def _pair(proxy: Proxy) -> str:
    return base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()


def secrets_of(*proxies: Proxy | None) -> tuple[str, ...]:
    """Return every spelling of the proxies' credentials that must never be shown, the longest first."""
    found = {
        text
        for proxy in proxies
        if proxy is not None and proxy.password
        for text in (_pair(proxy), proxy.password, quote(proxy.password, safe=""))
    }
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _shown(proxy: Proxy) -> str:
    """Return the proxy as `scheme://host:port`, whatever else its URL holds."""
    url = urlsplit(proxy.url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
