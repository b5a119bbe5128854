"""A file of policies: one for each set of sources, and one that lets names be looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from egressd.firewall.languages.devices.choice import FROM_NAMES, Entry, Omitted, choose, is_ip
from egressd.firewall.languages.devices.comments import as_comments
from egressd.firewall.languages.devices.kubernetes.sources import by_sources, describe, dump
from egressd.firewall.languages.devices.names import Names
from egressd.firewall.languages.language import Wildcards
from egressd.firewall.rule import FirewallRule
from egressd.model.endpoint import Direction

LONGEST_NAME = 253

MakePolicy = Callable[[Names, tuple[str, ...], Sequence[Entry]], Mapping[str, object]]


def choose_entry(rule: FirewallRule, wildcards: Wildcards) -> Entry | Omitted:
    """Return how a rule is said; what comes in can't be told by name."""
    found = choose(rule, wildcards)
    if isinstance(found, Entry) and rule.direction is Direction.INBOUND and not is_ip(rule.destination):
        return Omitted(rule=rule, why=FROM_NAMES)
    return found


def write_policies(
    found: Sequence[Entry | Omitted],
    introduction: Sequence[str],
    *,
    policy: MakePolicy,
    lookups: Mapping[str, object],
) -> str:
    """Write one policy for each set of sources, and `lookups` first where a rule has a name."""
    groups = by_sources(one for one in found if isinstance(one, Entry))
    lines = [*as_comments("#", introduction)]
    if groups:
        lines += as_comments("#", describe(tuple(groups)))
    names = Names(LONGEST_NAME, prefix="egressd-")
    documents = [policy(names, key, some) for key, some in groups.items()]
    if any(not is_ip(name) for some in groups.values() for one in some for name in one.names):
        documents.insert(0, lookups)
    return "\n".join([*lines, *dump(documents)]) + "\n"
