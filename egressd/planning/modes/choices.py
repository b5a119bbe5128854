"""Names of choices: rows of which one that works is enough."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from egressd.model.endpoint import Endpoint
from egressd.model.plan import AT_HOST
from egressd.planning.expand import Expansion


class Choices(Struct, frozen=True):
    """Which choices are made at each host anew."""

    per_host: frozenset[str] = frozenset()

    def of_host(self, endpoint: Endpoint, host: str) -> str | None:
        """Return the choice that a host of a row belongs to."""
        name = choice_of_row(endpoint)
        return f"{name}{AT_HOST}{host}" if name in self.per_host else name


def choice_of_row(endpoint: Endpoint) -> str | None:
    """Return the choice that a row belongs to; names of different profiles are different choices."""
    if endpoint.one_of is None:
        return None
    return f"{endpoint.profile}/{endpoint.one_of}" if endpoint.profile else endpoint.one_of


def name_choices(expansions: Iterable[Expansion]) -> Choices:
    """Find the choices whose rows are ways to the same hosts: of two update servers, each must be reached."""
    patterns: dict[str, set[str]] = {}
    hosts: dict[str, set[str]] = {}
    for one in expansions:
        name = choice_of_row(one.row.endpoint)
        if name is not None:
            patterns.setdefault(name, set()).add(one.row.endpoint.pattern)
            hosts.setdefault(name, set()).update(sample.host for sample in one.samples)
    same = (name for name, found in patterns.items() if len(found) == 1 and "*" not in next(iter(found)))
    return Choices(per_host=frozenset(name for name in same if len(hosts[name]) > 1))
