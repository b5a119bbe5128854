"""The plan inside a JSON report, without what stands elsewhere in it and without credentials."""

from __future__ import annotations

from dataclasses import dataclass

from egressd.model.plan import ControlPlan, Coverage, Probe, Unsampled
from egressd.model.settings import Limits, Resolver, ServiceTags, Source, Traffic, Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeEntry(Probe):
    """A probe; if it has no trails, `skipped` or `bug` gives the reason."""

    skipped: str = ""
    bug: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyEntry:
    """The proxy without credentials."""

    url: str
    bypass: tuple[str, ...]
    ca_file: str | None = None
    carries: tuple[Traffic, ...] = tuple(Traffic)
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEntry:
    """A way of some targets besides the configured path; no proxy: directly."""

    name: str
    proxy: ProxyEntry | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEntry:
    """The rest of the plan, which judging again needs besides the targets."""

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
