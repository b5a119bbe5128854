"""Where a request comes from: whether its `Host` is ours, and whether another site's page sent it.

A page in a browser on this host can reach a server on loopback: by a name that its owner lets point there
(DNS rebinding), which shows in `Host`, or blindly, which shows in `Origin` and `Sec-Fetch-Site`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from egressd.web.connection.admission import LOOPBACK, group_of

FETCH_SITE = "Sec-Fetch-Site"
_OWN_SITE = ("same-origin", "none")
"""What a browser sends for its own pages, and for an address that its user typed."""
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost", "ip6-loopback"})
"""Names that /etc/hosts, not DNS, gives to loopback."""
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[^\[\]:/?#@\\\s]{1,255})(?::([0-9]{0,5}))?")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")
_PORTS = {"http": "80", "https": "443"}

Authority = tuple[str, str]
"""Host and port, as written; the port may be empty."""


def is_loopback_only(addresses: Collection[str]) -> bool:
    """Whether a server that listens on these addresses can be reached from this host alone."""
    return all(group_of(one) == LOOPBACK for one in addresses)


def names_us(request: web.BaseRequest, allowed: Collection[str]) -> bool:
    """Whether a request asks for a loopback name or address, or for one of the allowed hosts.

    A request without `Host` is no browser's.
    """
    wanted = request.headers.getall(hdrs.HOST, [])
    if len(wanted) > 1:
        return False
    return all(_is_ours(one, allowed) for one in (*wanted, *_absolute(request.raw_path)))


def _absolute(target: str) -> tuple[str, ...]:
    """Return the authority of a target in absolute form, which counts before `Host` (RFC 9112, 3.2.2)."""
    found = _ABSOLUTE.match(target)
    return (found[1],) if found else ()


def _is_ours(text: str, allowed: Collection[str]) -> bool:
    found = _authority(text)
    if found is None:
        return False
    host = found[0].lower().removesuffix(".")
    named = host in _LOOPBACK_NAMES or host in allowed
    return named or ("%" not in host and group_of(host) == LOOPBACK)


def is_cross_site(request: web.BaseRequest) -> bool:
    """Whether a browser says that another site's page sent the request."""
    site = request.headers.get(FETCH_SITE)
    if site is not None and site not in _OWN_SITE:
        return True
    own = _authority(request.headers.get(hdrs.HOST, ""))
    return any(not _is_same(one, own) for one in _senders(request))


def _senders(request: web.BaseRequest) -> Iterator[str]:
    """Yield the origins that the request names."""
    yield from request.headers.getall(hdrs.ORIGIN, [])
    if hdrs.ORIGIN not in request.headers:
        yield from request.headers.getall(hdrs.REFERER, [])


def _is_same(origin: str, own: Authority | None) -> bool:
    try:
        scheme, netloc, *_ = urlsplit(origin)
    except ValueError:
        return False
    found = _authority(netloc)
    if found is None or own is None:
        return False
    default = _PORTS.get(scheme, "")
    return (found[0].lower(), found[1] or default) == (own[0].lower(), own[1] or default)


def _authority(text: str) -> Authority | None:
    """Split `host:port`; None: it is neither that nor a host."""
    found = _AUTHORITY.fullmatch(text)
    return (found[1].strip("[]"), found[2] or "") if found else None
