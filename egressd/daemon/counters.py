"""Counters, and the times at which profiles were reachable: one pass added. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec.structs import replace

from egressd.model.endpoint import Need
from egressd.model.observation import Phase, Timestamp
from egressd.model.plan import Plan
from egressd.model.recording import ProbeRecord
from egressd.model.snapshot import BUCKETS, Counters, Histogram
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep, deciding_outcomes


def count_results(
    counters: Counters, sweep: Sweep, *, fresh: frozenset[tuple[str, str]], probes: frozenset[str]
) -> Counters:
    """Count a pass over these probes, which answer for the targets and sources of `fresh`."""
    verdicts = {(one.target, two.source): two.verdict for one in sweep.verdicts for two in one.by_source}
    counts = {key: counters.probes.get(key, 0) + (key in fresh) for key in verdicts}
    failures = {key: count for key, count in counters.failures.items() if key[:2] in verdicts}
    for key, verdict in verdicts.items():
        if key in fresh and not verdict.outcome.reachable:
            failed = (*key, verdict.reason or "unknown")
            failures[failed] = failures.get(failed, 0) + 1
    records = (one for one in sweep.recording.records if one.probe in probes)
    return replace(
        counters,
        probes=MappingProxyType(counts),
        failures=MappingProxyType(failures),
        latency=_add(counters.latency, _durations(records)),
    )


def _durations(records: Iterable[ProbeRecord]) -> Iterator[tuple[Phase, float]]:
    """Yield how long each phase took that succeeded; what several trails share counts once."""
    for record in records:
        phases = {
            id(one): one for trail in record.trails for one in trail.observations if one.failure is None
        }
        yield from ((one.phase, one.elapsed_ms / 1000) for one in phases.values())


def _add(
    latency: Mapping[Phase, Histogram], durations: Iterable[tuple[Phase, float]]
) -> Mapping[Phase, Histogram]:
    counts = {phase: list(latency.get(phase, Histogram()).counts) for phase in Phase}
    seconds = {phase: latency.get(phase, Histogram()).seconds for phase in Phase}
    for phase, took in durations:
        counts[phase][bisect_left(BUCKETS, took)] += 1
        seconds[phase] += took
    return MappingProxyType(
        {phase: Histogram(counts=tuple(counts[phase]), seconds=seconds[phase]) for phase in Phase}
    )


def reachable_profiles(
    before: Mapping[str, Timestamp], plan: Plan, standings: Standings, *, now: Timestamp
) -> Mapping[str, Timestamp]:
    """Return when each profile of the plan was last reachable: every required target of it."""
    outcomes = {one.key: one.belief.outcome for one in standings.targets}
    deciding = deciding_outcomes(plan.targets, plan.unsampled, outcomes)
    down = {target for (target, _), outcome in deciding.items() if not outcome.reachable}
    seen = {one.target for one in standings.targets}
    found: dict[str, Timestamp] = {}
    for profile in dict.fromkeys(name for one in plan.targets for name in one.profiles):
        needed = {one.id for one in plan.targets if profile in one.profiles and one.need is Need.REQUIRED}
        if needed and needed <= seen and needed.isdisjoint(down):
            found[profile] = now
        elif profile in before:
            found[profile] = before[profile]
    return MappingProxyType(found)
