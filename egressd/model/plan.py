"""The plan of a sweep: targets, probes and controls. It is made without network access."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct, field

from egressd.model.endpoint import Expect, GatewayUse, Inspection, Need, Protocol, Role, SampleKind
from egressd.model.settings import (
    ConnectTo,
    Family,
    Limits,
    ProbeRoute,
    Proxy,
    Resolver,
    ServiceTags,
    Source,
    Trust,
    proxy_for,
)

AT_HOST = " at "
"""Stands between a choice and its host, where rows are ways to the same hosts and each must offer one."""


class Target(Struct, frozen=True, kw_only=True):
    """An endpoint with a concrete host and port: nothing left to expand.

    Targets with the same host, port and protocol share one probe; each is reported separately.
    """

    id: str
    """Stable between sweeps: `<endpoint id>/<host>:<port>`, with `*` as the host of a random sample."""
    endpoint: str
    profiles: tuple[str, ...]
    service: str
    pattern: str
    sample: SampleKind
    host: str
    port: int
    protocol: Protocol
    need: Need
    condition: str | None = None
    roles: tuple[Role, ...] = ()
    path: str = "/"
    expect: Expect = field(default_factory=Expect)
    inspection: Inspection = Inspection.TOLERATED
    private_link: bool = False
    internal: bool = False
    owned: bool | None = None
    """Whether the operator runs the server: no catalog row covers it. None: a report that does not say."""
    route: str | None = None
    """The route it takes; None: the configured path."""
    one_of: str | None = None
    """The choice of rows it belongs to, of which one that works is enough: profile and name."""
    gateway: GatewayUse | None = None
    """What the Azure Arc gateway in use means for it; None: none is in use, or the row is the operator's."""
    row_need: Need | None = None
    """The need of the row, where the target's is less because its name proves nothing; None: the same."""
    deep: bool = False
    """Whether the `*` of the pattern covers several labels."""
    last_port: int | None = None
    """The last port of the row's range; None if there is one port only."""
    service_tags: tuple[str, ...] = ()
    """Azure service tags that cover it, where a document says so."""

    @property
    def asked_need(self) -> Need:
        """The need that a rule for it has."""
        return self.row_need or self.need

    @property
    def is_proof(self) -> bool:
        """Whether it can decide anything: a random label need not exist, nor a name that egressd derived."""
        return self.sample.is_proof

    @property
    def shown_host(self) -> str:
        """The host in labels and titles: of a random label, which is another each hour, the pattern."""
        return self.pattern if self.sample is SampleKind.RANDOM else self.host

    @property
    def destination(self) -> str:
        """The name to ask a rule for: the wildcard of its row, else the host."""
        return self.pattern if "*" in self.pattern or self.sample is SampleKind.RANDOM else self.host

    @property
    def is_own(self) -> bool:
        """Whether the operator runs the server, as far as is known: Azure is never to blame for it."""
        return self.owned if self.owned is not None else self.internal or self.sample is SampleKind.GIVEN


class Probe(Struct, frozen=True, kw_only=True):
    """One host, port and protocol to probe, from one source, along one path."""

    id: str
    host: str
    """The host name: looked up, sent as SNI, and sent as `Host`."""
    port: int
    protocol: Protocol
    source: str
    """The name of the source it leaves from."""
    targets: tuple[str, ...]
    """Ids of the targets it decides."""
    url_path: str = "/"
    expect: Expect = field(default_factory=Expect)
    route: str | None = None
    """The route it takes; None: the configured path."""
    via_proxy: bool = False
    """Whether it goes through a proxy: that of its route, or the configured one."""
    bypassed_by: str = ""
    """The entry of the proxy's bypass list that matches the host; empty: none."""
    contrast: bool = False
    """Whether it only shows the result of the other path (direct or proxy): it decides no target."""
    connect_to: ConnectTo | None = None
    siblings: tuple[str, ...] = ()
    """Hosts whose addresses are used instead, as the host itself need not exist (random labels)."""


class ControlKind(StrEnum):
    """The kinds of controls: small probes with a known correct result, or that of another probe."""

    TESTNET_TCP = "testnet_tcp"
    """Connect to 192.0.2.1:443 (RFC 5737): success proves that a device accepts every connection."""
    TESTNET_DNS = "testnet_dns"
    """Send a DNS query to 192.0.2.53: an answer proves that port 53 is intercepted."""
    SIBLING_NAME = "sibling_name"
    """Look up a random label in the zone of a failed name: is it the name or the zone?"""
    KNOWN_NAME = "known_name"
    """Look up a name that must exist at the resolver that failed: is it the name or the resolver?"""
    DNS_TCP = "dns_tcp"
    """Send the same DNS query over TCP."""
    OTHER_RESOLVER = "other_resolver"
    """Send the same DNS query to another configured resolver."""
    DNS_REPEAT = "dns_repeat"
    """Send the same DNS query again, later and with more patience: slow, or silent?"""
    OTHER_FAMILY = "other_family"
    """Look the name up for the other address family: does it exist in that one only?"""
    SNI_CONTRAST = "sni_contrast"
    """Send another SNI to the address that failed: is it the name or the address?"""
    ADDRESS_CONTRAST = "address_contrast"
    """Send the failed SNI to an address that works for another name."""
    PORT_CONTRAST = "port_contrast"
    """Connect to the same address on port 443 instead of 80, or the reverse."""
    SMALL_MSS = "small_mss"
    """Repeat with TCP_MAXSEG 1200, then 536: do smaller segments get through?"""
    LARGE_HELLO = "large_hello"
    """Send a ClientHello of post-quantum size (two segments) where a small one was answered."""
    SMALL_HELLO = "small_hello"
    """Send a ClientHello of one segment where a large one was not answered."""
    SPLIT_HELLO = "split_hello"
    """Send a small ClientHello in two segments; only where the configuration allows it."""
    NO_SNI = "no_sni"
    """Send a ClientHello without a server name where one with a name was answered."""
    SNI_LAST = "sni_last"
    """Send a large ClientHello with the server name as its last extension."""
    HOPS = "hops"
    """Send SYN and ClientHello with a rising TTL: at which hop does the failure begin? Only where allowed."""
    REVOCATION = "revocation"
    """Fetch a URL that a received chain names for CRL, OCSP or issuer."""
    REDIRECT = "redirect"
    """Follow a redirect to another host, as programs do: does what it leads to answer?"""
    HTTP1 = "http1"
    """Send the same request over HTTP/1.1, where HTTP/2 was agreed on and failed."""
    LOOK_INSIDE = "look_inside"
    """Send `GET /` in a session whose chain did not verify: a block page, or TLS inspection only?"""
    REPEAT = "repeat"
    """Run the same probe again, until it works or was tried often enough: one failure proves nothing."""
    KNOWN_GOOD = "known_good"
    """Probe what was reached before, where only what failed is probed again: is it everything that fails?"""
    CLOCK = "clock"
    """One NTP reply or HTTP `Date` header, to check this host's clock."""


ELSEWHERE_CONTROLS = frozenset(
    {
        ControlKind.SIBLING_NAME,
        ControlKind.KNOWN_NAME,
        ControlKind.OTHER_RESOLVER,
        ControlKind.DNS_REPEAT,
        ControlKind.OTHER_FAMILY,
        ControlKind.TESTNET_DNS,
        ControlKind.ADDRESS_CONTRAST,
        ControlKind.REDIRECT,
    }
)
"""Controls that go to another address than the trail they are run for."""
SYNTHETIC_CONTROLS = frozenset(
    {
        ControlKind.TESTNET_TCP,
        ControlKind.TESTNET_DNS,
        ControlKind.LARGE_HELLO,
        ControlKind.SMALL_HELLO,
        ControlKind.SPLIT_HELLO,
        ControlKind.NO_SNI,
        ControlKind.SNI_LAST,
        ControlKind.HOPS,
        ControlKind.REVOCATION,
        ControlKind.REDIRECT,
    }
)
"""Controls whose traffic no program sends: their connects are no evidence about connects in general."""


class ControlPlan(Struct, frozen=True, kw_only=True):
    """A control to run. `subject` is the id of the probe it is for; empty: the whole sweep."""

    id: str
    kind: ControlKind
    source: str
    why: str
    """One line: which explanations it tells apart."""
    subject: str = ""
    host: str = ""
    """The name to look up, or the SNI to send."""
    address: str | None = None
    """The address to connect to or the resolver to query; None: every resolver is queried."""
    port: int = 443
    protocol: Protocol = Protocol.TCP
    resolver: str | None = None
    family: Family = Family.IPV4
    """The type of address to look up."""
    max_segment: int | None = None
    tunnel: str = ""
    """`host:port` for CONNECT; then `address` is the proxy's. Empty: no proxy is used."""
    url: str = ""
    """What to fetch from `host` and `port`."""
    route: str | None = None
    """The route of the fetch; None: the configured path."""
    via_proxy: bool = False
    """Whether programs on this host would fetch the URL through a proxy."""
    connect_to: ConnectTo | None = None
    """Another address to connect to for the URL."""
    private: bool = False
    """Whether the URL may lead into the operator's network: their own endpoint there names it."""
    tries: int = 1
    """The most tries of a repeat, which ends with the first that works; the most rounds of a contrast."""
    quick: bool = False
    """Whether it is expected to end at once: what it repeats was ended by an answer."""


class Unsampled(Struct, frozen=True, kw_only=True):
    """An endpoint without a target, and why."""

    endpoint: str
    pattern: str
    need: Need
    why: str
    feature: str | None = None
    """The feature that is not in use, for which it is left out."""
    lacks: tuple[str, ...] = ()
    """What the operator could give so that it is probed: `region`, or keys of `values`."""
    one_of: str | None = None
    """The choice of rows it belongs to."""


class Coverage(Struct, frozen=True, kw_only=True):
    """The samples that represent one pattern."""

    endpoint: str
    pattern: str
    kinds: tuple[SampleKind, ...]
    hosts: tuple[str, ...]
    note: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """The plan of a sweep. The same inputs give the same plan, in the same order."""

    site: str | None = None
    """The host's place in a fleet; None: the host's name is its site."""
    region: str | None
    cloud: str
    catalog_revision: str
    catalog_digest: str
    config_digest: str
    targets: tuple[Target, ...]
    probes: tuple[Probe, ...]
    controls: tuple[ControlPlan, ...]
    sources: tuple[Source, ...]
    resolvers: tuple[Resolver, ...]
    trust: Trust
    limits: Limits
    proxy: Proxy | None = None
    plain_proxy: Proxy | None = None
    """The proxy for plain HTTP, where it is another one."""
    arc_gateway: str | None = None
    """The host of the Azure Arc gateway in use."""
    routes: tuple[ProbeRoute, ...] = ()
    """The routes that targets take besides the configured path."""
    unsampled: tuple[Unsampled, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    notes: tuple[str, ...] = ()
    """Notes for the reader of a plan: discovery calls that failed, skipped rows, ..."""
    strict: bool = False
    """Whether a degraded required target fails the sweep."""
    private_link: bool | None = None
    """Whether an Azure Arc private link scope is in use; None: it is not known."""
    service_tags: ServiceTags | None = None
    """The address ranges of its targets' service tags; None: no file of them is given."""

    def proxy_of(self, probe: Probe) -> Proxy | None:
        """Return the proxy that a probe would be sent to, by its route or as configured; None: direct."""
        if probe.route is None:
            return proxy_for(probe.protocol, self.plain_proxy, self.proxy)
        return proxy_for(probe.protocol, self.route(probe.route).proxy)

    def route(self, name: str) -> ProbeRoute:
        """Return a route of the plan by its name."""
        return next(one for one in self.routes if one.name == name)

    def path_of(self, probe: Probe) -> str:
        """Return the path of a probe: `direct`, or the proxy as `scheme://host:port`."""
        proxy = self.proxy_of(probe) if probe.via_proxy else None
        return proxy.url if proxy is not None else "direct"
