"""Secrets of receivers in every spelling, and server answers with those hidden."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator
from urllib.parse import quote, unquote, urlsplit

from egressd.net.scrub import redact, scrub, scrub_bytes
from egressd.wording import host_port

SHORTEST = 8
"""Characters: a shorter piece of a URL is a word rather than a token; hiding it would garble every line."""
LONGEST_QUOTE = 300
"""Characters of an answer that are shown."""
_LONGEST_ANSWER = 4096
"""Characters of an answer that are searched for secrets."""


def quote_answer(answer: str | bytes, secrets: Iterable[str]) -> str:
    """Return what a server said, on one line, without the secrets it may have sent back."""
    look = scrub_bytes if isinstance(answer, bytes) else scrub
    text = look(answer, _LONGEST_ANSWER)  # type: ignore[arg-type]  # the one fits the other
    found = sorted({one for one in secrets if one}, key=len, reverse=True)
    return redact(text, found)[:LONGEST_QUOTE]


def url_host_port(url: str) -> str:
    """Return the host and port of a URL, all of it that may be shown."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443}.get(parts.scheme, 80)
    except ValueError:
        return "a host that is written wrongly"
    return host_port(scrub(parts.hostname or "a host", 255), port)


def url_secrets(url: str) -> Iterator[str]:
    """Yield a secret URL, and what a library may show of it: path and query, together and alone."""
    yield url
    found = urlsplit(url)
    whole = found.path + (f"?{found.query}" if found.query else "")
    for part in (whole, whole.removeprefix("/"), found.path, found.query, *_values(found.query)):
        yield from (one for one in (part, unquote(part)) if len(part) >= SHORTEST)


def url_pieces(url: str) -> Iterator[str]:
    """Yield every piece of a URL behind the host, and its login: any of them may be a token."""
    try:
        parts = urlsplit(url)
    except ValueError:
        yield url
        return
    if parts.path.strip("/"):
        yield parts.path
        yield unquote(parts.path)
    for piece in (*parts.path.split("/"), *_values(parts.query), parts.fragment):
        yield from (one for one in (piece, unquote(piece)) if len(one) >= SHORTEST)
    yield parts.query
    yield unquote(parts.query)
    yield from login_secrets(unquote(parts.username or ""), unquote(parts.password or ""))


def header_secrets(value: str) -> Iterator[str]:
    """Yield a header's value, the credentials after its scheme, and the password in them."""
    yield value
    scheme, _, credentials = value.partition(" ")
    yield credentials.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(credentials).decode("utf-8", "replace").partition(":")
        except binascii.Error:
            return
        yield from login_secrets(user, password)


def login_secrets(user: str, password: str) -> Iterator[str]:
    """Yield a password, and both as they are sent in URLs, HTTP and SMTP. A name alone is no secret."""
    if not password:
        return
    yield password
    yield quote(password, safe="")
    for text in (password, f"{user}:{password}", f"\0{user}\0{password}"):  # AUTH LOGIN, Basic, AUTH PLAIN
        yield base64.b64encode(text.encode()).decode()


def _values(query: str) -> Iterator[str]:
    for pair in query.split("&"):
        yield pair.partition("=")[2]
