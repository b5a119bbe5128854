"""The request: what is asked, and how much of the answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `host` goes into `Host` as it is, its port included where it is not the usual one."""

    method: str = "GET"
    host: str
    url_path: str = "/"
    """The path and query, or a whole URL where a proxy forwards plain HTTP."""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    upgrade: bool = False
    """Whether to ask for a WebSocket (RFC 6455)."""
    range_bytes: int | None = None
    """Ask for the first so many bytes (RFC 9110 section 14) and measure how fast they come."""
    want_sha256: bool = False
    """Read the whole body and hash it."""

    @property
    def authority(self) -> str:
        """The host as it is sent. Raises PhaseError where it can't be."""
        return encode_authority(self.host)

    @property
    def target(self) -> str:
        """The request target, with everything quoted that can't stand there."""
        return quote(self.url_path, safe=_TARGET_SAFE) or "/"

    @property
    def has_credentials(self) -> bool:
        """Whether credentials for a proxy go with it."""
        return any(name == AUTHORIZATION for name, _ in self.headers)

    @property
    def all_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that both HTTP versions send, `Host` aside."""
        ranged = (("range", f"bytes=0-{self.range_bytes - 1}"),) if self.range_bytes else ()
        return (
            ("user-agent", USER_AGENT),
            ("accept", "*/*"),
            ("accept-encoding", "identity"),
            *ranged,
            *self.headers,
        )


def encode_authority(authority: str) -> str:
    """Return a host and port as they are sent, letters outside ASCII in IDNA.

    Raises:
        PhaseError: NAME_INVALID; the authority would break the request.
    """
    try:
        sent = authority.encode("ascii" if authority.isascii() else "idna").decode("ascii")
    except UnicodeError as error:
        raise PhaseError(Failure.NAME_INVALID, f"cannot be asked for: {error}") from None
    if not sent or not sent.isprintable() or " " in sent:
        raise PhaseError(Failure.NAME_INVALID, f"cannot be asked for: {authority!r}")
    return sent


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """How much of a body is read."""

    wanted: int
    """Enough, in bytes."""
    keep: int
    """How many bytes are kept for reading, not only counted."""
    seconds: float | None
    """How long a body may take that is only looked at; None: it is wanted, for as long as the phase has."""
    hashed: bool = False


def read_limits(request: Request) -> ReadLimits:
    """Return what a request wants of its answer's body."""
    if request.want_sha256 or request.range_bytes:
        wanted = DOWNLOAD_LIMIT if request.want_sha256 else min(request.range_bytes or 0, DOWNLOAD_LIMIT)
        return ReadLimits(wanted=wanted, keep=PAGE_LIMIT // 4, seconds=None, hashed=request.want_sha256)
    return ReadLimits(wanted=PAGE_LIMIT, keep=PAGE_LIMIT // 4, seconds=PAGE_SECONDS)
