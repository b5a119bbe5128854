"""The settings, after every file and flag was read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.endpoint import Cloud, Endpoint, Expect, Inspection, Need, Protocol, Role
from egressd.model.notification import Alerting, Notify


class Family(StrEnum):
    """An address family."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"


ALL_ROLES = tuple(Role)
SYSTEM_RESOLVER = "system"
DEFAULT_PROFILES = ("resource-bridge", "connected-machine")
"""The profiles that are checked where nobody chooses."""
THIS_HOST = "this-host"
"""The profile whose rows are read from the files of this host's package managers."""


class Source(Struct, frozen=True, kw_only=True):
    """A local address or interface that probes leave from. With neither, the kernel chooses."""

    name: str
    address: str | None = None
    interface: str | None = None
    roles: tuple[Role, ...] = ALL_ROLES


class Resolver(Struct, frozen=True, kw_only=True):
    """A DNS resolver. `name` is `system`, or the address and port as the operator wrote them."""

    name: str
    address: str | None = None
    port: int = 53

    @property
    def is_system(self) -> bool:
        """Whether this is the host's own resolver configuration."""
        return self.address is None


class Trust(Struct, frozen=True, kw_only=True):
    """Trusted roots. Values are a PEM file's path, or the words `system` and `bundled`."""

    store: str = "system"
    public_roots: str = "bundled"
    public_networks: tuple[str, ...] = ()
    """Networks whose addresses count as public although they are reserved: a laboratory's Internet."""


class Traffic(StrEnum):
    """What a proxy carries: tunnels, or plain HTTP requests that it forwards."""

    TUNNELS = "tunnels"
    PLAIN = "plain"


class Proxy(Struct, frozen=True, kw_only=True):
    """An explicit proxy. `url` never carries credentials; the credentials are kept out of `repr`."""

    url: str
    bypass: tuple[str, ...] = ()
    ca_file: str | None = None
    username: str | None = None
    password: str | None = None
    carries: tuple[Traffic, ...] = tuple(Traffic)
    origin: str = ""
    """The environment variables it was read from; empty for the configuration."""

    def __repr__(self) -> str:
        """Leave the credentials out."""
        shown = (f"{name}={getattr(self, name)!r}" for name in ("url", "bypass", "ca_file", "carries"))
        return f"Proxy({', '.join(shown)})"


class ProbeRoute(Struct, frozen=True, kw_only=True):
    """A way for rows that do not take the configured path: by a proxy of their own, or directly."""

    name: str
    """Stable: endpoints, targets and probes name their route by it."""
    proxy: Proxy | None
    """None: directly, whatever proxy is configured."""
    why: str
    """One clause: whose way it is, and where that is written."""


ARC_ROUTE = "arc-gateway"
"""The name of the route by the Arc proxy, to what an Azure Arc gateway forwards."""
ARC_PROXY_PORT = 40343
"""Where the Connected Machine agent's Arc proxy listens; on Azure Local also at the cluster's address."""
ARC_GATEWAY_DOMAIN = "gw.arc.azure.com"


class ArcGateway(Struct, frozen=True, kw_only=True):
    """The Azure Arc gateway in use."""

    prefix: str
    """The first label of its URL, as `az arcgateway list` prints it."""
    proxy: str | None = None
    """The URL of the Arc proxy; None: the one on this host, if it listens."""

    @property
    def host(self) -> str:
        """The host of its URL."""
        return f"{self.prefix}.{ARC_GATEWAY_DOMAIN}"


def proxy_for(protocol: Protocol, *proxies: Proxy | None) -> Proxy | None:
    """Return the first proxy that carries a protocol: plain HTTP is forwarded, all else is tunnelled."""
    traffic = Traffic.PLAIN if protocol is Protocol.HTTP else Traffic.TUNNELS
    return next((one for one in proxies if one is not None and traffic in one.carries), None)


class Limits(Struct, frozen=True, kw_only=True):
    """Concurrency, retries and timeouts of probes. All times in seconds."""

    concurrency: int = 64
    families: tuple[Family, ...] = (Family.IPV4, Family.IPV6)
    attempts: int = 1
    addresses: int = 4
    """The most addresses of one family that are dialled for one name."""
    dns_timeout: float = 5.0
    connect_timeout: float = 8.0
    tls_timeout: float = 8.0
    http_timeout: float = 10.0
    deadline: float = 20.0
    """For one whole probe."""
    sweep_deadline: float | None = None
    """For one whole sweep; None for no limit of its own."""
    split_hello: bool = False
    """Whether a control may send a ClientHello in two parts: a filter may take that for evasion."""
    ttl_sweep: bool = False
    """Whether controls may use rising hop limits to find the device that refuses or resets."""


class ConnectTo(Struct, frozen=True, kw_only=True):
    """Dial another address than DNS gave, as curl's `--connect-to`. `match` is `host:port`, `*` allowed."""

    match: str
    address: str
    port: int


class Override(Struct, frozen=True, kw_only=True):
    """A change to the catalog rows whose id, pattern or host `match` names (`*` allowed)."""

    match: str
    need: Need | None = None
    inspection: Inspection | None = None
    path: str | None = None
    expect: Expect | None = None
    skip: bool = False


class Web(Struct, frozen=True, kw_only=True):
    """The daemon's HTTP server."""

    listen: str = "127.0.0.1:10980"
    """`address:port`, `[v6]:port`, or `:port` for every address."""
    config_file: str | None = None
    """TLS and basic auth, in the format of Prometheus exporters."""
    enable_reload: bool = False
    """Whether `POST /-/reload` reads the configuration again."""
    enable_probe: bool = False
    """Whether `/probe` probes a target of the plan on demand."""
    allowed_hosts: tuple[str, ...] = ()
    """Names besides loopback ones by which requests may ask for this server."""


class StateKeep(Struct, frozen=True, kw_only=True):
    """What the daemon keeps over restarts."""

    directory: str | None = None
    """None for systemd's state directory, if there is one."""
    retention: float = 90 * 86400.0
    """Seconds."""


class HostRepositories(Struct, frozen=True, kw_only=True):
    """What the package managers of this host are configured to use; read if its profile is chosen."""

    endpoints: tuple[Endpoint, ...] = ()
    authorities: tuple[tuple[str, str], ...] = ()
    """Hosts, and files of authorities that a package manager verifies them with."""
    notes: tuple[str, ...] = ()
    """What could not be read or is not probed, and which manager goes another way than egressd."""


class FailedBefore(Struct, frozen=True, kw_only=True):
    """What failed in an earlier sweep: that alone is probed again."""

    started: str
    """When that sweep was, in UTC."""
    place: str
    """Its cloud and region, for people."""
    targets: frozenset[str]
    """Ids of the targets that failed."""
    unprobed: frozenset[str]
    """Ids of the required endpoints that had no target."""
    endpoints: frozenset[str]
    """Ids of the endpoints of both."""
    worked: frozenset[tuple[str, int]]
    """Hosts and ports that were reached."""


class ServiceTag(Struct, frozen=True, kw_only=True):
    """The address ranges of one Azure service tag, in all regions."""

    name: str
    prefixes: tuple[str, ...]


class ServiceTags(Struct, frozen=True, kw_only=True):
    """Microsoft's list of address ranges, as read from its weekly file."""

    dated: str | None
    """The day it is of, as its name or the file's time says: `2026-11-23`; None: neither says."""
    change_number: int | None
    """Rises whenever a tag changes; None: the file has none."""
    tags: tuple[ServiceTag, ...]
    digest: str
    """SHA-256 of the file."""
    notes: tuple[str, ...] = ()
    """What of it could not be read, and whether it is old."""

    def named(self, names: Iterable[str]) -> tuple[ServiceTag | None, ...]:
        """Return the tags of these names, in whatever case; None for a name that none has."""
        known = {one.name.lower(): one for one in self.tags}
        return tuple(known.get(one.lower()) for one in names)

    def only(self, names: Iterable[str]) -> ServiceTags:
        """Return the same with these tags alone."""
        wanted = {one.lower() for one in names}
        return replace(self, tags=tuple(one for one in self.tags if one.name.lower() in wanted))


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. Everything has a default: no file is needed."""

    site: str | None = None
    """The host's place in a fleet, as given; None: the label `site` of alerts, else the host's name."""
    region: str | None = None
    allow_unknown_region: bool = False
    """Whether a region that the catalog does not know is taken as written."""
    cloud: Cloud = Cloud.PUBLIC
    profiles: tuple[str, ...] = DEFAULT_PROFILES
    profiles_chosen: bool = False
    """Whether the operator named the profiles; the others are the usual ones, as far as they exist there."""
    interval: float = 60.0
    sources: tuple[Source, ...] = (Source(name="default"),)
    resolvers: tuple[Resolver, ...] = (Resolver(name=SYSTEM_RESOLVER),)
    trust: Trust = field(default_factory=Trust)
    proxy: Proxy | None = None
    plain_proxy: Proxy | None = None
    """The proxy of plain HTTP, if the environment sets another one for it."""
    routes: tuple[ProbeRoute, ...] = ()
    """Ways besides the configured path; names are unique."""
    arc_gateway: ArcGateway | None = None
    """None: no row goes by an Azure Arc gateway."""
    compare_paths: bool = False
    """Whether every target a proxy could carry is probed both directly and through it."""
    strict: bool = False
    """Whether a degraded required target fails a sweep."""
    features: tuple[str, ...] | None = None
    """What of the products is in use: conditional rows of it are required, those of the rest left out. None:
    it is not known."""
    private_link: bool | None = None
    """Whether an Azure Arc private link scope is in use; None: it is not known."""
    service_tags: ServiceTags | None = None
    """The address ranges of service tags; None: no file is given."""
    limits: Limits = field(default_factory=Limits)
    endpoints: tuple[Endpoint, ...] = ()
    host: HostRepositories = field(default_factory=HostRepositories)
    overrides: tuple[Override, ...] = ()
    connect_to: tuple[ConnectTo, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    """Values of placeholders that the catalog can't know: `scvmm_server`, a key vault's name, ..."""
    web: Web = field(default_factory=Web)
    state: StateKeep = field(default_factory=StateKeep)
    alerting: Alerting = field(default_factory=Alerting)
    notify: Notify = field(default_factory=Notify)
    only: tuple[str, ...] = ()
    """Patterns of `--only`: probe just the endpoints whose id, pattern or host matches one."""
    only_failed: FailedBefore | None = None
    """Probe just what failed then."""
    environment: tuple[str, ...] = ()
    """Warnings about the proxy variables of the environment, if they are used."""
    variables: tuple[str, ...] = ()
    """The environment variables that set flags."""
    warnings: tuple[str, ...] = ()
    """Settings that are allowed and probably not meant."""
    digest: str = ""
    """SHA-256 of the configuration as read, without secrets."""

    @property
    def chosen_site(self) -> str | None:
        """The site that the operator names, by its key, its flag or a label of alerts; None: by none."""
        return self.site or self.alerting.site or None

    @property
    def added_endpoints(self) -> tuple[Endpoint, ...]:
        """The rows that are not the catalog's: those of this host, and the operator's own."""
        return (*self.host.endpoints, *self.endpoints)

    @property
    def proxies(self) -> tuple[Proxy, ...]:
        """Every proxy that a probe may go through."""
        some = (self.proxy, self.plain_proxy, *(one.proxy for one in self.routes))
        return tuple(one for one in some if one is not None)
