"""The catalog: profiles, endpoints, regions and discovery calls."""

from __future__ import annotations

from msgspec import Struct

from egressd.model.endpoint import Cloud, Endpoint


class Inclusion(Struct, frozen=True, kw_only=True):
    """What an included profile depends on: without it, nothing of it is required."""

    profile: str
    feature: str
    condition: str
    """The same in words."""


class Profile(Struct, frozen=True, kw_only=True):
    """The endpoints of one product."""

    name: str
    title: str
    summary: str
    audience: str | None = None
    """Who needs it, in one line."""
    includes: tuple[str, ...] = ()
    """Profiles whose endpoints this product needs as well."""
    include_conditions: tuple[Inclusion, ...] = ()
    """What some of these depend on."""
    offline_limit_days: int | None = None
    """Days the product may be offline before it can't recover; None if no limit is documented."""
    regions: tuple[tuple[Cloud, tuple[str, ...]], ...] = ()
    """The regions that a document names for the product, by cloud; a cloud that is left out isn't limited."""

    @property
    def includes_by_feature(self) -> tuple[tuple[str, str | None], ...]:
        """The included profiles, each with the feature it depends on, if any."""
        features = {one.profile: one.feature for one in self.include_conditions}
        return tuple((name, features.get(name)) for name in self.includes)

    def regions_in(self, cloud: Cloud) -> tuple[str, ...] | None:
        """Return the regions of a cloud in which the product is offered; None if no document lists them."""
        return next((names for one, names in self.regions if one is cloud), None)


class Feature(Struct, frozen=True, kw_only=True):
    """A part of a product that not everybody uses; conditional rows depend on it."""

    name: str
    title: str


class Region(Struct, frozen=True, kw_only=True):
    """An Azure region and the short codes services use for it; None if not documented."""

    name: str
    cloud: Cloud
    his: str | None = None
    """Hybrid identity service: `weu` in `weu.his.arc.azure.com`."""
    gas: str | None = None
    """Guest configuration service: `we` in `we-agentservice-...`."""
    values: tuple[tuple[str, str], ...] = ()
    """Other placeholders of the region, e.g. `appliance` = `scus`."""

    @property
    def codes(self) -> dict[str, str]:
        """What the region's placeholders stand for: its name, and every code that is documented."""
        documented = {"his": self.his, "gas": self.gas}
        known = {key: code for key, code in documented.items() if code is not None}
        return {"region": self.name, **known, **dict(self.values)}


class DiscoveryCall(Struct, frozen=True, kw_only=True):
    """A documented HTTPS call that expands a wildcard at plan time."""

    name: str
    cloud: Cloud
    host: str
    path: str
    """With `{region}`."""
    answer: str
    """How to read it: `json-hosts` (an array of host names) or `his-region` (a regional host)."""


class Discovery(Struct, frozen=True, kw_only=True):
    """The result of a discovery call; no hosts and a note if it failed."""

    name: str
    hosts: tuple[str, ...]
    note: str = ""


class Catalog(Struct, frozen=True, kw_only=True):
    """Profiles, endpoints and regions, in file order."""

    revision: str
    """The date of the documents the rows were read from."""
    digest: str
    """SHA-256 over the data files."""
    profiles: tuple[Profile, ...]
    endpoints: tuple[Endpoint, ...]
    regions: tuple[Region, ...]
    discoveries: tuple[DiscoveryCall, ...]
    features: tuple[Feature, ...] = ()

    def region(self, name: str, cloud: Cloud) -> Region | None:
        """Return a region of a cloud by its name, or None."""
        return next((one for one in self.regions if one.name == name and one.cloud is cloud), None)
