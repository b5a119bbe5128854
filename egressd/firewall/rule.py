"""One firewall rule to request."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from msgspec import Struct, field

from egressd.model.endpoint import NEEDS_BY_STRENGTH, Direction, Inspection, Need, Protocol
from egressd.model.verdict import Confidence, Team
from egressd.wording import port_range


class Leg(StrEnum):
    """Which part of the way a rule is for: all of it, that to a proxy, the proxy itself, or from it on.

    What an Azure Arc gateway forwards needs no rule of its own: it is listed to say so.
    """

    DIRECT = "direct"
    TO_PROXY = "to-proxy"
    AT_PROXY = "at-proxy"
    """What the proxy's own policy must let through."""
    FROM_PROXY = "from-proxy"
    BY_GATEWAY = "by-gateway"


class Action(StrEnum):
    """What a rule asks of a device."""

    ALLOW = "allow"
    EXEMPT = "exempt"
    """No TLS inspection."""
    RESOLVE = "resolve"
    """Answer DNS queries for the name as public DNS does."""


class FirewallRule(Struct, kw_only=True):
    """One rule: all rows with the same destination, port, transport and leg, whatever roles need them."""

    action: Action = Action.ALLOW
    team: Team = Team.FIREWALL
    """Who can add it."""
    confidence: Confidence | None = None
    """How sure it is that this is what a failure wants; None: it comes from a plan."""
    leg: Leg = Leg.DIRECT
    proxy: str = ""
    """The URL of the proxy that the leg goes to or from, or of the gateway that forwards; empty: none."""
    roles: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """Addresses that the connections leave from; empty if none is known."""
    destination: str
    """Of an inbound rule, where connections come from."""
    port: int | None
    """The first port; None with ICMP."""
    last_port: int | None = None
    """The last port of a range; None if there is one port only."""
    transport: str = "TCP"
    direction: Direction = Direction.OUTBOUND
    protocols: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """The paths that are probed. A rule allows the whole host all the same: no document lists every path."""
    tls_inspection: str = "n/a"
    """`allowed`, `forbidden`, or `n/a` without TLS."""
    websocket: bool = False
    subdomains: str = ""
    """How far a wildcard reaches: `one label` or `any depth`; empty for a plain host."""
    need: Need = Need.OPTIONAL
    conditions: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    """What must be in use for it to count, by the names of features."""
    one_of: list[str] = field(default_factory=list)
    """Groups of rules of which one is enough."""
    gateway: list[str] = field(default_factory=list)
    """What the Azure Arc gateway in use means for it, and why; empty: none is in use."""
    service_tags: list[str] = field(default_factory=list)
    """Azure service tags that cover it, where a document names them."""
    service_tag: str | None = None
    """That of them which has the addresses seen, by Microsoft's file; None: no file is given, or none has."""
    services: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    """Hosts of a wildcard that failed, for devices that can't say the wildcard."""
    targets: list[str] = field(default_factory=list)
    """Ids of the targets that fail for want of it."""

    @property
    def is_wildcard(self) -> bool:
        """Whether the destination stands for many hosts."""
        return "*" in self.destination

    @property
    def ports(self) -> str:
        """The port or the range, as firewalls write it; empty with ICMP."""
        return port_range(self.port, self.last_port)

    def merge(self, other: FirewallRule) -> None:
        """Merge another row's rule for the same place into this one; the strictest demand wins."""
        if "forbidden" in (self.tls_inspection, other.tls_inspection):
            self.tls_inspection = "forbidden"
        elif self.tls_inspection == "n/a":
            self.tls_inspection = other.tls_inspection
        if other.subdomains == ANY_DEPTH:
            self.subdomains = ANY_DEPTH
        self.websocket |= other.websocket
        self.need = min(self.need, other.need, key=NEEDS_BY_STRENGTH.index)
        self.confidence = _surest(self.confidence, other.confidence)
        self.service_tag = self.service_tag or other.service_tag
        for name in _LISTS:
            setattr(self, name, list(dict.fromkeys([*getattr(self, name), *getattr(other, name)])))
        if self.need is Need.REQUIRED:
            self.conditions, self.features = [], []


ANY_DEPTH, ONE_LABEL = "any depth", "one label"
"""How far a wildcard reaches."""
_LISTS = (
    *("roles", "sources", "protocols", "paths", "conditions", "features", "one_of", "gateway"),
    *("service_tags", "services", "purposes", "documents", "endpoints", "hosts", "targets"),
)
_LEGS = tuple(Leg)


def merged(rules: Iterable[FirewallRule]) -> tuple[FirewallRule, ...]:
    """Return one rule per action, team, leg, destination, port, transport and direction.

    The order is that of legs, then of needs, the strictest first.
    """
    found: dict[tuple[object, ...], FirewallRule] = {}
    for new in rules:
        key = (
            new.action,
            new.team,
            new.leg,
            new.proxy,
            new.destination,
            new.ports,
            new.transport,
            new.direction,
        )
        if key in found:
            found[key].merge(new)
        else:
            found[key] = new
    return tuple(
        sorted(found.values(), key=lambda one: (_LEGS.index(one.leg), NEEDS_BY_STRENGTH.index(one.need)))
    )


def transports_of(protocol: Protocol) -> tuple[str, ...]:
    """Return the transports that a rule for a protocol names."""
    match protocol:
        case Protocol.DNS:
            return "UDP", "TCP"
        case Protocol.NTP | Protocol.UDP:
            return ("UDP",)
        case Protocol.HTTPS | Protocol.HTTP | Protocol.TLS | Protocol.WSS | Protocol.TCP:
            return ("TCP",)
        case Protocol.ICMP:
            return ("ICMP",)
        case _:
            assert_never(protocol)


def inspection_text(protocol: Protocol, inspection: Inspection) -> str:
    """Say whether TLS inspection is allowed: `allowed`, `forbidden`, or `n/a` without TLS."""
    if not protocol.encrypted:
        return "n/a"
    return "forbidden" if inspection is Inspection.FORBIDDEN else "allowed"


def _surest(*some: Confidence | None) -> Confidence | None:
    known = [one for one in some if one is not None]
    return min(known, key=list(Confidence).index, default=None)
