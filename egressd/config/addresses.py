"""Addresses that a configuration names or leads to, and those of them that the appliance uses itself.

The bridge's appliance has networks of its own inside. From there nothing else is reached at them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from egressd.model.settings import Resolver, Settings

BRIDGE_PROFILES = frozenset({"resource-bridge", "scvmm", "vmware", "azure-local"})
PODS = IPv4Network("10.244.0.0/16")
SERVICES = IPv4Network("10.96.0.0/24")
OLD_SERVICES = IPv4Network("10.96.0.0/12")
RESERVED = (
    (PODS, "the appliance's pods"),
    (SERVICES, "the appliance's services"),
    (OLD_SERVICES, "the services of an appliance before 1.8"),
)


class NamedPlace(Struct, frozen=True, kw_only=True):
    """A host that the configuration names, and what it is there."""

    what: str
    host: str
    """A name or an address."""


def concerns_appliance(settings: Settings) -> bool:
    """Return whether a product with an appliance is configured."""
    return bool(BRIDGE_PROFILES & set(settings.profiles))


def places_of(settings: Settings) -> tuple[NamedPlace, ...]:
    """Return every host that the configuration names: sources, resolvers, proxies, values and endpoints."""
    proxies = [one for one in (settings.proxy, settings.plain_proxy) if one is not None]
    found = [
        *(_place(f"source {one.name}", one.address) for one in settings.sources),
        *(_place(f"resolver {one.name}", one.address) for one in settings.resolvers),
        *(_place(f"proxy {one.url}", urlsplit(one.url).hostname) for one in proxies),
        *(_place(f"values.{name}", value) for name, value in settings.values),
        *(_place(f"endpoint {one.id}", one.pattern) for one in settings.endpoints if "*" not in one.pattern),
    ]
    return tuple(one for one in found if one.host)


def resolver_places(nameservers: Iterable[Resolver]) -> tuple[NamedPlace, ...]:
    """Return the nameservers that this host is configured with."""
    return tuple(_place("nameserver of this host", one.address) for one in nameservers)


def _place(what: str, host: str | None) -> NamedPlace:
    return NamedPlace(what=what, host=host or "")


def names_of(places: Iterable[NamedPlace]) -> tuple[str, ...]:
    """Return the names among the hosts, each once."""
    return tuple(dict.fromkeys(one.host for one in places if _address(one.host) is None and "." in one.host))


def reserved_addresses(
    places: Iterable[NamedPlace], resolved: Mapping[str, tuple[str, ...]] | None = None
) -> Iterator[str]:
    """Yield a warning for each address in a network that the appliance uses itself.

    `resolved` has the addresses of names, where they were looked up.
    """
    for place in places:
        for address in (place.host, *(resolved or {}).get(place.host, ())):
            taken = _reserved_network(address)
            if taken is not None:
                network, whose = taken
                leads = "" if address == place.host else f"{place.host} resolves to "
                yield (
                    f"{place.what}: {leads}{address} lies in {network}, which is taken by {whose}; "
                    "from inside the appliance it can't be reached"
                )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _reserved_network(text: str) -> tuple[IPv4Network, str] | None:
    address = _address(text)
    if not isinstance(address, IPv4Address):
        return None
    return next(((network, whose) for network, whose in RESERVED if address in network), None)
