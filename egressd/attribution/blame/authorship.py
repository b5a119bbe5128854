"""Who can have written an HTTP answer: by what it holds of what was expected, and by what it lacks.

In clear text anybody on the way can write anything, so an answer is proved by what only the service has,
never by its status. A vendor's words are a hint, and their absence is none.
"""

from __future__ import annotations

from enum import StrEnum

from egressd.attribution.facts.proxy import headers_of
from egressd.attribution.facts.vendors import CDN_HEADERS, product_of
from egressd.model.endpoint import Expect
from egressd.model.observation import HttpObservation

DEVICE_STATUSES = frozenset({407, 470, 511})
"""Proxy Authentication Required, Azure Firewall's own, Network Authentication Required (RFC 6585): no origin
gives them."""
DENIALS = frozenset({403, 451, 502, 503, 504})
"""Statuses of filters and proxies, and of servers as well."""
PAGE_TYPES = frozenset({"", "text/html", "text/plain", "application/xhtml+xml"})
"""Media types of pages for people; a service answers programs."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOTHING = Expect()
_GOOD = frozenset({200, 203, 206})


class Author(StrEnum):
    """Who wrote an answer in clear text, as far as the answer shows."""

    SERVICE = "service"
    """It holds what was expected and nobody on the way has."""
    DEVICE = "device"
    """It shows itself as the answer of a device on the way."""
    UNKNOWN = "unknown"
    """It denies or leads away, and holds nothing of what was expected."""
    OPEN = "open"
    """Anybody can have written it."""


def author_in_clear(answer: HttpObservation, expected: Expect) -> Author:
    """Return who wrote an answer in clear text to a request whose right answer is expected."""
    if proves_content(answer, expected):
        return Author.SERVICE
    if answer.status in DEVICE_STATUSES or product_of(answer):
        return Author.DEVICE
    if shows_service(answer) or meets(answer, expected):
        return Author.OPEN
    return Author.UNKNOWN if _is_foreign(answer, expected) else Author.OPEN


def proves_content(answer: HttpObservation, expected: Expect) -> bool:
    """Whether the answer holds what was expected and no page can: a digest, DER, the bytes of a file."""
    if answer.failure is not None or not content_right(answer, expected):
        return False
    if expected.sha256 is not None or expected.der:
        return True
    return expected.min_bytes is not None and media_type(answer) not in PAGE_TYPES


def meets(answer: HttpObservation, expected: Expect) -> bool:
    """Whether anything was expected, and the answer is that."""
    if expected == NOTHING or not content_right(answer, expected):
        return False
    return answer.status in expected.status or (not expected.status and answer.status in _GOOD)


def content_right(answer: HttpObservation, expected: Expect) -> bool:
    """Whether the body is of the type, size and digest that were expected."""
    found = media_type(answer)
    return not (
        (expected.content_type is not None and found != expected.content_type.lower())
        or (expected.not_content_type is not None and found == expected.not_content_type.lower())
        or (expected.sha256 is not None and answer.sha256 != expected.sha256)
        or (expected.der and answer.der is not True)
        or (expected.min_bytes is not None and size_of(answer) < expected.min_bytes)
    )


def size_of(answer: HttpObservation) -> int:
    """Return the size of the body, decoded where it was compressed."""
    return answer.bytes_received if answer.bytes_decoded is None else answer.bytes_decoded


def media_type(answer: HttpObservation) -> str:
    """Return the media type without parameters; empty where there is none."""
    return headers_of(answer).get("content-type", "").partition(";")[0].strip().lower()


def shows_service(answer: HttpObservation) -> bool:
    """Whether the answer has headers of the service's content networks: a hint that it is theirs."""
    headers = headers_of(answer)
    return any(name in CDN_HEADERS or name.startswith("x-ms-") for name in headers)


def _is_foreign(answer: HttpObservation, expected: Expect) -> bool:
    page = media_type(answer) in PAGE_TYPES
    if expected.der or expected.not_content_type is not None or expected.content_type is not None:
        return page or answer.status in REDIRECTS
    return page and answer.status in DENIALS
