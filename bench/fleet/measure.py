"""What Prometheus takes for a fleet: series, samples, memory, processor time, and the time of its rules."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.compare import cpu_seconds
from bench.fleet.programs import Running

MIB = 1024 * 1024
_Place = tuple[str, str, int]
"""Group, rule, and the rule's number in the group, as several alerts have one name."""
SETTLED = 2
"""Evaluations of each group before the measurement: the first ones find an empty database."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a Prometheus takes for a fleet."""

    series: float
    """Series in the head, those of rules included."""
    scraped: float
    """Series that scrapes brought and that were kept."""
    samples: float
    """Appended per second, those of rules included."""
    resident_mib: float
    heap_mib: float
    """What the garbage collector found in use."""
    cpu: float
    """Share of one processor."""


@dataclass(frozen=True, kw_only=True)
class RuleTime:
    """How long the evaluations of a rule, or of all of a group, took."""

    group: str
    name: str
    """Empty: the whole group."""
    seconds: float
    """The median."""
    longest: float
    interval: float

    @property
    def share(self) -> float:
        """Of its interval."""
        return self.seconds / self.interval


class RuleClock:
    """The evaluations of each rule and group, over many looks."""

    def __init__(self) -> None:
        self._took: dict[_Place, list[float]] = {}
        self._intervals: dict[str, float] = {}
        self._seen: dict[str, set[str]] = {}

    def look(self, running: Running) -> None:
        """Note what the last evaluations took, each once; the first ones of a group don't count."""
        for group in running.api("rules")["groups"]:
            seen = self._seen.setdefault(group["name"], set())
            if group["lastEvaluation"] not in seen:
                seen.add(group["lastEvaluation"])
                if len(seen) > SETTLED:
                    self._note(group)

    def _note(self, group: Mapping[str, Any]) -> None:
        self._intervals[group["name"]] = group["interval"]
        for place, seconds in _times(group):
            self._took.setdefault(place, []).append(seconds)

    @property
    def groups(self) -> tuple[RuleTime, ...]:
        """Each group's time."""
        return tuple(self._time(one) for one in self._took if not one[1])

    @property
    def rules(self) -> tuple[RuleTime, ...]:
        """Each rule's time, the slowest first."""
        return tuple(sorted((self._time(one) for one in self._took if one[1]), key=lambda one: -one.seconds))

    def _time(self, place: _Place) -> RuleTime:
        group, name, _ = place
        took = self._took[place]
        return RuleTime(
            group=group,
            name=name,
            seconds=statistics.median(took),
            longest=max(took),
            interval=self._intervals[group],
        )


def _times(group: Mapping[str, Any]) -> Iterator[tuple[_Place, float]]:
    yield (group["name"], "", 0), group["evaluationTime"]
    for number, one in enumerate(group["rules"]):
        yield (group["name"], one["name"], number), one["evaluationTime"]


def watch(running: Running, rules: RuleClock, seconds: float) -> Cost:
    """Look on for so long, and return what was taken meanwhile."""
    begun, appended, cpu = time.monotonic(), _appended(running), cpu_seconds(running.pid)
    while time.monotonic() < begun + seconds:
        time.sleep(5)
        rules.look(running)
    took = time.monotonic() - begun
    return Cost(
        series=running.own("prometheus_tsdb_head_series"),
        scraped=running.number("sum(scrape_samples_post_metric_relabeling)"),
        samples=(_appended(running) - appended) / took,
        resident_mib=running.own("process_resident_memory_bytes") / MIB,
        heap_mib=running.own("go_memstats_heap_inuse_bytes") / MIB,
        cpu=(cpu_seconds(running.pid) - cpu) / took,
    )


def _appended(running: Running) -> float:
    return running.own("prometheus_tsdb_head_samples_appended_total")
