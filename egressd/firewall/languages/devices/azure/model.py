"""Rule collections of an Azure Firewall policy, before they are written in a language."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

API_VERSION = "2024-05-01"
PRIORITY = 500


class Unknown(StrEnum):
    """Addresses that are not known: each is a parameter without a value."""

    HOSTS = "host addresses"
    PROXY = "proxy addresses"


DESCRIPTIONS = {
    Unknown.HOSTS: "Addresses of the hosts whose source address is not known",
    Unknown.PROXY: "Addresses that the proxy connects from",
}
PARAMETERS = {Unknown.HOSTS: "hostAddresses", Unknown.PROXY: "proxyAddresses"}
"""Their names in templates."""

Addresses = tuple[str, ...] | Unknown


class ApplicationRule(Struct, frozen=True, kw_only=True):
    """Hosts by SNI or Host header."""

    name: str
    description: str
    sources: Addresses
    protocols: tuple[tuple[str, int], ...]
    """`Http` or `Https`, and the port."""
    fqdns: tuple[str, ...]
    uninspected: bool = False
    """Whether TLS must not be ended on the firewall."""


class NetworkRule(Struct, frozen=True, kw_only=True):
    """Ports of addresses, of hosts that the firewall resolves, or of service tags."""

    name: str
    description: str
    sources: Addresses
    transport: str
    ports: tuple[str, ...]
    addresses: Addresses = ()
    fqdns: tuple[str, ...] = ()


PolicyRule = ApplicationRule | NetworkRule


class Collection(Struct, frozen=True, kw_only=True):
    """Rules of one kind and priority."""

    name: str
    priority: int
    rules: tuple[PolicyRule, ...]

    @property
    def is_network(self) -> bool:
        """Whether it holds network rules; a collection has one kind."""
        return isinstance(self.rules[0], NetworkRule)


class Policy(Struct, frozen=True, kw_only=True):
    """Everything to write: collections, and what was not known."""

    group: str
    """The rule collection group that the collections are in."""
    lines: tuple[str, ...]
    """What stands above the rules."""
    collections: tuple[Collection, ...]
    tags: Collection | None
    """Service tags as destinations, in a group of its own that is off until it is asked for."""

    @property
    def tag_group(self) -> str:
        """Return the name of the group of service tags."""
        return f"{self.group}-tags"

    @property
    def unknown(self) -> tuple[Unknown, ...]:
        """Return the parameters that the rules need."""
        rules = [rule for one in self.collections for rule in one.rules]
        rules += self.tags.rules if self.tags else ()
        used = {rule.sources for rule in rules}
        used |= {rule.addresses for rule in rules if isinstance(rule, NetworkRule)}
        return tuple(one for one in Unknown if one in used)
