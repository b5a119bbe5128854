"""An HTTP request, and how much of its response is read."""

from __future__ import annotations

from urllib.parse import quote

from msgspec import Struct

from egressd import __version__
from egressd.model.observation import Failure
from egressd.net.sockets.errors import PhaseError

USER_AGENT = f"egressd/{__version__}"
AUTHORIZATION = "proxy-authorization"
MIB = 1024 * 1024
DOWNLOAD_LIMIT = 64 * MIB
PAGE_LIMIT = 64 * 1024
PAGE_SECONDS = 2.0
_TARGET_SAFE = "/?&=:@!$'()*+,;%~#[]"


class Request(Struct, frozen=True, kw_only=True):
    """One request. `host` is sent as `Host`: with a port, unless that is the default one."""

    method: str = "GET"
    host: str
    url_path: str = "/"
    """Path and query, or an absolute URL where a proxy forwards plain HTTP (RFC 9112 section 3.2.2)."""
    headers: tuple[tuple[str, str], ...] = ()
    upgrade: bool = False
    """Whether to request an upgrade to WebSocket (RFC 6455)."""
    range_bytes: int | None = None
    """Request this many bytes from the start (RFC 9110 section 14) and measure the throughput."""
    want_sha256: bool = False
    """Read the whole body and hash it."""

    def __repr__(self) -> str:
        """Leave the headers out, which may carry credentials."""
        return f"Request(method={self.method!r}, host={self.host!r}, url_path={self.url_path!r})"

    @property
    def authority(self) -> str:
        """The host as sent. Raises PhaseError if it can't be sent."""
        return encode_authority(self.host)

    @property
    def target(self) -> str:
        """The request target, with illegal characters percent-encoded."""
        return quote(self.url_path, safe=_TARGET_SAFE) or "/"

    @property
    def has_credentials(self) -> bool:
        """Whether it carries credentials for a proxy."""
        return any(name == AUTHORIZATION for name, _ in self.headers)

    @property
    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that both HTTP versions send, without `Host`."""
        ranged = (("range", f"bytes=0-{self.range_bytes - 1}"),) if self.range_bytes else ()
        return (
            ("user-agent", USER_AGENT),
            ("accept", "*/*"),
            ("accept-encoding", "identity"),
            *ranged,
            *self.headers,
        )


def encode_authority(authority: str) -> str:
    """Return a host and port as sent: letters outside ASCII in IDNA.

    Raises:
        PhaseError: NAME_INVALID, where the authority would break the request.
    """
    try:
        sent = authority.encode("ascii" if authority.isascii() else "idna").decode("ascii")
    except UnicodeError as error:
        raise PhaseError(Failure.NAME_INVALID, f"cannot be asked for: {error}") from None
    if not sent or not sent.isprintable() or " " in sent:
        raise PhaseError(Failure.NAME_INVALID, f"cannot be asked for: {authority!r}")
    return sent


class ReadLimits(Struct, frozen=True, kw_only=True):
    """How much of a body is read."""

    stop_after: int
    """Bytes of the body after which reading stops."""
    keep: int
    """Bytes of the body that are kept; the rest is counted only."""
    body_seconds: float | None
    """Seconds for a body that need not be complete; None: all that the phase has left."""
    hashed: bool = False


def read_limits(request: Request) -> ReadLimits:
    """Return how much of the body a request needs."""
    if request.want_sha256 or request.range_bytes:
        size = DOWNLOAD_LIMIT if request.want_sha256 else min(request.range_bytes or 0, DOWNLOAD_LIMIT)
        return ReadLimits(
            stop_after=size, keep=PAGE_LIMIT // 4, body_seconds=None, hashed=request.want_sha256
        )
    return ReadLimits(stop_after=PAGE_LIMIT, keep=PAGE_LIMIT // 4, body_seconds=PAGE_SECONDS)
