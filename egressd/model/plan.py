"""What will be probed, from where, and why: a value that can be read before anything is touched."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from egressd.model.endpoint import Expect, Inspection, Need, Protocol, Role, SampleKind
from egressd.model.settings import ConnectTo, Limits, Proxy, Resolver, Source, Trust, proxy_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An endpoint x a concrete host x a port: nothing left to expand.

    Several targets may share one probe (the same host and port asked for by several rows); each is
    reported on its own.
    """

    id: str
    """Stable: `<endpoint id>/<host>:<port>`; the host of a random sample is written `*`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One conversation to hold: a host, port and protocol, from one source, along one path."""

    id: str
    host: str
    """The name: looked up, sent as SNI, and sent as `Host`."""
    port: int
    protocol: Protocol
    source: str
    """The name of the source it leaves from."""
    targets: tuple[str, ...]
    """Ids of the targets it answers for."""
    url_path: str = "/"
    expect: Expect = field(default_factory=Expect)
    via_proxy: bool = False
    bypassed_by: str = ""
    """The entry of the bypass list that sends it past the proxy."""
    contrast: bool = False
    """Whether it only shows how the other path would do: it decides nothing."""
    connect_to: ConnectTo | None = None
    siblings: tuple[str, ...] = ()
    """Hosts whose addresses are borrowed because the host itself need not exist (random labels)."""


class ControlKind(StrEnum):
    """A question whose right answer is known, or known to be the same as another's."""

    TESTNET_TCP = "testnet_tcp"
    """Dial 192.0.2.1:443 (RFC 5737): a connection proves that a device accepts everything."""
    TESTNET_DNS = "testnet_dns"
    """Ask 192.0.2.53: an answer proves that port 53 is intercepted."""
    SIBLING_NAME = "sibling_name"
    """Look up a random label beside a failed name: is it the name or the zone?"""
    KNOWN_NAME = "known_name"
    """Look up a name that must exist at a resolver that failed: is it the name or the resolver?"""
    DNS_TCP = "dns_tcp"
    """Ask the same question over TCP."""
    OTHER_RESOLVER = "other_resolver"
    """Ask the same question at another configured resolver."""
    SNI_CONTRAST = "sni_contrast"
    """Send another SNI to the address that failed: is it the name or the address?"""
    ADDRESS_CONTRAST = "address_contrast"
    """Send the failed SNI to an address that works for another name."""
    PORT_CONTRAST = "port_contrast"
    """Dial the same address on 443 instead of 80, or the reverse."""
    SMALL_MSS = "small_mss"
    """Repeat with TCP_MAXSEG 1200, then 536: does a smaller segment get through?"""
    LARGE_HELLO = "large_hello"
    """Send a ClientHello of post-quantum size (two segments) where a small one was answered."""
    SMALL_HELLO = "small_hello"
    """Send a ClientHello of one segment where a large one was not answered."""
    SPLIT_HELLO = "split_hello"
    """Send a small ClientHello in two parts; only where the configuration allows it."""
    NO_SNI = "no_sni"
    """Send a ClientHello without a server name where one with a name was answered."""
    SNI_LAST = "sni_last"
    """Send a large ClientHello whose server name comes at its end."""
    HOPS = "hops"
    """Dial (and greet) with a rising TTL: at which hop does the failure begin? Only where allowed."""
    REVOCATION = "revocation"
    """Fetch a URL that a received chain names for CRL, OCSP or issuer."""
    LOOK_INSIDE = "look_inside"
    """Ask `GET /` inside a session whose forged chain was let pass: a deny page, or mere inspection?"""
    REPEAT = "repeat"
    """The same probe again: silence needs more than one try."""
    CLOCK = "clock"
    """One NTP or HTTP `Date` reading used to judge this host's clock."""


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
    }
)
"""Controls that no program would dial like that: they say nothing of how dials go in general."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlan:
    """A control to run. `subject` is the id of the probe it is asked for; empty: the whole sweep."""

    id: str
    kind: ControlKind
    source: str
    why: str
    """One line: what it will tell apart."""
    subject: str = ""
    host: str = ""
    """The name to look up, or the SNI to send."""
    address: str | None = None
    """The address to dial or the resolver to ask; None where a name is looked up at every resolver."""
    port: int = 443
    protocol: Protocol = Protocol.TCP
    resolver: str | None = None
    max_segment: int | None = None
    tunnel: str = ""
    """`host:port` to ask the proxy for; then `address` is the proxy's. Empty: no proxy is used."""
    url: str = ""
    """What to fetch, of `host` and `port`."""
    via_proxy: bool = False
    """Whether the programs would fetch the URL through the proxy."""
    connect_to: ConnectTo | None = None
    """Where to dial for the URL instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsampled:
    """An endpoint no target stands for, and why."""

    endpoint: str
    pattern: str
    need: Need
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How one pattern is represented: which kinds of sample stand for it."""

    endpoint: str
    pattern: str
    kinds: tuple[SampleKind, ...]
    hosts: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Same inputs, same plan, in the same order."""

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
    """The proxy of plain HTTP, where it is another one."""
    unsampled: tuple[Unsampled, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader of a plan should know: discovery that could not be had, skipped rows, ..."""

    def proxy_of(self, protocol: Protocol) -> Proxy | None:
        """Return the proxy that carries a protocol, if any."""
        return proxy_for(protocol, self.plain_proxy, self.proxy)

    def path_of(self, probe: Probe) -> str:
        """Return how a probe gets out: `direct`, or the proxy as `scheme://host:port`."""
        proxy = self.proxy_of(probe.protocol) if probe.via_proxy else None
        return proxy.url if proxy is not None else "direct"
