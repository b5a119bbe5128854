"""What must not be seen: found in a receiver, and taken out of whatever a server says."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from egressd.model.notification import HttpTransport, Receiver, SmtpTransport
from egressd.net.scrub import redact, scrub, scrub_bytes
from egressd.wording import host_port

LEAST = 8
"""Characters of a piece of a path from which on it may be a token rather than a word."""
LONGEST_QUOTE = 300
"""Characters of an answer that are shown."""
_LONGEST_LOOK = 4096


def quoted(answer: str | bytes, receiver: Receiver) -> str:
    """Return what a server said, on one line, without what it may have sent back to us."""
    text = scrub_bytes(answer, _LONGEST_LOOK) if isinstance(answer, bytes) else scrub(answer, _LONGEST_LOOK)
    return redact(text, secrets_of(receiver))[:LONGEST_QUOTE]


def secrets_of(receiver: Receiver) -> tuple[str, ...]:
    """Return the secrets of a receiver, the longest first, as they may occur in a text."""
    match receiver.transport:
        case HttpTransport():
            found = tuple(_of_http(receiver.transport))
        case SmtpTransport():
            found = tuple(_of_login(receiver.transport.username or "", receiver.transport.password or ""))
        case _:
            found = ()
    return tuple(sorted({one for one in found if one}, key=len, reverse=True))


def url_host_port(url: str) -> str:
    """Return the host and port of a URL, all of it that may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError:
        return "a host that is written wrongly"
    return host_port(scrub(parts.hostname or "a host", 255), port)


def _of_http(transport: HttpTransport) -> Iterator[str]:
    for url in (*transport.urls, *((transport.proxy,) if transport.proxy else ())):
        try:
            yield from _of_url(url)
        except ValueError:
            yield url
    for header in (transport.authorization, transport.proxy_authorization):
        yield from _of_header(header or "")


def _of_url(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.path.strip("/"):
        yield parts.path
        yield unquote(parts.path)
    for piece in (*parts.path.split("/"), *_values(parts.query), parts.fragment):
        yield from (one for one in (piece, unquote(piece)) if len(one) >= LEAST)
    yield parts.query
    yield unquote(parts.query)
    yield from _of_login(unquote(parts.username or ""), unquote(parts.password or ""))


def _values(query: str) -> Iterator[str]:
    for pair in query.split("&"):
        yield pair.partition("=")[2]


def _of_header(value: str) -> Iterator[str]:
    """Yield a header's value, what follows its scheme, and the password in it."""
    yield value
    token = value.partition(" ")[2].strip()
    yield token
    if value.lower().startswith("basic "):
        try:
            user, _, password = base64.b64decode(token).decode("utf-8", "replace").partition(":")
        except binascii.Error:
            return
        yield from _of_login(user, password)


def _of_login(user: str, password: str) -> Iterator[str]:
    """Yield a password, and both as they are sent in SMTP and HTTP. A name alone is no secret."""
    if not password:
        return
    yield password
    for text in (password, f"{user}:{password}", f"\0{user}\0{password}"):
        yield base64.b64encode(text.encode()).decode()
