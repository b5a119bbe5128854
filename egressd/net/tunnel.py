"""The proxy phase: one CONNECT to an explicit proxy (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import quote, urlsplit

from egressd.model.observation import Failure, ProxyObservation
from egressd.model.settings import Proxy
from egressd.net.http.headers import select_headers
from egressd.net.http.http1 import READ_SIZE, Http1Client
from egressd.net.http.request import AUTHORIZATION, USER_AGENT, ReadLimits, encode_authority
from egressd.net.http.response import ResponseBuffer
from egressd.net.sockets.errors import PhaseError, phase_error
from egressd.net.stopwatch import Stopwatch
from egressd.net.stream import ByteStream, SupportsUnread, TlsAlertError

_ERROR_PAGE_LIMITS = ReadLimits(stop_after=16 * 1024, keep=16 * 1024, body_seconds=1.0)
"""The start of the proxy's error page is enough."""
_HEX_BYTES = 64
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake record begin."""


async def open_tunnel(
    stream: ByteStream, proxy: Proxy, authority: str, *, timeout: float
) -> ProxyObservation:
    """Send CONNECT for `host:port`; on success the stream is the tunnel."""
    watch = Stopwatch()
    timer = asyncio.timeout(timeout)
    response = ResponseBuffer(_ERROR_PAGE_LIMITS, timer, stream.turn)
    http = Http1Client(stream, response)
    failed: PhaseError | None = None
    early = bytearray()  # what came after the head of a 2xx
    try:
        async with timer:
            target = encode_authority(authority)
            await http.send("CONNECT", target, _headers(proxy, target))
            await http.read_response()
            early += http.trailing_data
            await _read_early(stream, response, early)
    except TimeoutError as error:
        failed = PhaseError(Failure.TIMEOUT, "no answer", error.errno) if response.status is None else None
    except PhaseError as error:
        failed = error.with_traceback(None) if response.status is None else None
    except TlsAlertError as error:
        failed = PhaseError(Failure.ALERT, str(error))
    except (OSError, MemoryError) as error:
        failed = phase_error(error) if response.status is None else None
    failed = failed or _refused_error(response) or await _page_error(response, bytes(early))
    if failed is None and early and isinstance(stream, SupportsUnread):
        stream.unread(bytes(early))
    return ProxyObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        proxy=_proxy_without_userinfo(proxy),
        authority=authority,
        credentials_sent=proxy.username is not None,
        failure=failed.failure if failed else None,
        detail=failed.detail if failed else "",
        status=response.status,
        headers=select_headers(response.headers),
        body=response.body_text,
        title=response.title,
        first_bytes=http.first[:_HEX_BYTES].hex(),
        info=stream.info(),
    )


def _refused_error(response: ResponseBuffer) -> PhaseError | None:
    if _granted(response):
        return None
    return PhaseError(Failure.PROXY_STATUS, f"the proxy answered {response.status}")


async def _read_early(stream: ByteStream, response: ResponseBuffer, early: bytearray) -> None:
    """Read the body that a 2xx announces: a page, where the tunnel should begin.

    RFC 9110 section 9.3.6 has clients ignore the announcement. Nobody in a tunnel for TLS speaks before our
    ClientHello, so what comes now is that body. A length or a coding is waited for as long as for an error
    page; a mere type is not: some proxies send one with every tunnel.
    """
    if not _granted(response) or not (response.content_length or response.header("transfer-encoding")):
        return
    while len(early) < _ERROR_PAGE_LIMITS.keep and (data := await stream.read(READ_SIZE)):
        early += data


def _granted(response: ResponseBuffer) -> bool:
    return response.status is not None and 200 <= response.status < 300


async def _page_error(response: ResponseBuffer, early: bytes) -> PhaseError | None:
    """Return the failure of a 2xx with a page instead of a tunnel; the page is kept as the body."""
    announced = response.content_length or any(map(response.header, ("content-type", "transfer-encoding")))
    if not early or not announced or early.startswith(_TLS_RECORDS):
        return None
    await response.add_body(early)
    return PhaseError(Failure.PROXY_PAGE, f"the proxy answered {response.status} with a page and no tunnel")


def _headers(proxy: Proxy, authority: str) -> tuple[tuple[str, str], ...]:
    headers = (("host", authority), ("user-agent", USER_AGENT), ("proxy-connection", "keep-alive"))
    return (*headers, *proxy_auth_headers(proxy))


def proxy_auth_headers(proxy: Proxy) -> tuple[tuple[str, str], ...]:
    """Return the Proxy-Authorization header of a proxy (RFC 7617); () where it needs none."""
    if proxy.username is None:
        return ()
    return ((AUTHORIZATION, f"Basic {_basic_credentials(proxy)}"),)


def _basic_credentials(proxy: Proxy) -> str:
    return base64.b64encode(f"{proxy.username}:{proxy.password or ''}".encode()).decode()


def proxy_secrets(*proxies: Proxy) -> tuple[str, ...]:
    """Return every form of the proxies' passwords that must never be shown, the longest first."""
    error = {
        text
        for proxy in proxies
        if proxy.password
        for text in (_basic_credentials(proxy), proxy.password, quote(proxy.password, safe=""))
    }
    return tuple(sorted(error, key=lambda text: (-len(text), text)))


def _proxy_without_userinfo(proxy: Proxy) -> str:
    """Return the proxy as `scheme://host:port`."""
    url = urlsplit(proxy.url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"
