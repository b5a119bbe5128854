"""Which pods a policy is for: those with a label that names their source."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

import yaml

from egressd.firewall.languages.devices.choice import Entry, is_ip
from egressd.firewall.languages.devices.names import Names

LABEL = "egressd-source"
_LONGEST_VALUE = 63

Groups = dict[tuple[str, ...], list[Entry]]
"""Entries by the values of the label, one of which a pod must have; without any, all that have the label."""


def by_sources(entries: Iterable[Entry]) -> Groups:
    """Return the entries by their sources: an address stands for itself, with hyphens for colons."""
    values = Names(_LONGEST_VALUE, prefix="")
    groups: Groups = {}
    for one in entries:
        key = tuple(values.name(_spelled(source)) for source in sorted(set(one.rule.sources)))
        groups.setdefault(key, []).append(one)
    return groups


def dump(documents: Sequence[object]) -> Iterator[str]:
    """Yield the lines of a file of documents; without any, a list with nothing in it."""
    for one in documents or [{"apiVersion": "v1", "kind": "List", "items": []}]:
        yield "---"
        yield yaml.safe_dump(one, sort_keys=False, width=10**6).rstrip("\n")


def describe(groups: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Say which labels the pods must have."""
    values = dict.fromkeys(value for some in groups for value in some)
    lines = [f"Sources are labels here, not addresses: label the pods of each source with {LABEL}=..."]
    if values:
        lines.append(f"The values are {', '.join(values)}")
    if any(not some for some in groups):
        lines.append(f"Where no source is known, a rule is for all pods with the label {LABEL}")
    return tuple(lines)


def _spelled(source: str) -> str:
    """Write an IPv6 address in full, so that no two look alike without their colons."""
    return ipaddress.ip_address(source).exploded.replace(":", "-") if is_ip(source) else source
