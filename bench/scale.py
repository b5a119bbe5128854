"""What a large site costs: thousands of plain http targets, swept once, shown and scraped.

Times are of one processor. A sweep is `egressd --once` with its JSON report written to a file; what is shown
is made in this process, of as many targets of which one in ten fails. Linear is what grows as the targets do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass

from bench.goals import Figure
from bench.network import bench_network
from bench.scrape import site
from bench.servers import write_egressd_config
from egressd import clock
from egressd.metrics.exposition import Exposition
from egressd.model.snapshot import Snapshot
from egressd.service import tune_garbage_collector
from egressd.web.api.document import targets_document
from egressd.web.status.filters import PageQuery
from egressd.web.status.page import StatusPage
from tests.servers.certificates import ZONE
from tests.servers.namespace import ServerNamespace

MIB = 1024 * 1024
LARGE = 5000
"""Targets that there is a goal for."""
LONGEST = 1800.0
"""Seconds that a sweep may take, on a slow machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """The cost of `egressd --once`."""

    cpu: float
    wall: float
    peak_mib: float
    report_mib: float


def sweep(namespace: ServerNamespace, targets: int) -> Once:
    """Sweep once and check that every target was ok."""
    report = namespace.folder / "scale.json"
    rows = [(f"p{number}.{ZONE}", 80, "http") for number in range(targets)]
    config = write_egressd_config(namespace, rows, name=f"scale-{targets}")
    done = namespace.egressd("--once", f"--config.file={config}", "--output", str(report), timeout=LONGEST)
    if done.code != 0:
        sys.exit(f"egressd did not find all {targets} targets ok:\n{done.stderr}")
    return Once(
        cpu=done.cpu_seconds,
        wall=done.seconds,
        peak_mib=done.peak_kib / 1024,
        report_mib=report.stat().st_size / MIB,
    )


def print_sweeps(namespace: ServerNamespace, sizes: list[int]) -> None:
    """Print what sweeps cost; `each` is what a target adds to a sweep of one."""
    single = sweep(namespace, 1)
    print_row("targets", "CPU s", "ms each", "wall s", "peak MiB", "KiB each", "report MiB")
    print_row("1", f"{single.cpu:.2f}", "", f"{single.wall:.1f}", f"{single.peak_mib:.0f}", "", "")
    for targets in sizes:
        cost = sweep(namespace, targets)
        print_row(
            f"{targets}",
            f"{cost.cpu:.2f}",
            f"{1000 * (cost.cpu - single.cpu) / (targets - 1):.2f}",
            f"{cost.wall:.1f}",
            f"{cost.peak_mib:.0f}",
            f"{1024 * (cost.peak_mib - single.peak_mib) / (targets - 1):.1f}",
            f"{cost.report_mib:.1f}",
        )


def measure(namespace: ServerNamespace) -> tuple[Figure, ...]:
    """Sweep as many targets as there is a goal for."""
    print(f"\n{LARGE} plain http targets, one sweep", flush=True)
    single, cost = sweep(namespace, 1), sweep(namespace, LARGE)
    return (
        Figure(
            label=f"CPU ms of each of {LARGE:,} plain http targets",
            ours=1000 * (cost.cpu - single.cpu) / (LARGE - 1),
            goal=1.2,
        ),
        Figure(label=f"MiB at the most for {LARGE:,} of them", ours=cost.peak_mib, goal=96),
    )


def print_row(*cells: str) -> None:
    """Print a row of a table."""
    print("".join(f"{one:>12}" for one in cells), flush=True)


def print_shown(sizes: list[int]) -> None:
    """Print what it costs to show a site of each size: in threads, once for all who wait."""
    print()
    print_row("targets", "scrape ms", "MiB", "page ms", "MiB", "API ms", "MiB")
    for targets in sizes:
        snapshot = site(targets=targets, sources=1)
        cells = [f"{targets}"]
        for make in (scraped, status_page, listed):
            make(snapshot)
            begun = time.thread_time()
            size = len(make(snapshot))
            cells += [f"{1000 * (time.thread_time() - begun):.0f}", f"{size / MIB:.2f}"]
        print_row(*cells)


def scraped(snapshot: Snapshot) -> bytes:
    """Return the metrics, rendered for the first time."""
    return Exposition({}).render(snapshot)


def status_page(snapshot: Snapshot) -> bytes:
    """Return the status page."""
    return StatusPage().render(snapshot, now=clock.now(), stalled=False, query=PageQuery())


def listed(snapshot: Snapshot) -> bytes:
    """Return the first page of the API's targets."""
    return json.dumps(targets_document(snapshot)).encode()


def main() -> None:
    """Print the table, or what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, nargs="+", default=[1000, 5000, 20_000])
    sizes: list[int] = parser.parse_args().targets
    with bench_network() as namespace:
        print_sweeps(namespace, sizes)
    tune_garbage_collector()  # as the daemon does
    print_shown(sizes)


if __name__ == "__main__":
    main()
