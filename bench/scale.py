"""What a large site costs: thousands of plain http targets, swept once, shown and scraped.

Times are of one processor. A sweep is `egressd --once` with its JSON report written to a file; what is shown
is made in this process, of as many targets of which one in ten fails. Linear is what grows as the targets do.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.compare import cache_bytecode
from bench.scrape import site
from bench.servers import start_servers
from egressd import clock
from egressd.metrics.exposition import Exposition
from egressd.model.snapshot import Snapshot
from egressd.service import tune_garbage_collector
from egressd.web.api.document import targets_document
from egressd.web.status.filters import PageQuery
from egressd.web.status.page import StatusPage
from tests.servers.certificates import ZONE
from tests.servers.namespace import ServerNamespace

NEEDED = ("nginx", "dnsmasq", "unshare", "nsenter", "ip")
MIB = 1024 * 1024
LONGEST = 1800.0
"""Seconds that a sweep may take, on a slow machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """The cost of `egressd --once`."""

    cpu: float
    wall: float
    peak_mib: float
    report_mib: float


def write_config(folder: Path, targets: int) -> Path:
    """Write a configuration with so many plain http targets, all on one server."""
    endpoints = [
        {
            "id": f"p{number}",
            "service": "Bench",
            "host": f"p{number}.{ZONE}",
            "port": 80,
            "protocol": "http",
            "roles": ["machine"],
        }
        for number in range(targets)
    ]
    root = str(folder / "root.pem")
    config = {
        "profiles": [],
        "resolvers": ["127.0.0.1"],
        "trust": {"store": root, "public_roots": root},
        "probe": {"families": ["ipv4"]},
        "endpoints": endpoints,
    }
    path = folder / f"scale-{targets}.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def sweep(namespace: ServerNamespace, targets: int) -> Once:
    """Sweep once and check that every target was ok."""
    report = namespace.folder / "scale.json"
    config = write_config(namespace.folder, targets)
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
    sweep(namespace, 1)  # compiles what is imported
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
    where = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if missing := [name for name in NEEDED if shutil.which(name, path=where) is None]:
        print(f"SKIPPED: the bench needs {', '.join(missing)}")
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        namespace = ServerNamespace.make(Path(folder))
        if namespace.holder is None:
            print("SKIPPED: the bench needs root, or user namespaces, for a network of its own")
            return
        try:
            start_servers(namespace)
            cache_bytecode(Path(folder))
            print_sweeps(namespace, sizes)
        finally:
            namespace.close()
    tune_garbage_collector()  # as the daemon does
    print_shown(sizes)


if __name__ == "__main__":
    main()
