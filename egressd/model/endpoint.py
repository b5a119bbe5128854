"""Documented endpoints: who needs them, and how a wildcard is sampled."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.wording import port_range


class Protocol(StrEnum):
    """What is spoken on the port. `wss` is a WebSocket upgrade inside TLS; `tls` stops after TLS.

    `icmp` has no port, and is never probed.
    """

    HTTPS = "https"
    HTTP = "http"
    TLS = "tls"
    WSS = "wss"
    TCP = "tcp"
    UDP = "udp"
    NTP = "ntp"
    DNS = "dns"
    ICMP = "icmp"

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


NEEDS_BY_STRENGTH = (Need.REQUIRED, Need.CONDITIONAL, Need.OPTIONAL)
"""The strictest first."""


class Role(StrEnum):
    """The machine an endpoint is needed from."""

    MANAGEMENT = "management"
    APPLIANCE = "appliance"
    CONTROL_PLANE = "control-plane"
    MACHINE = "machine"
    NODE = "node"
    """A machine of an Azure Local system."""
    CLUSTER = "cluster"
    """Nodes and pods of a Kubernetes cluster."""
    CONSOLE = "console"
    """An administrator's workstation: a management console or a browser."""
    WINDOWS_ADMIN_CENTER = "windows-admin-center"
    WSUS = "wsus"
    SITE_SERVER = "site-server"
    """Of Configuration Manager, as the roles after it are; it stands for site systems without one."""
    SERVICE_CONNECTION_POINT = "service-connection-point"
    SOFTWARE_UPDATE_POINT = "software-update-point"
    DISTRIBUTION_POINT = "distribution-point"
    CONNECTION_POINT = "connection-point"
    """Of a cloud management gateway."""
    CLIENT = "client"
    """Of WSUS or of Configuration Manager."""
    REPLICATION_APPLIANCE = "replication-appliance"
    """Of Azure Site Recovery."""


class Direction(StrEnum):
    """Who connects: the role to the endpoint, the endpoint to the role, or each to the other."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"
    BOTH = "both"


class Forwarding(StrEnum):
    """What a document says of a row where an Azure Arc gateway is used."""

    FORWARDED = "forwarded"
    """The gateway carries it."""
    DIRECT = "direct"
    """It must be reached without the gateway."""


class GatewayUse(Struct, frozen=True, kw_only=True):
    """What an Azure Arc gateway in use means for a row, over all products that ask for it."""

    word: Forwarding | None
    """None: no document says."""
    why: str


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
    and `discovered` prove one host of a wildcard; `random` proves the wildcard rule. `derived` is a name
    that egressd made and no document shows: it may not exist.
    """

    EXACT = "exact"
    GIVEN = "given"
    DOCUMENTED = "documented"
    TEMPLATED = "templated"
    DERIVED = "derived"
    DISCOVERED = "discovered"
    RANDOM = "random"

    @property
    def is_proof(self) -> bool:
        """Whether a host of the kind must exist, so that it can decide anything."""
        return self not in (SampleKind.RANDOM, SampleKind.DERIVED)


class Expect(Struct, frozen=True, kw_only=True):
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


class Samples(Struct, frozen=True, kw_only=True):
    """How hosts are found for a wildcard pattern."""

    documented: tuple[str, ...] = ()
    templated: tuple[str, ...] = ()
    """Hosts with `{region}`, `{his}`, `{gas}` or a key of the operator's `values:`."""
    templated_in: tuple[str, ...] = ()
    """The regions for which a document shows the templated hosts; elsewhere they are derived. Empty: all."""
    derived: tuple[str, ...] = ()
    """Hosts, with or without placeholders, that no document shows."""
    discovered: str | None = None
    """The name of a discovery call, e.g. `service-bus-allowlist`."""
    random: bool = False


class Provenance(Struct, frozen=True, kw_only=True):
    """Where a row comes from: a document and the commit or date of the copy that was read."""

    document: str
    """The document's title."""
    commit: str | None = None
    date: str | None = None
    path: str | None = None
    """The document's repository and file."""


class CloudTerms(Struct, frozen=True, kw_only=True):
    """What differs in one cloud; None where the row's own value holds there as well."""

    cloud: Cloud
    need: Need | None = None
    condition: str | None = None
    feature: str | None = None
    since: str | None = None
    until: str | None = None
    provenance: Provenance | None = None


class Endpoint(Struct, frozen=True, kw_only=True):
    """One documented row. `id` is a stable name, never an address."""

    id: str
    profile: str
    service: str
    pattern: str
    """A host name, a wildcard, or a host with placeholders (`{region}`)."""
    port: int | None
    """The first port; None with `icmp`."""
    protocol: Protocol
    roles: tuple[Role, ...]
    need: Need
    condition: str | None = None
    """What a conditional row is conditional on, in words."""
    feature: str | None = None
    """The feature that must be in use for a conditional row to count."""
    last_port: int | None = None
    """The last port of a range; None if there is one port only."""
    direction: Direction = Direction.OUTBOUND
    gateway: tuple[tuple[str, Forwarding], ...] = ()
    """What the documents of profiles say of it where an Azure Arc gateway is used, by profile."""
    one_of: str | None = None
    """The name of a group of rows of the profile, of which one that works is enough."""
    regions: tuple[str, ...] = ()
    """The regions that have the row; empty: all."""
    service_tags: tuple[str, ...] = ()
    """Azure service tags that cover it, where a document says so."""
    purpose: str = ""
    inspection: Inspection = Inspection.TOLERATED
    private_link: bool = False
    """Whether a private endpoint may answer for it."""
    internal: bool = False
    """Whether a private address is the expected answer (a server on the operator's own network)."""
    unprobed: str | None = None
    """Why the row is a rule to ask for only; None if it is probed."""
    route: str | None = None
    """The route it takes, by name; None: the configured path."""
    paths: tuple[str, ...] = ("/",)
    expect: Expect = field(default_factory=Expect)
    samples: Samples = field(default_factory=Samples)
    deep: bool = False
    """Whether the document's leading `*` covers several labels, as a firewall's does."""
    clouds: tuple[Cloud, ...] = (Cloud.PUBLIC,)
    since: str | None = None
    until: str | None = None
    provenance: Provenance | None = None
    by_cloud: tuple[CloudTerms, ...] = ()
    """What differs in single clouds."""

    @property
    def path(self) -> str:
        """The first documented path."""
        return self.paths[0]

    @property
    def ports(self) -> str:
        """The port or the range, as firewalls write it; empty with `icmp`."""
        return port_range(self.port, self.last_port)

    @property
    def written_hosts(self) -> tuple[str, ...]:
        """The pattern and the samples as they are written, with their placeholders."""
        samples = self.samples
        return (self.pattern, *samples.documented, *samples.templated, *samples.derived)

    @property
    def is_wildcard(self) -> bool:
        """Whether the pattern stands for many hosts."""
        return "*" in self.pattern

    def in_cloud(self, cloud: Cloud) -> Endpoint:
        """Return the row as it is in a cloud: with that cloud's need, dates and document."""
        terms = next((one for one in self.by_cloud if one.cloud is cloud), None)
        if terms is None:
            return self
        need = terms.need or self.need
        conditional = need is Need.CONDITIONAL
        return replace(
            self,
            need=need,
            condition=terms.condition or (self.condition if conditional else None),
            feature=terms.feature or (self.feature if conditional else None),
            since=terms.since or self.since,
            until=terms.until or self.until,
            provenance=terms.provenance or self.provenance,
            by_cloud=(),
        )
