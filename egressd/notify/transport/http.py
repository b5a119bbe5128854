"""HTTP: how a receiver is reached, and the requests it is sent. The client is imported when one is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from urllib.parse import urlsplit

from msgspec import Struct

from egressd.fields.parse import is_exposed
from egressd.model.notification import Receiver, Transport
from egressd.notify.interface import Part
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.answer import ANY_ANSWER, Success
from egressd.notify.transport.redact import header_secrets, url_pieces, url_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTransport(Transport):
    """How an HTTP receiver is reached."""

    urls: tuple[str, ...] = field(repr=False)
    """One; of Alertmanager, every peer. Any of them may hold a secret."""
    secret: bool = False
    """Whether the URL was read from a file, because it is a secret."""
    authorization: str | None = field(default=None, repr=False)
    """The whole value of the `Authorization` header."""
    proxy: str | None = None
    """`http://host:port` of a proxy for notices; None: direct. Never the proxy under test by accident."""
    proxy_authorization: str | None = field(default=None, repr=False)
    """The whole value of the `Proxy-Authorization` header."""
    ca_file: str | None = None
    """PEM roots; None: those of the system."""

    @property
    def place(self) -> str:
        """Scheme, host and port of each URL; what comes after may be a secret."""
        return ", ".join(_origin(url) for url in self.urls) + (
            f" by proxy {self.proxy}" if self.proxy else ""
        )

    @property
    def advice(self) -> str:
        """What to check when it does not get a test notice."""
        path = f"{self.proxy} lets it through" if self.proxy else "this host may go there directly"
        url = "the URL in url_file" if self.secret else "the URL"
        login = ", the credentials" if self.authorization else ""
        return f"check {url}{login}, and that {path} (proxy:, ca_file:)"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Secrets that go over plain HTTP."""
        if not any(is_exposed(url) for url in self.urls):
            return ()
        found = (
            (self.authorization is not None, "its credentials go over plain http, where they"),
            (self.secret, "its URL is a secret and plain http, so it"),
        )
        return tuple(f"{what} can be read on the way; use https" for holds, what in found if holds)

    def secrets(self) -> Iterator[str]:
        """Yield every spelling of its secrets that no log line may show."""
        for url in self.urls if self.secret else ():
            yield from url_secrets(url)
        for header in (self.authorization, self.proxy_authorization):
            yield from header_secrets(header or "")

    def echoes(self) -> Iterator[str]:
        """Yield what a server may send back of a request and no message may repeat: more than the secrets."""
        yield from self.secrets()
        for url in (*self.urls, self.proxy or ""):
            yield from url_pieces(url)

    def without_secrets(self) -> HttpTransport:
        """Return it without secrets."""
        urls = () if self.secret else self.urls
        return replace(self, urls=urls, authorization=None, proxy_authorization=None)


class HttpRequest(Struct, frozen=True, kw_only=True):
    """A POST with a body, or a GET without, and the answer that means success."""

    body: bytes | None = None
    content_type: str = ""
    success: Success = ANY_ANSWER


def posts(
    receiver: Receiver, bodies: Iterable[bytes], content_type: str, *, success: Success = ANY_ANSWER
) -> Iterator[Part]:
    """Yield a POST of each body to the receiver's URL, ready to be sent."""
    (url,) = transport_of(receiver).urls
    for body in bodies:
        request = HttpRequest(body=body, content_type=content_type, success=success)
        yield partial(send_request, receiver, url, request)


async def send_get(receiver: Receiver, *, success: Success = ANY_ANSWER) -> DeliveryResult:
    """Call the receiver's URL with a GET."""
    (url,) = transport_of(receiver).urls
    return await send_request(receiver, url, HttpRequest(success=success))


async def send_request(receiver: Receiver, url: str, request: HttpRequest) -> DeliveryResult:
    """Send a request within the receiver's timeout."""
    # A command that only reads the configuration need not wait for aiohttp.
    from egressd.notify.transport.http_client import send_http  # noqa: PLC0415

    return await send_http(transport_of(receiver), url, request, timeout=receiver.timeout)


def transport_of(receiver: Receiver) -> HttpTransport:
    """Return a receiver's HTTP transport. Raises TypeError: it has another one."""
    if not isinstance(receiver.transport, HttpTransport):
        raise TypeError(f"{receiver.name}: a receiver of type {receiver.type} needs a URL")
    return receiver.transport


def _origin(url: str) -> str:
    """Return scheme, host and port; what comes after may be a secret wherever it was read from."""
    found = urlsplit(url)
    more = "/..." if found.path.strip("/") or found.query else ""
    return f"{found.scheme}://{found.netloc}{more}"
