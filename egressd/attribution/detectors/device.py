"""Which targets the same device breaks, and an id for it that no peer can choose.

A resolver and a proxy are configured: their addresses are identities. The name of a signing authority and the
sender of an ICMP error are the peer's to choose, for each connection anew. They show that two places have one
device behind them, and they are shown; the cause is identified by the place that it was met at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from msgspec import Struct

from egressd.attribution.blame.parties import FAR_END
from egressd.attribution.detectors.detector_input import DetectorInput
from egressd.attribution.facts.stats import DIRECT
from egressd.attribution.target_judgement import TargetJudgement, device_of, is_named_by_peer
from egressd.attribution.trail_judgement import Match
from egressd.wording import name_first


class DeviceGroup(Struct, frozen=True, kw_only=True):
    """Targets that one device breaks."""

    key: str
    """What tells it from others that break targets in the same way; chosen by no peer."""
    shown: str
    """What is known of the device, for people."""
    judgements: tuple[TargetJudgement, ...]


def group_by_device(inputs: DetectorInput, judgements: Iterable[TargetJudgement]) -> list[DeviceGroup]:
    """Group judgements of one kind by the device that causes them."""
    configured: defaultdict[str, list[TargetJudgement]] = defaultdict(list)
    met: defaultdict[tuple[str, ...], list[TargetJudgement]] = defaultdict(list)
    for one in sorted(judgements, key=lambda one: (one.target.id, one.source)):
        match = one.deciding_match
        if match is None:
            continue
        if is_named_by_peer(match):
            met[_place(inputs, one, match)].append(one)
        else:
            configured[device_of(match)].append(one)
    known = [DeviceGroup(key=key, shown=key, judgements=tuple(some)) for key, some in configured.items()]
    groups = [*known, *(_group(places, some) for places, some in _merged(met))]
    return sorted(groups, key=lambda one: one.key)


def _place(inputs: DetectorInput, one: TargetJudgement, match: Match) -> tuple[str, ...]:
    """Return where a device was met: at a source and path, or, where the far end did it, at its host."""
    if inputs.verdict(one).blame in FAR_END:
        return (one.target.shown_host,)
    path = match.context.trail.path
    return (one.source,) if path == DIRECT else (one.source, path)


def _merged(
    met: dict[tuple[str, ...], list[TargetJudgement]],
) -> Iterator[tuple[list[tuple[str, ...]], list[TargetJudgement]]]:
    """Yield the places that one device is behind, and its judgements: they share a name or a key."""
    left = {place: {name for one in some for name in _marks(one)} for place, some in sorted(met.items())}
    marked: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for place, names in left.items():
        for name in names:
            marked[name].append(place)
    for first in tuple(left):
        if first not in left:
            continue
        places, names = [first], left.pop(first)
        while more := sorted({place for name in names for place in marked[name] if place in left}):
            places += more
            names = set[str]().union(*(left.pop(place) for place in more))
        yield places, [one for place in places for one in met[place]]


def _marks(one: TargetJudgement) -> Iterator[str]:
    """Yield what shows that a device is the same: its name, and the key it signs with."""
    match = one.deciding_match
    if match is not None:
        yield device_of(match)
        if match.context.authority:
            yield match.context.authority


def _group(places: list[tuple[str, ...]], some: list[TargetJudgement]) -> DeviceGroup:
    names = sorted({device_of(one.deciding_match) for one in some if one.deciding_match is not None})
    return DeviceGroup(key=" ".join(places[0]), shown=name_first(names), judgements=tuple(some))
