"""The plan inside a JSON report, without what stands elsewhere in it and without credentials."""

from __future__ import annotations

from msgspec import Struct

from egressd.model.plan import ControlPlan, Coverage, Probe, Unsampled
from egressd.model.settings import Limits, Resolver, ServiceTags, Source, Traffic, Trust


class ProbeEntry(Probe, frozen=True, kw_only=True):
    """A probe; if it has no trails, `skipped` or `bug` gives the reason."""

    skipped: str = ""
    bug: str = ""


class ProxyEntry(Struct, frozen=True, kw_only=True):
    """The proxy without credentials."""

    url: str
    bypass: tuple[str, ...]
    ca_file: str | None = None
    carries: tuple[Traffic, ...] = tuple(Traffic)
    origin: str = ""


class RouteEntry(Struct, frozen=True, kw_only=True):
    """A way of some targets besides the configured path; no proxy: directly."""

    name: str
    proxy: ProxyEntry | None
    why: str


class PlanEntry(Struct, frozen=True, kw_only=True):
    """The rest of the plan, which judging again needs besides the targets."""

    site: str | None = None
    """The host's place in a fleet; null: an older version wrote the report."""
    region: str | None
    cloud: str
    sources: tuple[Source, ...]
    resolvers: tuple[Resolver, ...]
    trust: Trust
    limits: Limits
    proxy: ProxyEntry | None
    plain_proxy: ProxyEntry | None = None
    arc_gateway: str | None = None
    routes: tuple[RouteEntry, ...] = ()
    probes: tuple[ProbeEntry, ...]
    controls: tuple[ControlPlan, ...]
    unsampled: tuple[Unsampled, ...]
    coverage: tuple[Coverage, ...]
    notes: tuple[str, ...]
    strict: bool = False
    private_link: bool | None = None
    """Whether an Azure Arc private link scope is in use, as configured; null: it is not known."""
    service_tags: ServiceTags | None = None
    """The address ranges of the targets' service tags; null: no file of them was given."""
