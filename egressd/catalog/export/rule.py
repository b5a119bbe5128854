"""One firewall rule to request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from egressd.model.endpoint import Direction, Need
from egressd.wording import port_range


class Leg(StrEnum):
    """Which part of the way a rule is for: all of it, that to a proxy, or that from the proxy on.

    What an Azure Arc gateway forwards needs no rule of its own: it is listed to say so.
    """

    DIRECT = "direct"
    TO_PROXY = "to-proxy"
    FROM_PROXY = "from-proxy"
    BY_GATEWAY = "by-gateway"


@dataclass(slots=True, kw_only=True)
class FirewallRule:
    """One rule: all rows with the same destination, port, transport and leg, whatever roles need them."""

    leg: Leg = Leg.DIRECT
    proxy: str = ""
    """The URL of the proxy that the leg goes to or from, or of the gateway that forwards; empty: none."""
    roles: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """Addresses the roles' probes leave from; empty if the operator gave none."""
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
    services: list[str] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    endpoints: list[str] = field(default_factory=list)

    @property
    def ports(self) -> str:
        """The port or the range, as firewalls write it; empty with ICMP."""
        return port_range(self.port, self.last_port)
