"""Documented endpoints: who needs them, and how a wildcard is sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Protocol(StrEnum):
    """What is spoken on the port. `wss` is a WebSocket upgrade inside TLS; `tls` stops after TLS."""

    HTTPS = "https"
    HTTP = "http"
    TLS = "tls"
    WSS = "wss"
    TCP = "tcp"
    UDP = "udp"
    NTP = "ntp"
    DNS = "dns"

    @property
    def encrypted(self) -> bool:
        """Whether a TLS handshake is part of the conversation."""
        return self in (Protocol.HTTPS, Protocol.TLS, Protocol.WSS)

    @property
    def speaks_http(self) -> bool:
        """Whether an HTTP exchange is part of the conversation."""
        return self in (Protocol.HTTPS, Protocol.HTTP, Protocol.WSS)


class Need(StrEnum):
    """Whether the product works without the endpoint; only `required` decides exit code 1."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    CONDITIONAL = "conditional"


class Role(StrEnum):
    """The machine an endpoint is needed from."""

    MANAGEMENT = "management"
    APPLIANCE = "appliance"
    CONTROL_PLANE = "control-plane"
    MACHINE = "machine"


class Inspection(StrEnum):
    """Whether Microsoft tolerates TLS inspection on the way to the endpoint."""

    FORBIDDEN = "forbidden"
    TOLERATED = "tolerated"


class Cloud(StrEnum):
    """An Azure cloud."""

    PUBLIC = "public"
    USGOV = "usgov"
    CHINA = "china"


class SampleKind(StrEnum):
    """Where a concrete host of an endpoint comes from.

    `exact`: the document names the host itself. `given`: the operator did. `documented`, `templated`
    and `discovered` prove one host of a wildcard; `random` proves the wildcard rule.
    """

    EXACT = "exact"
    GIVEN = "given"
    DOCUMENTED = "documented"
    TEMPLATED = "templated"
    DISCOVERED = "discovered"
    RANDOM = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a correct HTTP response looks like. Empty for any response of the right server."""

    status: tuple[int, ...] = ()
    content_type: str | None = None
    """The media type without parameters, e.g. `application/octet-stream`."""
    not_content_type: str | None = None
    """A media type that a right answer never has: `text/html` for a file, whose name alone is known."""
    der: bool = False
    """Whether the body is one DER value (X.690), as certificates and CRLs are."""
    sha256: str | None = None
    """Lower-case hex digest of the whole body."""
    min_bytes: int | None = None
    """The least body size in bytes; makes the probe send a ranged GET of that many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How hosts are found for a wildcard pattern."""

    documented: tuple[str, ...] = ()
    templated: tuple[str, ...] = ()
    """Hosts with `{region}`, `{his}`, `{gas}` or a key of the operator's `values:`."""
    discovered: str | None = None
    """The name of a discovery call, e.g. `service-bus-allowlist`."""
    random: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a row comes from: a document and the commit or date of the copy that was read."""

    document: str
    """The document's title."""
    commit: str | None = None
    date: str | None = None
    path: str | None = None
    """The document's repository and file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One documented row. `id` is a stable name, never an address."""

    id: str
    profile: str
    service: str
    pattern: str
    """A host name, a wildcard, or a host with placeholders (`{region}`)."""
    port: int
    protocol: Protocol
    roles: tuple[Role, ...]
    need: Need
    condition: str | None = None
    """What a conditional row is conditional on, in words."""
    purpose: str = ""
    inspection: Inspection = Inspection.TOLERATED
    private_link: bool = False
    """Whether a private endpoint may answer for it."""
    internal: bool = False
    """Whether a private address is the expected answer (a server on the operator's own network)."""
    route: str | None = None
    """The route it takes, by name; None: the configured path."""
    path: str = "/"
    expect: Expect = field(default_factory=Expect)
    samples: Samples = field(default_factory=Samples)
    deep: bool = False
    """Whether the document's leading `*` covers several labels, as a firewall's does."""
    clouds: tuple[Cloud, ...] = (Cloud.PUBLIC,)
    since: str | None = None
    until: str | None = None
    provenance: Provenance | None = None

    @property
    def is_wildcard(self) -> bool:
        """Whether the pattern stands for many hosts."""
        return "*" in self.pattern
