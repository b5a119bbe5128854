"""HTTP: one request, one answer. No redirect is followed, nothing is taken from the environment."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
from aiohttp import hdrs
from multidict import MultiMapping

from egressd import __version__, clock
from egressd.net.scrub import scrub
from egressd.notify.result import DeliveryResult, arrived, failed, refused
from egressd.notify.transport.answer import (
    LONGEST_BODY,
    OF_THE_MESSAGE,
    HttpAnswer,
    Success,
    decompressed,
    rejection_of,
)
from egressd.notify.transport.errors import error_text, timeout_text
from egressd.notify.transport.http import HttpRequest, HttpTransport
from egressd.notify.transport.redact import quote_answer, url_host_port
from egressd.notify.transport.retry_after import retry_after
from egressd.notify.transport.tls import ca_file_error, tls_context

_READ_WITHIN = 2.0
"""Seconds for the body: one that never ends must not delay what comes next."""


async def send_http(
    transport: HttpTransport, url: str, request: HttpRequest, *, timeout: float
) -> DeliveryResult:
    """Send a request to one of the transport's URLs, within `timeout` seconds, and read what is answered."""
    place = url_host_port(url)
    try:
        tls = await tls_context(transport.ca_file) if _is_tls(url, transport) else None
    except OSError as error:
        return failed(ca_file_error(transport.ca_file, error))
    try:
        return await _exchange(transport, url, request, tls=tls, timeout=timeout)
    except TimeoutError:
        return failed(timeout_text(place, timeout))
    except aiohttp.ClientHttpProxyError as error:
        # Retried whatever the status: the receiver has refused nothing.
        why = f"the proxy {url_host_port(transport.proxy or '')} answered {error.status}"
        return failed(why, retry_after=_pause(error.headers))
    except aiohttp.ClientProxyConnectionError as error:
        return failed(f"the proxy: {error_text(error, url_host_port(transport.proxy or ''))}")
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
        return failed("the URL is not valid; correct it in the configuration")
    except aiohttp.ServerDisconnectedError:
        return failed(f"{place} closed the connection before it answered")
    except aiohttp.ClientResponseError:
        return failed(f"{place} does not answer in HTTP")
    except (aiohttp.ClientError, OSError) as error:
        return failed(error_text(error, place))
    except ValueError:
        return failed(f"a header or the URL for {place} holds what can't be sent; look at the secrets")


async def _exchange(
    transport: HttpTransport,
    url: str,
    request: HttpRequest,
    *,
    tls: ssl.SSLContext | None,
    timeout: float,
) -> DeliveryResult:
    connector = aiohttp.TCPConnector(ssl=tls or True, force_close=True, use_dns_cache=False)
    async with (
        asyncio.timeout(timeout) as limit,
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            trust_env=False,
            auto_decompress=False,
        ) as session,
    ):
        method = hdrs.METH_GET if request.body is None else hdrs.METH_POST
        async with session.request(
            method,
            url,
            data=request.body,
            headers=_headers(url, transport, request),
            allow_redirects=False,
            **_proxy_options(transport),
        ) as answer:
            limit.reschedule(None)  # the receiver has answered: no limit of ours may make that a failure
            return await _result_of(transport, url, answer, request.success)


def _headers(url: str, transport: HttpTransport, request: HttpRequest) -> dict[str, str]:
    headers: dict[str, str] = {hdrs.USER_AGENT: f"egressd/{__version__}", hdrs.ACCEPT_ENCODING: "identity"}
    if request.content_type:
        headers[hdrs.CONTENT_TYPE] = request.content_type
    if transport.authorization:
        headers[hdrs.AUTHORIZATION] = transport.authorization
    if transport.proxy and transport.proxy_authorization and not url.lower().startswith("https:"):
        # Without a tunnel the request itself is the proxy's: aiohttp leaves `proxy_headers` out then.
        headers[hdrs.PROXY_AUTHORIZATION] = transport.proxy_authorization
    return headers


def _proxy_options(transport: HttpTransport) -> dict[str, Any]:
    """Return the proxy options. Credentials go in a header: in a URL they would be in error texts."""
    if transport.proxy is None:
        return {}
    headers = (
        {hdrs.PROXY_AUTHORIZATION: transport.proxy_authorization} if transport.proxy_authorization else {}
    )
    return {"proxy": transport.proxy, "proxy_headers": headers}


async def _result_of(
    transport: HttpTransport, url: str, answer: aiohttp.ClientResponse, success: Success
) -> DeliveryResult:
    plain_proxy = transport.proxy is not None and not url.lower().startswith("https:")
    proxy = ", or the proxy before it," if plain_proxy else ""
    what = f"{url_host_port(url)}{proxy} answered {answer.status}"
    body = decompressed(await _read_beginning(answer), answer.headers.get(hdrs.CONTENT_ENCODING, ""))
    text = quote_answer(body, transport.echoes())
    tail = f": {text}" if text else ""
    if 200 <= answer.status < 300:
        said = HttpAnswer(status=answer.status, media_type=answer.content_type.lower(), body=body)
        rejection = rejection_of(said, success)
        if rejection is None:
            return arrived()
        return _result_of_status(rejection.status, answer.headers, f"{what} {rejection.why}", tail)
    return _result_of_status(answer.status, answer.headers, what, tail)


def _result_of_status(status: int, headers: MultiMapping[str], what: str, tail: str) -> DeliveryResult:
    """Return what an unsuccessful status means (RFC 9110, 15): only what is said of the message is final."""
    if status in OF_THE_MESSAGE:
        return refused(f"{what}{tail}")
    if 300 <= status < 400:
        # A captive portal answers everything like this.
        target = _redirect_target(headers)
        return failed(f"{what}, a redirect{target}; none is followed: configure where it leads")
    return failed(f"{what}{tail}", retry_after=_pause(headers), answered=True)


def _pause(headers: MultiMapping[str] | None) -> float | None:
    return retry_after(headers.getall(hdrs.RETRY_AFTER, ()), clock.now()) if headers is not None else None


async def _read_beginning(answer: aiohttp.ClientResponse) -> bytes:
    """Return the beginning of a body."""
    body = b""
    try:
        async with asyncio.timeout(_READ_WITHIN):
            while len(body) < LONGEST_BODY and (more := await answer.content.read(LONGEST_BODY - len(body))):
                body += more
    except (aiohttp.ClientError, OSError):
        pass  # what was read so far is all there is to show
    return body


def _redirect_target(headers: MultiMapping[str]) -> str:
    """Return the host of a redirect; its path may be a secret."""
    target = headers.get(hdrs.LOCATION, "")
    return f" to {scrub(url_host_port(target), 300)}" if "://" in target else ""


def _is_tls(url: str, transport: HttpTransport) -> bool:
    return any(one.lower().startswith("https:") for one in (url, transport.proxy or ""))
