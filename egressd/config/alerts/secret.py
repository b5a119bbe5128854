"""The secrets of receivers: every spelling that must not be shown, and receivers without them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from egressd.model.notification import HttpTransport, Notify, Receiver, SmtpTransport

SHORTEST_PART = 8
"""Characters: a shorter path or query is no secret, and hiding it would tear holes into every line."""


def secrets_of_receivers(notify: Notify) -> tuple[str, ...]:
    """Return every spelling of the receivers' secrets that no line may show, the longest first."""
    found = {text for one in notify.receivers for text in _secrets(one) if text}
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def _secrets(receiver: Receiver) -> Iterator[str]:
    match receiver.transport:
        case HttpTransport() as way:
            for url in way.urls if way.secret else ():
                yield from _parts_of_url(url)
            for header in (way.authorization, way.proxy_authorization):
                yield from _parts_of_header(header or "")
        case SmtpTransport(username=username, password=str(password)):
            yield from _spellings(password)
            yield _base64(password)  # AUTH LOGIN
            yield _base64(f"\0{username}\0{password}")  # AUTH PLAIN
        case _:
            return


def _parts_of_url(url: str) -> Iterator[str]:
    """Yield the URL, and what a library may show of it: path and query, together and alone."""
    yield url
    found = urlsplit(url)
    whole = found.path + (f"?{found.query}" if found.query else "")
    for part in (whole, whole.removeprefix("/"), found.path, found.query):
        if len(part) >= SHORTEST_PART:
            yield part
            yield unquote(part)
    for pair in found.query.split("&"):
        value = pair.partition("=")[2]
        if len(value) >= SHORTEST_PART:
            yield value
            yield unquote(value)


def _parts_of_header(value: str) -> Iterator[str]:
    scheme, _, credentials = value.partition(" ")
    yield value
    yield credentials
    if scheme == "Basic":
        yield from _spellings(_pair(credentials).partition(":")[2])


def _pair(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode("utf-8", errors="replace")
    except binascii.Error:
        return ""


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def without_secrets(notify: Notify) -> Notify:
    """Return receivers and routes with no secret in them: what a digest is made of."""
    return replace(notify, receivers=tuple(_bare(one) for one in notify.receivers))


def _bare(receiver: Receiver) -> Receiver:
    match receiver.transport:
        case HttpTransport() as way:
            urls = () if way.secret else way.urls
            return replace(
                receiver, transport=replace(way, urls=urls, authorization=None, proxy_authorization=None)
            )
        case SmtpTransport() as way:
            return replace(receiver, transport=replace(way, password=None))
        case _:
            return receiver
