"""The metrics pages of a fleet, as egressd writes them: one for each state of a site, with gaps.

What differs between sites and sweeps is filled in: the name, durations, counters, the time of the last sweep.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench.fleet.snapshot import SITE, Faults, site_plan, site_snapshot
from egressd.metrics.exposition import Exposition

SWEEP = 60
"""Seconds between sweeps, as egressd's default is."""
_VARIED = 4096
_FACTORS = tuple(0.7 + (number * 2_654_435_761 % 1_000_003) / 1_000_003 for number in range(_VARIED))
"""What durations are multiplied by, spread without a pattern."""
_LINE = re.compile(r"^([a-z_]+)(?:\{.*\})? (\S+)$")
_TARGET = re.compile(r'\btarget="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Moment:
    """A sweep of a site."""

    site: int
    sweep: int
    """Its number, counted from the epoch."""

    @property
    def completed(self) -> float:
        """When it was judged, in Unix seconds: each site has its own second of the minute."""
        return self.sweep * SWEEP + offset(self.site)


def offset(site: int) -> float:
    """Return at which second of a minute a site's sweep is done."""
    return site * 7.317 % SWEEP


def last_sweep(site: int, now: float) -> Moment:
    """Return the last sweep that was done."""
    return Moment(site, int((now - offset(site)) // SWEEP))


Value = Callable[[Moment, Faults], str]
"""The number of a line that differs by site and sweep."""


def _duration(line: str, number: int) -> Value:
    base = _number(line)
    return lambda at, _: f"{base * _FACTORS[(number * 31 + at.site * 17 + at.sweep) % _VARIED]:.6f}"


def _count(line: str, number: int) -> Value:
    base, step = int(_number(line)), 1 + number % 3
    return lambda at, _: str(base + at.sweep % 100_000 * step)


def _observations(line: str, _number: int) -> Value:
    return _count(line, 0)


def _completed(_line: str, _number: int) -> Value:
    return lambda at, _: f"{at.completed:.3f}"


def _last_success(line: str, _number: int) -> Value:
    target = _target(line)
    return lambda at, faults: f"{faults[target].since - SWEEP if target in faults else at.completed:.3f}"


def _failing_since(line: str, _number: int) -> Value:
    target = _target(line)
    return lambda _, faults: f"{faults[target].since:.3f}"


def _number(line: str) -> float:
    return float(line.rpartition(" ")[2])


def _target(line: str) -> str:
    return next(found[1] for found in _TARGET.finditer(line))


VARYING: Mapping[str, Callable[[str, int], Value]] = {
    "egressd_probe_phase_duration_seconds": _duration,
    "egressd_sweep_duration_seconds": _duration,
    "egressd_clock_offset_seconds": _duration,
    "egressd_probes_total": _count,
    "egressd_phase_latency_seconds_bucket": _observations,
    "egressd_phase_latency_seconds_count": _observations,
    "egressd_phase_latency_seconds_sum": _count,
    "egressd_sweep_last_completed_timestamp_seconds": _completed,
    "egressd_profile_last_reachable_timestamp_seconds": _completed,
    "egressd_target_last_success_timestamp_seconds": _last_success,
    "egressd_target_failing_since_timestamp_seconds": _failing_since,
    "process_cpu_seconds_total": _count,
    "process_resident_memory_bytes": _duration,
}
"""What differs between sites whose targets are in the same state, by the name of the sample."""


class PageTemplate:
    """A page with gaps for what differs between sites in the same state."""

    def __init__(self, text: str) -> None:
        self._parts: list[str] = []
        self._values: list[Value] = []
        fixed: list[str] = []
        for number, line in enumerate(text.splitlines()):
            found = _LINE.match(line)
            make = VARYING.get(found[1]) if found else None
            if found is None or make is None:
                fixed.append(line + "\n")
                continue
            self._parts.append("".join((*fixed, line[: found.start(2)])))
            self._values.append(make(line, number))
            fixed = ["\n"]
        self._end = "".join(fixed)

    def fill(self, name: str, at: Moment, faults: Faults) -> str:
        """Return the page of a site by its name."""
        return "".join(self._written(at, faults)).replace(SITE, name)

    def _written(self, at: Moment, faults: Faults) -> Iterator[str]:
        for part, value in zip(self._parts, self._values, strict=True):
            yield part
            yield value(at, faults)
        yield self._end


class Pages:
    """The pages of sites that have one plan."""

    def __init__(self, *, targets: int, sources: int = 1) -> None:
        self._plan = site_plan(targets, sources)
        self._made: dict[tuple[tuple[str, str], ...], PageTemplate] = {}

    @property
    def targets(self) -> tuple[tuple[str, str, int], ...]:
        """Each target's id, host and port."""
        return tuple((one.id, one.shown_host, one.port) for one in self._plan.targets)

    def page(self, name: str, at: Moment, faults: Faults) -> str:
        """Return what a site shows after a sweep in which so much failed."""
        key = tuple((target, one.reason) for target, one in faults.items())
        if key not in self._made:
            snapshot = site_snapshot(self._plan, faults, now=at.completed)
            self._made[key] = PageTemplate(Exposition({}).render(snapshot).decode())
        return self._made[key].fill(name, at, faults)
