"""The daemon compared with prometheus-blackbox-exporter under Prometheus: the same 150 targets per interval.

Both run at the same time, each scraped by a Prometheus of its own, and are measured over the same intervals,
so that what else the machine does weighs on both. The intervals are shorter than the 60 s of the figures:
what counts is CPU time per sweep, times 60 sweeps an hour. `--interval 60` measures the real interval.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.compare import TARGETS, cpu_seconds
from bench.goals import Figure, print_goals
from bench.network import EXPORTER, PROMETHEUS, bench_network, missing
from bench.servers import EXPORTER_PORT, URLS, egressd_config, start_exporter
from tests.servers.namespace import ServerNamespace

DAEMON_PORT = 10980
SWEEPS_PER_HOUR = 60
WARM_UP_INTERVALS = 2
"""Intervals before the measurement, so that starting is not counted."""
INTERVAL, SWEEPS = 12, 10
HTTP_GET = (
    "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=10).read().decode())"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one program at 60 s between sweeps."""

    cpu_per_hour: float
    resident_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A prober, and the Prometheus that scrapes it."""

    prober: Cost
    prometheus: Cost

    @property
    def cpu_per_hour(self) -> float:
        """CPU seconds of both."""
        return self.prober.cpu_per_hour + self.prometheus.cpu_per_hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A prober and its Prometheus while they run."""

    prober: int
    prometheus: int
    """Their process ids."""
    port: int
    """Prometheus'."""
    up: str
    """What counts the targets that are up."""


def start_daemon(namespace: ServerNamespace, *, interval: int) -> Running:
    """Start the daemon on its own schedule, scraped once per interval."""
    path = egressd_config(namespace)
    settings = json.loads(path.read_text(encoding="utf-8"))
    listen = f"127.0.0.1:{DAEMON_PORT}"
    settings |= {"interval": f"{interval}s", "web": {"listen": listen}}
    settings["probe"] |= {"deadline": "4s"}
    settings["state"] = {"directory": str(namespace.folder / "state")}
    path = path.with_name("daemon.yml")
    path.write_text(json.dumps(settings), encoding="utf-8")
    namespace.start(sys.executable, "-m", "egressd", f"--config.file={path}", tcp=(DAEMON_PORT,))
    prober = namespace.started[-1].pid
    scraped = {"job_name": "egressd", "static_configs": [{"targets": [listen]}]}
    prometheus = _start_prometheus(namespace, scraped, interval, port=9090)
    up = 'sum(egressd_target_up{source="default"})'
    return Running(prober=prober, prometheus=prometheus, port=9090, up=up)


def start_exporters(namespace: ServerNamespace, *, interval: int) -> Running:
    """Let Prometheus probe every target by the exporter once per interval."""
    prober = start_exporter(namespace)
    scraped = {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"]},
        "static_configs": [{"targets": URLS}],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"source_labels": ["__param_target"], "target_label": "instance"},
            {"target_label": "__address__", "replacement": f"127.0.0.1:{EXPORTER_PORT}"},
        ],
    }
    prometheus = _start_prometheus(namespace, scraped, interval, port=9091)
    return Running(prober=prober, prometheus=prometheus, port=9091, up="sum(probe_success)")


def measure_both(namespace: ServerNamespace, *, interval: int, sweeps: int) -> tuple[Pair, Pair]:
    """Run both, warm up, and measure over the same sweeps."""
    running = (
        start_daemon(namespace, interval=interval),
        start_exporters(namespace, interval=interval),
    )
    time.sleep(WARM_UP_INTERVALS * interval)
    pids = [pid for one in running for pid in (one.prober, one.prometheus)]
    before = {pid: cpu_seconds(pid) for pid in pids}
    time.sleep(sweeps * interval)
    used = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
    for one in running:
        if (found := _query(namespace, one)) != TARGETS:
            sys.exit(f"{one.up} is {found}, not {TARGETS}: the measurement is void")
    costs = {
        pid: Cost(cpu_per_hour=used[pid] / sweeps * SWEEPS_PER_HOUR, resident_mib=_resident_mib(pid))
        for pid in pids
    }
    for _ in pids:
        server = namespace.started.pop()
        server.terminate()
        server.wait()
    ours, theirs = (Pair(prober=costs[one.prober], prometheus=costs[one.prometheus]) for one in running)
    return ours, theirs


def _start_prometheus(
    namespace: ServerNamespace, scraped: Mapping[str, object], interval: int, *, port: int
) -> int:
    folder = namespace.folder / f"prometheus-{scraped['job_name']}"
    folder.mkdir()
    every = {"scrape_interval": f"{interval}s", "scrape_timeout": f"{min(interval, 10)}s"}
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": every, "scrape_configs": [scraped]}), encoding="utf-8")
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    namespace.start(*command, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", tcp=(port,))
    return namespace.started[-1].pid


def _query(namespace: ServerNamespace, running: Running) -> float:
    url = f"http://127.0.0.1:{running.port}/api/v1/query?query={running.up}"
    asked = subprocess.run(
        [*namespace.enter_command, sys.executable, "-c", HTTP_GET, url],
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(asked.stdout)["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def _resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def print_comparison(ours: Pair, theirs: Pair) -> tuple[Figure, ...]:
    """Print both sets of figures and their ratios; return those that have a goal."""
    print(f"{'':34}{'egressd':>10}{'blackbox':>10}{'ratio':>8}")
    rows = (
        ("CPU s per hour", ours.prober.cpu_per_hour, theirs.prober.cpu_per_hour),
        ("resident MiB", ours.prober.resident_mib, theirs.prober.resident_mib),
        ("Prometheus for it: CPU s per hour", ours.prometheus.cpu_per_hour, theirs.prometheus.cpu_per_hour),
        ("Prometheus for it: resident MiB", ours.prometheus.resident_mib, theirs.prometheus.resident_mib),
        ("both: CPU s per hour", ours.cpu_per_hour, theirs.cpu_per_hour),
    )
    for label, mine, other in rows:
        print(f"{label:34}{mine:10.1f}{other:10.1f}{mine / other:8.2f}")
    return (
        Figure(
            label="CPU s per hour, daemon, 150 targets at 60 s",
            ours=ours.prober.cpu_per_hour,
            theirs=theirs.prober.cpu_per_hour,
            ratio=ours.prober.cpu_per_hour / theirs.prober.cpu_per_hour,
            goal=1.0,
        ),
        Figure(
            label="the same with the Prometheus that scrapes it",
            ours=ours.cpu_per_hour,
            theirs=theirs.cpu_per_hour,
            ratio=ours.cpu_per_hour / theirs.cpu_per_hour,
            goal=0.8,
        ),
        Figure(
            label="resident MiB, daemon",
            ours=ours.prober.resident_mib,
            theirs=theirs.prober.resident_mib,
            goal=64,
        ),
    )


def measure(
    namespace: ServerNamespace, *, interval: int = INTERVAL, sweeps: int = SWEEPS
) -> tuple[Figure, ...]:
    """Compare, or print what is missing."""
    if absent := missing(EXPORTER, PROMETHEUS):
        print(f"SKIPPED: the daemon's bench needs {', '.join(absent)}")
        return ()
    print(f"\nThe daemon: {TARGETS} healthy targets every 60 s, each program scraped by a Prometheus;")
    print(f"CPU measured over {sweeps} sweeps, {interval} s apart, both at the same time\n", flush=True)
    return print_comparison(*measure_both(namespace, interval=interval, sweeps=sweeps))


def main() -> None:
    """Compare, or print what is missing."""
    parser = argparse.ArgumentParser(description="Compare the daemon with prometheus-blackbox-exporter.")
    parser.add_argument("--interval", type=int, default=INTERVAL, help="seconds between sweeps")
    parser.add_argument("--sweeps", type=int, default=SWEEPS)
    options = parser.parse_args()
    with bench_network() as namespace:
        print_goals(measure(namespace, interval=options.interval, sweeps=options.sweeps))


if __name__ == "__main__":
    main()
