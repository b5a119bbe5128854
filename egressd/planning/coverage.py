"""How every wildcard is sampled: by which hosts, and what they can't prove."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.model.endpoint import SampleKind
from egressd.model.plan import Coverage, Target
from egressd.planning.expand import Expansion


def coverage(expansions: Iterable[Expansion], targets: Iterable[Target]) -> tuple[Coverage, ...]:
    """Return a line per wildcard, counting the targets that are really probed."""
    by_endpoint: dict[str, list[Target]] = {}
    for target in targets:
        by_endpoint.setdefault(target.endpoint, []).append(target)
    return tuple(
        _line(one, by_endpoint.get(one.row.endpoint.id, []))
        for one in expansions
        if one.row.endpoint.is_wildcard
    )


def _line(one: Expansion, targets: list[Target]) -> Coverage:
    kinds = tuple(dict.fromkeys(target.sample for target in targets))
    hosts = tuple(target.host for target in targets if target.sample is not SampleKind.RANDOM)
    return Coverage(
        endpoint=one.row.endpoint.id,
        pattern=one.pattern,
        kinds=kinds,
        hosts=hosts,
        note="; ".join(one.notes) if targets else one.why,
    )
