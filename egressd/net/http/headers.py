"""The response headers that are recorded: enough to tell who answered, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from urllib.parse import urljoin, urlsplit

from egressd.net.scrub import scrub

_MAX_HEADERS = 40
_VALUE_LIMIT = 200
_LOCATION_LIMIT = 8192
"""Characters of a URL to follow; clients and servers take as many, hardly more."""
_KEPT = frozenset(
    {
        "age",
        "alt-svc",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "location",
        "proxy-agent",
        "proxy-authenticate",
        "proxy-connection",
        "retry-after",
        "sec-websocket-accept",
        "server",
        "set-cookie",
        "strict-transport-security",
        "transfer-encoding",
        "upgrade",
        "via",
        "warning",
        "www-authenticate",
        "x-aspnet-version",
        "x-azure-ref",
        "x-cache",
        "x-cache-lookup",
        "x-cdn",
        "x-iinfo",
        "x-powered-by",
        "x-proxy-error",
        "x-request-id",
        "x-squid-error",
    }
)
_KEPT_PREFIXES = (
    "x-ms-",
    "x-azure-",
    "x-zscaler",
    "x-bluecoat",
    "x-fortinet",
    "x-mcafee",
    "x-mwg",
    "x-netskope",
    "x-ns-",
    "x-umbrella",
    "x-palo",
    "x-pan-",
    "x-checkpoint",
    "x-forcepoint",
    "x-websense",
    "x-sophos",
    "x-barracuda",
    "x-cisco",
    "x-firewall",
)
"""Prefixes of headers that identify Azure and inspection products."""
_WITH_SECRETS = frozenset({"location", "set-cookie"})
_QUERY_VALUE = re.compile(r"(?<=[?&;#])([^=&;#]{1,64})=[^&;#]*")
_USERINFO = re.compile(r"(?<=://)[^/@]*@")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def is_field_name(name: str) -> bool:
    """Return whether a text may be the name of a header (RFC 9110 section 5.1)."""
    return _TOKEN.fullmatch(name) is not None


def select_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers to record, in order, names in lower case; of a cookie only the name."""
    lowered = ((name.lower(), value) for name, value in headers)
    kept = (_recorded(name, value) for name, value in lowered if _is_kept(name))
    return tuple(islice(kept, _MAX_HEADERS))


def _is_kept(name: str) -> bool:
    return name in _KEPT or (name.startswith("x-") and name.startswith(_KEPT_PREFIXES))


def _recorded(name: str, value: str) -> tuple[str, str]:
    """Return a header as it is recorded; what many servers say alike is kept in memory once."""
    if len(value) > _VALUE_LIMIT or name in _WITH_SECRETS:
        return name, _redacted(name, value)
    return _shared(name, value)


@lru_cache(maxsize=256)  # with dates, which are new each second
def _shared(name: str, value: str) -> tuple[str, str]:
    return name, scrub(value, _VALUE_LIMIT)


def _redacted(name: str, value: str) -> str:
    if name == "set-cookie":
        value = value.partition("=")[0].strip()
    elif name == "location":
        value = _QUERY_VALUE.sub(r"\1=...", _USERINFO.sub("", value))
    return scrub(value, _VALUE_LIMIT)


def redirect_url(base: str, location: str) -> str | None:
    """Return the URL that a Location leads to, without login, query and fragment; None: no web host."""
    if len(location) > _LOCATION_LIMIT:
        return None
    try:
        parts = urlsplit(urljoin(base, location.strip()))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or not host.isprintable() or " " in host:
        return None
    authority = f"[{host}]" if ":" in host else host
    authority = authority if port is None else f"{authority}:{port}"
    return f"{parts.scheme}://{authority}{scrub(parts.path, _VALUE_LIMIT) or '/'}"


def parse_decimal(value: str | None) -> int | None:
    """Return the decimal number in a header; None where it is none."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
