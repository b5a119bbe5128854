"""A tunnel through an explicit proxy: one CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlsplit

from egressd.model.observation import Failure, ProxyObservation
from egressd.model.settings import Proxy
from egressd.net.http.headers import select_headers
from egressd.net.http.http1 import Http1Client
from egressd.net.http.request import AUTHORIZATION, USER_AGENT, ReadLimits, encode_authority
from egressd.net.http.response import ResponseBuffer
from egressd.net.sockets.errors import PhaseError, phase_error
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream, SupportsUnread, TlsAlertError

_ERROR_PAGE_LIMITS = ReadLimits(wanted=16 * 1024, keep=16 * 1024, seconds=1.0)
"""An error page of the proxy is worth a look, not a wait."""
_HEX_BYTES = 64


async def open_tunnel(
    stream: ByteStream, proxy: Proxy, authority: str, *, timeout: float
) -> ProxyObservation:
    """Ask a proxy for a tunnel to `host:port`. Where it is granted, the stream goes on as the tunnel."""
    watch = Stopwatch()
    limit = asyncio.timeout(timeout)
    response = ResponseBuffer(_ERROR_PAGE_LIMITS, lambda: _hurry(limit))
    http = Http1Client(stream, response)
    trouble: PhaseError | None = None
    try:
        async with limit:
            target = encode_authority(authority)
            await http.send("CONNECT", target, _headers(proxy, target))
            await http.read_response()
    except TimeoutError as error:
        trouble = PhaseError(Failure.TIMEOUT, "no answer", error.errno) if response.status is None else None
    except PhaseError as found:
        trouble = found if response.status is None else None
    except TlsAlertError as received:
        trouble = PhaseError(Failure.ALERT, str(received))
    except OSError as error:
        trouble = phase_error(error) if response.status is None else None
    trouble = trouble or _refusal(response)
    if trouble is None and http.beyond and isinstance(stream, SupportsUnread):
        stream.unread(http.beyond)
    return ProxyObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        proxy=_shown(proxy),
        authority=authority,
        credentials_sent=proxy.username is not None,
        failure=trouble.failure if trouble else None,
        detail=trouble.detail if trouble else "",
        status=response.status,
        headers=select_headers(response.headers),
        body=response.body_text,
        first_bytes=http.first[:_HEX_BYTES].hex(),
        info=stream.info(),
    )


def _hurry(limit: asyncio.Timeout) -> None:
    sooner = asyncio.get_running_loop().time() + (_ERROR_PAGE_LIMITS.seconds or 0)
    limit.reschedule(min(sooner, limit.when() or sooner))


def _refusal(response: ResponseBuffer) -> PhaseError | None:
    if response.status is not None and 200 <= response.status < 300:
        return None
    return PhaseError(Failure.PROXY_STATUS, f"the proxy answered {response.status}")


def _headers(proxy: Proxy, authority: str) -> tuple[tuple[str, str], ...]:
    headers = (("host", authority), ("user-agent", USER_AGENT), ("proxy-connection", "keep-alive"))
    return (*headers, *proxy_auth_headers(proxy))


def proxy_auth_headers(proxy: Proxy) -> tuple[tuple[str, str], ...]:
    """Return the header that logs in at a proxy (RFC 7617); () where it wants none."""
    if proxy.username is None:
        return ()
    return ((AUTHORIZATION, f"Basic {_pair(proxy)}"),)


def _pair(proxy: Proxy) -> str:
    return base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()


def proxy_secrets(*proxies: Proxy | None) -> tuple[str, ...]:
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
