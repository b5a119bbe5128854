"""What a fleet takes: realistic metrics of a thousand sites, into a real Prometheus with the shipped rules.

    python -m bench.fleet --sites 1000 --targets 150 --minutes 5

The pages are egressd's own, of the catalog's plan; what fails is chosen here (`bench/fleet/scenarios.py`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.fleet.alerts import AlertVolume, alert_volume
from bench.fleet.command import CommandCost, fleet_command
from bench.fleet.disk import BlockSize, block_size
from bench.fleet.measure import Cost, RuleClock, RuleTime, watch
from bench.fleet.pages import Pages
from bench.fleet.programs import ALERTMANAGER, PROMETHEUS, PROMTOOL, Fleet, running
from bench.fleet.queries import QueryTime, dashboard_queries, time_query
from bench.fleet.scenarios import EVENTS
from bench.goals import Figure, print_goals
from bench.network import missing

GIB = 1024**3
WARM_UP = 150
"""Seconds until every site was scraped and every group evaluated."""
FULL_SITES = 100
SHARE = 0.1
"""The most of its interval that a rule may take."""
SCRAPED_EVERY = 30
SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that a run has found."""

    cost: Cost
    rules: RuleClock
    queries: tuple[QueryTime, ...]
    command: CommandCost | None
    volume: AlertVolume


def run(fleet: Fleet, *, minutes: float, ask: bool) -> Measured:
    """Run a fleet for so long after it is warm; the event comes first, if there is one."""
    print(f"\n{fleet.event}: {fleet.sites} sites x {fleet.targets} targets", flush=True)
    seconds, rules = 60 * minutes, RuleClock()
    with tempfile.TemporaryDirectory() as folder, running(fleet, Path(folder)) as made:
        watch(made, rules, WARM_UP)
        cost = watch(made, rules, seconds)
        target = Pages(targets=fleet.targets, sources=fleet.sources).targets[0][0]
        asked = tuple(dashboard_queries(target)) if ask else ()
        queries = tuple(time_query(made, one, seconds=seconds) for one in asked)
        return Measured(
            cost=cost,
            rules=rules,
            queries=queries,
            command=fleet_command(made) if ask else None,
            volume=alert_volume(made, seconds=seconds),
        )


def figures(found: Iterable[RuleTime], sites: int) -> tuple[Figure, ...]:
    """Return what there is a goal for: the share of the slowest rule."""
    longest = max((one.share for one in found), default=float("inf"))
    return (Figure(label=f"a rule's share of its interval, {sites:,} sites", ours=longest, goal=SHARE),)


def measure(*, sites: int = 1000, targets: int = 150, minutes: float = 3) -> tuple[Figure, ...]:
    """Measure an hour like any other, or print what is missing."""
    if absent := missing(PROMETHEUS, ALERTMANAGER, PROMTOOL):
        print(f"SKIPPED: the fleet's bench needs {', '.join(absent)}")
        return ()
    found = run(Fleet(sites=sites, targets=targets), minutes=minutes, ask=False)
    print_rules(found.rules)
    return figures(found.rules.rules, sites)


def print_cost(fleet: Fleet, cost: Cost, size: BlockSize) -> None:
    """Print what Prometheus takes; bytes are of a block of a few sites, for as many series as there are."""
    stored = size.bytes_per_day(series=cost.series, samples=cost.samples)
    rows: Mapping[str, str] = {
        "sites x targets x sources": f"{fleet.sites} x {fleet.targets} x {fleet.sources}",
        "series scraped and kept": f"{cost.scraped:,.0f}",
        "of each site": f"{cost.scraped / fleet.sites:,.1f}",
        "series in the head, with those of rules": f"{cost.series:,.0f}",
        "samples per second": f"{cost.samples:,.0f}",
        "GiB on disk per day, extrapolated": f"{stored / GIB:.2f}",
        "bytes per sample in a block": f"{size.chunk_bytes / size.samples:.2f}",
        "resident MiB": f"{cost.resident_mib:,.0f}",
        "MiB in use": f"{cost.heap_mib:,.0f}",
        "share of a processor": f"{cost.cpu:.2f}",
    }
    for label, value in rows.items():
        print(f"{label:46}{value:>20}")


def print_rules(rules: RuleClock) -> None:
    """Print what each group takes, and the slowest rules."""
    print(f"\n{'evaluation':66}{'median s':>9}{'longest':>9}{'interval':>9}{'share':>7}")
    for one in (*rules.groups, *rules.rules[:SHOWN]):
        label = f"  {one.name} ({one.group})" if one.name else one.group
        print(f"{label:66}{one.seconds:9.3f}{one.longest:9.3f}{one.interval:9.0f}{one.share:7.1%}")


def print_queries(queries: Sequence[QueryTime]) -> None:
    """Print every expression of the dashboards, the slowest first."""
    print(f"\n{'dashboard, panel':70}{'s':>8}{'series':>10}")
    for one in sorted(queries, key=lambda one: -one.seconds):
        kind = "" if one.query.instant else " (graph)"
        label = f"{one.query.dashboard}: {one.query.panel}{kind}"
        print(f"{label:70}{one.seconds:8.3f}{one.series:10}")


def print_volume(name: str, volume: AlertVolume) -> None:
    """Print what fired, what was held back, and what people were told."""
    print(f"\nalerts, {name}: {volume.pages} notifications")
    for title, counts in (("fired", volume.fired), ("held back", volume.suppressed)):
        print(f"  {title}: " + (", ".join(f"{key} {n}" for key, n in sorted(counts.items())) or "none"))
    for told, number in volume.notifications.items():
        print(f"  {number} x {told}")


def main() -> int:
    """Print the tables, or what is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--targets", type=int, default=150)
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument(
        "--full-sites", type=int, default=FULL_SITES, help="all series of so many; 0: of none"
    )
    parser.add_argument("--host-rules", action="store_true", help="evaluate the rules of single hosts, too")
    parser.add_argument("--event", choices=tuple(EVENTS), action="append", help="default: each")
    asked = parser.parse_args()
    if absent := missing(PROMETHEUS, ALERTMANAGER, PROMTOOL):
        sys.exit(f"SKIPPED: the fleet's bench needs {', '.join(absent)}")
    begun = time.monotonic()
    rules: list[RuleTime] = []
    for name in asked.event or tuple(EVENTS):
        fleet = Fleet(
            sites=asked.sites,
            targets=asked.targets,
            sources=asked.sources,
            event=name,
            host_rules=asked.host_rules,
        )
        rules += report(fleet, minutes=asked.minutes).rules
    if asked.full_sites:
        sites = Fleet(sites=asked.full_sites, targets=asked.targets, sources=asked.sources, full=True)
        report(sites, minutes=asked.minutes)
    print(f"\n{time.monotonic() - begun:.0f} s in all")
    found = figures(rules, asked.sites)
    print_goals(found)
    return 0 if all(one.is_met for one in found) else 1


def report(fleet: Fleet, *, minutes: float) -> RuleClock:
    """Run a fleet and print all of it."""
    usual = fleet.event == "normal hour"
    found = run(fleet, minutes=minutes, ask=usual)
    if usual:
        with tempfile.TemporaryDirectory() as folder:
            size = block_size(
                Path(folder), targets=fleet.targets, scraped_every=SCRAPED_EVERY, full=fleet.full
            )
        print_cost(fleet, found.cost, size)
        print_queries(found.queries)
        if found.command is not None:
            print(f"\n{found.command}")
    print_rules(found.rules)
    print_volume(fleet.event, found.volume)
    return found.rules


if __name__ == "__main__":
    sys.exit(main())
