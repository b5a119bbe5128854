"""Which service tags have an address: a fact about ranges, and no proof that a rule exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_network

from egressd.attribution.facts.address import AddressKind, is_nat64, parse_ip
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.plan import Plan, Target
from egressd.model.recording import Trail
from egressd.model.settings import ServiceTag, ServiceTags

_BITS = {4: 32, 6: 128}


@lru_cache(maxsize=256)
def _networks(prefixes: tuple[str, ...]) -> Mapping[tuple[int, int], frozenset[int]]:
    """Return networks as numbers, by IP version and prefix length."""
    found: dict[tuple[int, int], set[int]] = {}
    for one in map(ip_network, prefixes):
        numbers = found.setdefault((one.version, one.prefixlen), set())
        numbers.add(int(one.network_address) >> (_BITS[one.version] - one.prefixlen))
    return {key: frozenset(numbers) for key, numbers in found.items()}


def covers(tag: ServiceTag, address: str) -> bool | None:
    """Whether a tag has an address; None where the tag says nothing about its family."""
    one = parse_ip(address)
    if one is None:
        return None
    lengths = {key: numbers for key, numbers in _networks(tag.prefixes).items() if key[0] == one.version}
    if not lengths:
        return None
    return any(
        int(one) >> (_BITS[version] - length) in numbers for (version, length), numbers in lengths.items()
    )


def tags_with(tags: ServiceTags | None, names: Iterable[str], address: str) -> tuple[str, ...]:
    """Return those of the names whose tag has an address, in their order."""
    asked = tuple(names) if tags is not None else ()
    found = zip(asked, tags.named(asked), strict=True) if tags is not None else ()
    return tuple(name for name, tag in found if tag is not None and covers(tag, address))


def tag_of(plan: Plan, target: Target, trails: Iterable[Trail]) -> str | None:
    """Return the tag of a target's row that has the addresses seen, or most of them; None where none has.

    Behind a proxy the addresses are not known.
    """
    seen = {one.address for one in trails if one.address and not one.redirected and one.path == DIRECT}
    names = target.service_tags
    having = [name for address in seen for name in tags_with(plan.service_tags, names, address)]
    return max(names, key=having.count) if having else None


def outside_its_tags(context: TrailContext) -> bool:
    """Whether a server that proved its name has an address in no range of its row's tags.

    Nothing is said where a tag is not in the file, or has no ranges of the family.
    """
    tags, names = context.index.recording.plan.service_tags, context.target.service_tags
    address = context.trail.address
    tls = context.tls
    proven = context.public_tls and tls is not None and tls.facts is not None
    if tags is None or not names or address is None or not proven:
        return False
    elsewhere = context.proxied or context.random or context.trail.redirected or is_nat64(address)
    if elsewhere or context.index.kind_of_address(address) is not AddressKind.ORDINARY:
        return False
    return all(one is not None and covers(one, address) is False for one in tags.named(names))
