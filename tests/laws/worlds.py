"""Recordings that laws are held against, and ways to change one that must not change its verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from egressd.attribution import judge
from egressd.attribution.blame.facts import FACTS
from egressd.model.observation import Observation
from egressd.model.recording import Recording, Trail
from egressd.model.verdict import Confidence, Finding, Sweep, Verdict
from tests.attribution.cases import SCENES
from tests.attribution.recordings import NOW, Site, good

T = TypeVar("T")
SURE = (Confidence.CONFIRMED, Confidence.HIGH)
BASES: Mapping[str, Recording] = {one.name: one.build().recording() for one in SCENES}
"""One recording for each rule, by the name of its scene."""
HEALTHY = tuple(
    (f"healthy{number}.unrelated{number}.example", f"192.88.99.{number}") for number in range(1, 6)
)
"""Hosts and addresses that have nothing to do with those of the scenes."""


@cache
def judged(name: str) -> Sweep:
    """Return the sweep of a base."""
    return judge(BASES[name])


def verdicts_of(sweep: Sweep) -> dict[tuple[str, str], Verdict]:
    """Return the verdicts by target and source."""
    return {(one.target, by.source): by.verdict for one in sweep.verdicts for by in one.by_source}


def claims_of(sweep: Sweep) -> list[tuple[str, Verdict | Finding]]:
    """Return every claim of a sweep with what it is about."""
    claims: list[tuple[str, Verdict | Finding]] = [
        (f"{target}@{source}", verdict) for (target, source), verdict in verdicts_of(sweep).items()
    ]
    return claims + [(one.id, one) for one in sweep.findings]


def mapped(value: T, change: Callable[[Any], Any]) -> T:
    """Return a value with every structure and text within, the inner ones first, put through a function."""
    return _mapped(value, change)  # type: ignore[no-any-return]  # as it came


def _mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Enum):
        return value
    if isinstance(value, tuple):
        return tuple(_mapped(one, change) for one in value)
    if isinstance(value, Struct):
        inner = {name: _mapped(getattr(value, name), change) for name in value.__struct_fields__}
        changed = {name: new for name, new in inner.items() if new is not getattr(value, name)}
        return change(replace(value, **changed) if changed else value)
    return change(value) if isinstance(value, str) else value


def permuted(recording: Recording, seed: int) -> Recording:
    """Shuffle targets, probes with their records, trails, controls, findings and resolvers."""
    dice = random.Random(seed)
    plan = recording.plan

    def shuffled(items: Iterable[T]) -> tuple[T, ...]:
        known = list(items)
        dice.shuffle(known)
        return tuple(known)

    pairs = shuffled(zip(plan.probes, recording.records, strict=True))
    records = tuple(replace(record, trails=shuffled(record.trails)) for _, record in pairs)
    return replace(
        recording,
        plan=replace(plan, targets=shuffled(plan.targets), probes=tuple(probe for probe, _ in pairs)),
        records=records,
        controls=shuffled(recording.controls),
        vantage=replace(recording.vantage, resolvers=shuffled(recording.vantage.resolvers)),
    )


def with_healthy(recording: Recording, count: int) -> Recording:
    """Add targets that work, at addresses of their own, and were probed first."""
    site = Site()
    for host, address in HEALTHY[:count]:
        site.add(good(host, address), host=host)
    first = min((one.started for _, one in each_observation(recording)), default=NOW)
    more = mapped(site.recording(), lambda value: first if value == NOW else value)
    return replace(
        recording,
        plan=replace(
            recording.plan,
            targets=recording.plan.targets + more.plan.targets,
            probes=recording.plan.probes + more.plan.probes,
        ),
        records=recording.records + more.records,
    )


def healthy_targets(sweep: Sweep) -> set[str]:
    """Return the targets that work."""
    return {one.target for one in sweep.verdicts if one.verdict.reason is None and one.by_source}


def each_observation(recording: Recording) -> Iterator[tuple[Trail, Observation]]:
    """Yield every observation of a probe with its trail."""
    for record in recording.records:
        for trail in record.trails:
            for one in trail.observations:
                yield trail, one


def every_observation(recording: Recording) -> Iterator[Observation]:
    """Yield every observation of a recording, those of controls included."""
    yield from (one for _, one in each_observation(recording))
    for control in recording.controls:
        for trail in control.trails:
            yield from trail.observations


def shows_itself(claim: Verdict | Finding) -> bool:
    """Whether the blame rests on a party that shows itself in a way that no other can fake."""
    own = {one.says for one in FACTS if one.names is not None}
    return any(one.by in own for one in claim.ruled_out)


def not_above(one: Confidence | None, other: Confidence | None) -> bool:
    """Whether one confidence is at most another; None is below all."""
    order = [*Confidence, None]
    return order.index(one) >= order.index(other)
