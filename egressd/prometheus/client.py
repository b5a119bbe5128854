"""Instant queries to Prometheus' HTTP API, bounded in size and in time.

A redirect is followed on the same server alone, so that credentials and questions go nowhere else.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from aiohttp import hdrs
from msgspec import Struct

from egressd import __version__
from egressd.net.scrub import scrub
from egressd.notify.transport.errors import error_text
from egressd.notify.transport.redact import url_host_port
from egressd.prometheus.answer import PrometheusError, QuerySample, refusal, samples_in
from egressd.prometheus.httpconfig import HttpConfig
from egressd.prometheus.tls import client_tls

LARGEST_ANSWER = 256 << 20
"""Bytes of one answer: 1,000 sites with 150 targets each have some 50 MiB of labels."""
QUERY_TIMEOUT = 60.0
"""Seconds for one query, its answer included."""
MOST_REDIRECTS = 5
_PATH = "/api/v1/query"
_REDIRECTS = frozenset({301, 302, 307, 308})
_NO_POST = frozenset({405, 501})
_DEFAULT_PORTS = {"http": 80, "https": 443}


class _Answer(Struct, frozen=True, kw_only=True):
    """What came for one request."""

    status: int
    media_type: str
    location: str
    body: bytes


class PrometheusClient:
    """Asks one Prometheus; made by `open_client`."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, config: HttpConfig, *, timeout: float
    ) -> None:
        self._session, self._config, self._timeout = session, config, timeout
        self._url = url.rstrip("/") + _PATH
        self._method = hdrs.METH_POST

    async def query(self, expression: str, *, at: datetime) -> tuple[QuerySample, ...]:
        """Return what an expression evaluates to at a time.

        Raises:
            PrometheusError: there is no answer, or it is none of Prometheus.
        """
        place = url_host_port(self._url)
        form = {
            "query": expression,
            "time": f"{at.timestamp():.3f}",
            "timeout": f"{max(self._timeout - 1, 1):.0f}s",
        }
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._ask(form)
        except TimeoutError:
            raise PrometheusError(f"{place} gave no complete answer in {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PrometheusError(_trouble(error, place, self._config)) from None
        if answer.status == 200:
            return samples_in(answer.body, place=place, media_type=answer.media_type)
        raise refusal(
            answer.status,
            answer.body,
            place=place,
            path=urlsplit(self._url).path,
            media_type=answer.media_type,
            has_login=bool(self._config.headers),
            secrets=self._config.secrets,
        )

    async def _ask(self, form: dict[str, str]) -> _Answer:
        """Ask, where a redirect of the same server leads, and by GET where no POST is allowed."""
        for _ in range(MOST_REDIRECTS):
            answer = await self._request(form)
            if answer.status in _NO_POST and self._method == hdrs.METH_POST:
                self._method = hdrs.METH_GET  # a proxy that lets only reading through
            elif answer.status in _REDIRECTS and answer.location:
                self._url = _followed(self._url, answer.location, follow=self._config.follow_redirects)
            else:
                return answer
        raise PrometheusError(f"{url_host_port(self._url)} redirects more than {MOST_REDIRECTS} times")

    async def _request(self, form: dict[str, str]) -> _Answer:
        posted = self._method == hdrs.METH_POST
        async with self._session.request(
            self._method,
            self._url,
            data=form if posted else None,
            params=None if posted else form,
            allow_redirects=False,
            proxy=self._config.proxy,
            server_hostname=self._config.server_name,
        ) as response:
            return _Answer(
                status=response.status,
                media_type=response.content_type.lower(),
                location=response.headers.get(hdrs.LOCATION, ""),
                body=await _read(response),
            )


@asynccontextmanager
async def open_client(
    url: str, config: HttpConfig, *, timeout: float = QUERY_TIMEOUT
) -> AsyncIterator[PrometheusClient]:
    """Open a client of the Prometheus at a base URL; nothing is asked yet.

    Raises:
        UsageError: a file of the TLS configuration can't be used.
    """
    tls: ssl.SSLContext | bool = client_tls(config) if _needs_tls(url, config) else True
    connector = aiohttp.TCPConnector(ssl=tls)
    headers = [(hdrs.USER_AGENT, f"egressd/{__version__}"), (hdrs.ACCEPT_ENCODING, "gzip"), *config.headers]
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        headers=headers,
    ) as session:
        yield PrometheusClient(session, url, config, timeout=timeout)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return a body. Raises PrometheusError where it is larger than any that is needed."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise PrometheusError(
                f"{url_host_port(str(response.url))} answers with more than {LARGEST_ANSWER >> 20} MiB"
            )
    return bytes(body)


def _needs_tls(url: str, config: HttpConfig) -> bool:
    files = config.ca_file or config.cert_file or config.insecure_skip_verify
    return bool(files) or url.startswith("https:") or (config.proxy or "").startswith("https:")


def _followed(url: str, location: str, *, follow: bool) -> str:
    """Return where a redirect leads. Raises PrometheusError where it must not be followed."""
    place, target = url_host_port(url), urljoin(url, location)
    shown = scrub(url_host_port(target), 300)
    if not follow:
        raise PrometheusError(f"{place} redirects to {shown}, and follow_redirects is false")
    if not _is_same_server(urlsplit(url), target):
        raise PrometheusError(
            f"{place} redirects to another server, {shown}, which is not asked: it may be a login page; "
            "if it is your Prometheus, give --prometheus its URL"
        )
    return urlsplit(target)._replace(query="", fragment="").geturl()


def _is_same_server(url: SplitResult, location: str) -> bool:
    """Whether a URL is of the same server, or of its TLS side: nobody else must get the credentials."""
    try:
        target = urlsplit(location)
        ports = tuple(one.port or _DEFAULT_PORTS.get(one.scheme) for one in (url, target))
    except ValueError:
        return False
    if target.username is not None or target.hostname != url.hostname:
        return False
    if target.scheme == url.scheme:
        return ports[0] == ports[1]
    return (url.scheme, target.scheme, *ports) == ("http", "https", 80, 443)


def _trouble(error: Exception, place: str, config: HttpConfig) -> str:
    """Return in words what went wrong on the way."""
    proxy = url_host_port(config.proxy or "")
    match error:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy {proxy} answers {error.status}"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy: {error_text(error, proxy)}"
        case aiohttp.ClientPayloadError():
            return f"{place} closed the connection before its answer was complete"
        case aiohttp.ServerDisconnectedError():
            return f"{place} closed the connection before it answered"
        case aiohttp.ClientResponseError():
            return f"{place} does not answer in HTTP"
        case aiohttp.ClientError() | OSError():
            return error_text(error, place)
        case _:
            return f"a header or the URL for {place} holds what can't be sent; look at --http.config.file"
