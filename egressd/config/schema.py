"""The configuration file, key by key, as far as a sweep uses it. The docstrings are `docs/configuration.md`.

Unknown keys and wrong types are mistakes; only single values are parsed (`egressd/fields`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from egressd.fields import parse, types
from egressd.fields.types import (
    Address,
    CloudName,
    DirectionName,
    Duration,
    FamilyName,
    Host,
    InspectionName,
    Line,
    Name,
    NeedName,
    Port,
    Ports,
    ProtocolName,
    RoleName,
    TypeName,
    UrlPath,
    UserName,
    Values,
)
from egressd.model.endpoint import Direction, Inspection, Need
from egressd.model.settings import ALL_ROLES, Settings
from egressd.planning.region import normalize_region
from egressd.yamlschema import StrictModel, matching

_DEFAULT = Settings()


class SourcePart(StrictModel):
    """A local address or interface that probes leave from."""

    name: Name
    """What reports and metrics call it."""
    address: Address | None = None
    """The local address to bind to."""
    interface: Annotated[str, AfterValidator(parse.parse_interface), TypeName(text="interface")] | None = None
    """The interface to bind to."""
    roles: Annotated[list[RoleName], Field(min_length=1)] = list(ALL_ROLES)
    """The machines whose endpoints are probed from here."""


class TrustPart(StrictModel):
    """Which roots count."""

    store: Annotated[str, types.certificates_or("system"), TypeName(text="`system` or a PEM file")] = "system"
    """What the agent would trust: OpenSSL decides with it."""
    public_roots: Annotated[
        str, types.certificates_or("bundled"), TypeName(text="`bundled` or a PEM file")
    ] = "bundled"
    """The roots of the public web: they tell inspection from breakage."""
    public_networks: list[Annotated[str, AfterValidator(parse.parse_network), TypeName(text="network")]] = []
    """Reserved networks whose addresses count as public, for a laboratory that has an Internet of its own:
    without it, a name with an address of `198.18.0.0/15` or a documentation network is taken for one that a
    tunnelling client answers."""


class ProxyPart(StrictModel):
    """An explicit proxy for everything that is not bypassed."""

    url: Annotated[str, AfterValidator(parse.parse_proxy_url), TypeName(text="URL")] | None = None
    """`http://host:port` or `https://host:port`, never with a user name or password. Either this, or
    `from_environment`."""
    from_environment: bool = False
    """Read `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (or the same in lower case) instead, as Go programs
    do: a plain `http` endpoint goes by the second, everything else by the first."""
    bypass: list[Annotated[str, AfterValidator(parse.parse_bypass)]] = []
    """What is reached directly: hosts (with all below them), `.suffix`, addresses, networks, or `*`; each
    may end in `:port`."""
    ca_file: Annotated[str, AfterValidator(types.certificates_path), TypeName(text="PEM file")] | None = None
    """The roots an `https://` proxy's own certificate must lead to; without it, `trust.store`."""
    username: UserName | None = None
    """Sent to the proxy only, with the password, as Basic credentials."""
    password_file: Annotated[str, AfterValidator(types.secret_path), TypeName(text="file")] | None = None
    """The file that holds the password, alone, on one line."""


class ControlsPart(StrictModel):
    """Controls that are off unless asked for: a security team may take them for an attack."""

    split_hello: bool = False
    """Whether a ClientHello may be sent in two parts, to tell a device that cannot reassemble from a rule."""
    ttl_sweep: bool = False
    """Whether rising hop limits may be used to find the device that refuses or resets; hourly per target."""


Timeout = Annotated[Duration, types.duration_between(0.01, 86400.0)]


class ProbePart(StrictModel):
    """How hard to try."""

    concurrency: Annotated[int, Field(ge=1, le=1024)] = _DEFAULT.limits.concurrency
    """How many probes run at once."""
    families: Annotated[list[FamilyName], Field(min_length=1)] = list(_DEFAULT.limits.families)
    """The address families to try."""
    attempts: Annotated[int, Field(ge=1, le=10)] = _DEFAULT.limits.attempts
    """How often each address is tried; every attempt leaves a trail, none hides another."""
    addresses: Annotated[int, Field(ge=1, le=32)] = _DEFAULT.limits.addresses
    """The most addresses of one family that are dialled for one name."""
    dns_timeout: Timeout = _DEFAULT.limits.dns_timeout
    """For one query to one resolver."""
    connect_timeout: Timeout = _DEFAULT.limits.connect_timeout
    """For one TCP connection. Below 8s a lossy path looks blocked: Linux repeats a SYN after 1, 3 and 7 s."""
    tls_timeout: Timeout = _DEFAULT.limits.tls_timeout
    """For one handshake, and for one CONNECT."""
    http_timeout: Timeout = _DEFAULT.limits.http_timeout
    """For one request and its answer."""
    deadline: Timeout = _DEFAULT.limits.deadline
    """For everything one probe does."""
    sweep_deadline: Timeout | None = None
    """For everything one sweep does; without it, as long as its probes take."""
    controls: ControlsPart = ControlsPart()
    """Controls that are off unless asked for."""


MediaType = Annotated[
    str, matching(r"[^/;\s]+/[^/;\s]+", "must be a media type without parameters, such as text/html")
]


class ExpectPart(StrictModel):
    """What a right HTTP answer looks like. Empty: any answer of the right server."""

    status: list[Annotated[int, Field(ge=100, le=599)]] = []
    """The status codes that are right."""
    content_type: MediaType | None = None
    """The media type, without parameters: `application/octet-stream`."""
    not_content_type: MediaType | None = None
    """A media type that a right answer never has: `text/html` for a file."""
    der: bool = False
    """Whether the body is one DER value, as certificates and revocation lists are."""
    sha256: Annotated[str, matching(r"[0-9a-f]{64}", "must be 64 hex digits in lower case")] | None = None
    """The digest of the whole body, in lower-case hex."""
    min_bytes: Annotated[int, Field(ge=1, le=1 << 30)] | None = None
    """The least size of the body; so many bytes are asked for."""


class SamplesPart(StrictModel):
    """Hosts that stand for a pattern, as in the catalog's own rows."""

    documented: list[Host] = []
    """Hosts; each must match the pattern."""
    random: bool = False
    """Whether a random label is sent as server name as well, to test the rule itself."""


class EndpointPart(StrictModel):
    """An endpoint of your own, probed beside the catalog's."""

    id: Name
    """A stable name, unique and not one of the catalog's."""
    service: Line | None = None
    """What it is, for people; without it, the id."""
    host: Host | None = None
    """The host to probe. Either this, or `pattern`."""
    pattern: Annotated[str, AfterValidator(parse.parse_pattern), TypeName(text="pattern")] | None = None
    """The wildcard a firewall rule would name, such as `*.corp.example`, or a host with placeholders:
    `{region}`, `{resolver}`, or names of your own that `values` fills in."""
    samples: Annotated[
        SamplesPart, BeforeValidator(types.documented_samples), TypeName(text="list of hosts")
    ] = SamplesPart()
    """Hosts that stand for the wildcard; each must match it. `{documented: [...], random: true}` also
    tests the rule itself, by a random label. A wildcard without samples is a rule that is not probed."""
    deep: bool = False
    """Whether the wildcard covers several labels; without it, `*` is exactly one."""
    port: Ports | None = None
    """The TCP port, or the UDP port of `ntp` and `dns`; none with `icmp`. A range such as `"10124-10139"` is
    a rule that is not probed."""
    protocol: ProtocolName
    """The protocol. Endpoints of `udp` and `icmp` are rules that are not probed."""
    direction: DirectionName = Direction.OUTBOUND
    """`inbound`: the endpoint connects to the role, which makes a rule that is not probed; `both`: each to
    the other."""
    clouds: list[CloudName] = []
    """The clouds that have it; empty: all."""
    regions: list[Name] = []
    """The regions that have it; empty: all."""
    roles: list[RoleName] = []
    """The machines that need it; empty: all of them."""
    need: NeedName = Need.REQUIRED
    """Only `required` endpoints decide the exit code."""
    condition: Line | None = None
    """What a `conditional` endpoint is conditional on, in words."""
    one_of: Name | None = None
    """The name of a choice: of the endpoints with the same one, one that works is enough."""
    purpose: Line | None = None
    """What for; it goes into the rules to ask for."""
    path: UrlPath | None = None
    """The path to request; without it, `/`."""
    paths: list[UrlPath] = []
    """The paths to request, where there are several."""
    expect: ExpectPart = ExpectPart()
    """What a right answer looks like."""
    inspection: InspectionName = Inspection.TOLERATED
    """Whether TLS inspection on the way is a fault (`forbidden`)."""
    private_link: bool = False
    """Whether a private endpoint may answer for it."""
    internal: bool = False
    """Whether a private address is the expected answer: a server on your own network."""


class OverridePart(StrictModel):
    """A change to endpoints of the catalog."""

    match: Line
    """The id, pattern or host of the endpoints to change; `*` stands for anything."""
    need: NeedName | None = None
    """Another need."""
    inspection: InspectionName | None = None
    """Another tolerance of inspection."""
    path: Annotated[str, AfterValidator(types.checked_url_path), TypeName(text="path")] | None = None
    """Another path to request."""
    expect: ExpectPart | None = None
    """Another right answer."""
    skip: bool = False
    """Leave them out."""


class ConnectToPart(StrictModel):
    """Dial another address than DNS gave, like curl's `--connect-to`."""

    match: Annotated[str, AfterValidator(parse.parse_match), TypeName(text="host:port")]
    """The host and port to redirect; `*` stands for anything."""
    address: Address
    """The address to dial instead."""
    port: Port
    """The port to dial instead."""


class SweepFile(StrictModel):
    """The keys that a sweep uses. Every key has a default: no file is needed."""

    site: Annotated[str, AfterValidator(parse.parse_site), TypeName(text="text")] | None = None
    """This host's place in a fleet, such as `oslo-1`: a label of metrics and alerts, and in the heading of
    reports. Several hosts may share one. Without it: `alerts.labels.site`, else the host's name."""
    region: Annotated[str, AfterValidator(normalize_region), TypeName(text="region")] | None = None
    """The Azure region, such as `westeurope` or `West Europe`; needed where a host name carries one. A region
    that the catalog does not have, or in which a product is not offered, is a mistake."""
    allow_unknown_region: bool = False
    """Take a region as written that the catalog does not have: one that is newer."""
    cloud: CloudName = _DEFAULT.cloud
    """The Azure cloud."""
    profiles: list[Name] = list(_DEFAULT.profiles)
    """The products whose endpoints are probed; `[]` leaves only `endpoints`."""
    features: list[Name] | None = None
    """What of the products is in use, such as `sql`; `egressd catalog features` lists them. Conditional
    endpoints of these count as required, and those of all other features are not probed. Without it, all
    conditional endpoints are probed, and none decides the exit code."""
    private_link: bool | None = None
    """Whether an Azure Arc private link scope is in use. `true`: the names of the scope must resolve to
    private addresses and all others to public ones. `false`: none of them may be private. Without it:
    either is right, and a mixture is not."""
    interval: Annotated[Duration, types.duration_between(0.1, 31 * 86400.0)] = _DEFAULT.interval
    """How often the daemon sweeps."""
    sources: Annotated[list[SourcePart], Field(min_length=1)] = [SourcePart(name="default")]
    """Where probes leave from. Without it: one source, chosen by the kernel, with every role."""
    resolvers: Annotated[
        list[
            Annotated[
                str,
                AfterValidator(types.checked_resolver),
                TypeName(text="`system`, IP, IP:port or [v6]:port"),
            ]
        ],
        Field(min_length=1),
    ] = ["system"]
    """The DNS resolvers to ask; each is asked and judged separately."""
    trust: TrustPart = TrustPart()
    """Which roots count."""
    proxy: Annotated[ProxyPart | None, BeforeValidator(types.refuse_text)] = None
    """An explicit proxy. Without it, everything is reached directly; the environment is not read unless
    it is asked for."""
    arc_gateway: (
        Annotated[str, AfterValidator(parse.parse_arc_gateway), TypeName(text="URL or prefix")] | None
    ) = None
    """The Azure Arc gateway in use, such as `https://contoso.gw.arc.azure.com`: what it forwards for all
    products that ask for it is then tried through the Arc proxy, the rest as configured. See
    `docs/proxies.md`."""
    arc_proxy: Annotated[str, AfterValidator(parse.parse_proxy_url), TypeName(text="URL")] | None = None
    """The Arc proxy, where it is not this host's own at port 40343: on Azure Local, appliances and clusters
    use that of the cluster's address. Only beside `arc_gateway`."""
    service_tags: (
        Annotated[str, AfterValidator(types.service_tags_path), TypeName(text="JSON file")] | None
    ) = None
    """Microsoft's weekly list of address ranges, such as `ServiceTags_Public_20261123.json`, for a firewall
    that allows by address: rules then name the tag that has the addresses seen, and addresses outside of it
    are told. A file older than two weeks is noted."""
    probe: ProbePart = ProbePart()
    """How hard to try."""
    endpoints: list[EndpointPart] = []
    """Endpoints of your own."""
    overrides: list[OverridePart] = []
    """Changes to the catalog's endpoints."""
    connect_to: list[ConnectToPart] = []
    """Dial other addresses than DNS gave."""
    values: dict[Name, Values] = {}
    """What the catalog can't know: the placeholders of its patterns, such as `key_vault`."""


DAEMON_SECTIONS = frozenset({"alerts", "notify", "web", "state"})
"""Keys whose schema is in `config.daemon`: a file without them, as for most sweeps, is spared making it."""
DAEMON_ONLY = frozenset({"interval"}) | DAEMON_SECTIONS
"""Keys that `--once` checks and does not use."""
