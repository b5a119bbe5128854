"""Addresses of repositories: what a package manager fetches, without credentials."""

from __future__ import annotations

import re
from typing import Self
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

from egressd.destination import DEFAULT_PORTS
from egressd.model.endpoint import Protocol
from egressd.planning.placeholder import is_host
from egressd.repositories.wording import plain_path, plain_query
from egressd.wording import bracketed

LONGEST_URL = 2000
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,40}):")
_IN_PATH = "/%~:+@!$&'()*,;=[]"
"""Characters that stand in a path as they are: package managers encode the others."""


class RepositoryUrl(Struct, frozen=True, kw_only=True):
    """An `http` or `https` URL."""

    scheme: str
    host: str
    port: int
    path: str
    """Encoded, with a slash at its start."""
    query: str = ""

    @property
    def protocol(self) -> Protocol:
        """What is spoken there."""
        return Protocol.HTTPS if self.scheme == "https" else Protocol.HTTP

    @property
    def shown(self) -> str:
        """The URL for people: the port only where it is not the usual one, and no query."""
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{bracketed(self.host)}{port}{plain_path(self.path).rstrip('/')}"

    @property
    def request(self) -> str:
        """What is asked of the server, without what may be a secret."""
        path, query = plain_path(self.path), plain_query(self.query)
        return path if not query or path != self.path else f"{path}?{query}"

    def below(self, name: str) -> Self:
        """Return the URL of a file below this one."""
        return replace(self, path=f"{self.path.rstrip('/')}/{encoded(name)}")


def scheme_of(text: str) -> str:
    """Return the scheme of a URL in lower case; empty if there is none."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def parse_repository_url(text: str) -> RepositoryUrl:
    """Read an `http` or `https` URL. ValueError with the rest of a sentence, which never repeats the URL."""
    scheme = scheme_of(text)
    if scheme not in DEFAULT_PORTS:
        raise ValueError("is no http or https URL")
    if len(text) > LONGEST_URL:
        raise ValueError("has a URL of more than 2000 characters")
    try:
        url = urlsplit(text)
        host, port = _ascii((url.hostname or "").removesuffix(".")), url.port
    except ValueError:
        raise ValueError("has a URL that can't be read") from None
    if not host or not is_host(host):
        raise ValueError("has a URL without a valid host name")
    if port == 0:
        raise ValueError("has a URL with port 0")
    return RepositoryUrl(
        scheme=scheme,
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        path=encoded(url.path) or "/",
        query=quote(url.query, safe=_IN_PATH + "?"),
    )


def encoded(path: str) -> str:
    """Encode what can't stand in a request."""
    return quote(path, safe=_IN_PATH)


def _ascii(host: str) -> str:
    """Write a name in other letters as DNS has it."""
    return host.lower() if host.isascii() else host.encode("idna").decode("ascii").lower()
