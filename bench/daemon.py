"""The daemon compared with prometheus-blackbox-exporter under Prometheus: the same 150 targets per interval.

Both are measured one after the other over several intervals, shorter than the 60 s of the figures: what
counts is CPU time per sweep, times 60 sweeps an hour. Prometheus scrapes both, and its cost is printed too.
`--interval 60` measures the real interval.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.compare import NEEDED, TARGETS, cpu_seconds
from bench.goals import Figure, print_goals
from bench.servers import (
    EXPORTER_PORT,
    URLS,
    egressd_config,
    start_exporter,
    start_servers,
)
from tests.servers.namespace import ServerNamespace

PROMETHEUS, DAEMON = "127.0.0.1:9090", "127.0.0.1:10980"
SWEEPS_PER_HOUR = 60
WARM_UP_INTERVALS = 2
"""Intervals before the measurement, so that starting is not counted."""
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


def measure_daemon(namespace: ServerNamespace, *, interval: int, sweeps: int) -> Pair:
    """Run the daemon on its own schedule, scraped once per interval."""
    path = egressd_config(namespace)
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings |= {"interval": f"{interval}s", "web": {"listen": DAEMON}}
    settings["probe"] |= {"deadline": "4s"}
    settings["state"] = {"directory": str(namespace.folder / "state")}
    path.write_text(json.dumps(settings), encoding="utf-8")
    namespace.start(sys.executable, "-m", "egressd", f"--config.file={path}", tcp=(10980,))
    prober = namespace.started[-1].pid
    scraped = {"job_name": "egressd", "static_configs": [{"targets": [DAEMON]}]}
    return _measure(
        namespace,
        prober,
        scraped,
        interval=interval,
        sweeps=sweeps,
        up='sum(egressd_target_up{source="default"})',
    )


def measure_exporter(namespace: ServerNamespace, *, interval: int, sweeps: int) -> Pair:
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
    return _measure(namespace, prober, scraped, interval=interval, sweeps=sweeps, up="sum(probe_success)")


def _measure(
    namespace: ServerNamespace,
    prober: int,
    scraped: Mapping[str, object],
    *,
    interval: int,
    sweeps: int,
    up: str,
) -> Pair:
    """Start Prometheus, warm up, and measure both over some sweeps."""
    prometheus = _start_prometheus(namespace, scraped, interval)
    time.sleep(WARM_UP_INTERVALS * interval)
    pids = (prober, prometheus)
    before = [cpu_seconds(pid) for pid in pids]
    time.sleep(sweeps * interval)
    used = [cpu_seconds(pid) - earlier for pid, earlier in zip(pids, before, strict=True)]
    found = _query(namespace, up)
    if found != TARGETS:
        sys.exit(f"{up} is {found}, not {TARGETS}: the measurement is void")
    costs = [
        Cost(cpu_per_hour=cpu / sweeps * SWEEPS_PER_HOUR, resident_mib=_resident_mib(pid))
        for pid, cpu in zip(pids, used, strict=True)
    ]
    for _ in pids:
        server = namespace.started.pop()
        server.terminate()
        server.wait()
    return Pair(prober=costs[0], prometheus=costs[1])


def _start_prometheus(namespace: ServerNamespace, scraped: Mapping[str, object], interval: int) -> int:
    folder = namespace.folder / f"prometheus-{scraped['job_name']}"
    folder.mkdir()
    every = {"scrape_interval": f"{interval}s", "scrape_timeout": f"{min(interval, 10)}s"}
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({"global": every, "scrape_configs": [scraped]}), encoding="utf-8")
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data"]
    namespace.start(*command, f"--web.listen-address={PROMETHEUS}", "--log.level=error", tcp=(9090,))
    return namespace.started[-1].pid


def _query(namespace: ServerNamespace, expression: str) -> float:
    url = f"http://{PROMETHEUS}/api/v1/query?query={expression}"
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


def print_comparison(ours: Pair, theirs: Pair) -> None:
    """Print both sets of figures and their ratios."""
    print(f"{'':34}{'egressd':>10}{'blackbox':>10}{'ratio':>8}")
    rows = (
        ("CPU s per hour", ours.prober.cpu_per_hour, theirs.prober.cpu_per_hour),
        ("resident MiB", ours.prober.resident_mib, theirs.prober.resident_mib),
        ("Prometheus for it: CPU s per hour", ours.prometheus.cpu_per_hour, theirs.prometheus.cpu_per_hour),
        ("Prometheus for it: resident MiB", ours.prometheus.resident_mib, theirs.prometheus.resident_mib),
        (
            "both: CPU s per hour",
            ours.prober.cpu_per_hour + ours.prometheus.cpu_per_hour,
            theirs.prober.cpu_per_hour + theirs.prometheus.cpu_per_hour,
        ),
    )
    for label, mine, other in rows:
        print(f"{label:34}{mine:10.1f}{other:10.1f}{mine / other:8.2f}")
    print_goals(
        (
            Figure(label=rows[0][0], ours=rows[0][1], theirs=rows[0][2], goal=1.0),
            Figure(label=f"{rows[4][0]}, with Prometheus", ours=rows[4][1], theirs=rows[4][2], goal=0.8),
            Figure(label=rows[1][0], ours=rows[1][1], goal=64),
        )
    )


def main() -> None:
    """Compare, or print what is missing."""
    parser = argparse.ArgumentParser(description="Compare the daemon with prometheus-blackbox-exporter.")
    parser.add_argument("--interval", type=int, default=12, help="seconds between sweeps")
    parser.add_argument("--sweeps", type=int, default=5)
    options = parser.parse_args()
    interval, sweeps = int(options.interval), int(options.sweeps)
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    missing = [name for name in (*NEEDED, "prometheus") if shutil.which(name, path=path) is None]
    if missing:
        print(f"SKIPPED: the daemon's bench needs {', '.join(missing)}")
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        namespace = ServerNamespace.make(Path(folder))
        if namespace.holder is None:
            print("SKIPPED: the daemon's bench needs root, or user namespaces, for a network of its own")
            return
        try:
            start_servers(namespace)
            print(f"\nThe daemon: {TARGETS} healthy targets every 60 s, each program scraped by Prometheus;")
            print(f"CPU measured over {sweeps} sweeps, {interval} s apart\n", flush=True)
            ours = measure_daemon(namespace, interval=interval, sweeps=sweeps)
            print_comparison(ours, measure_exporter(namespace, interval=interval, sweeps=sweeps))
        finally:
            namespace.close()


if __name__ == "__main__":
    main()
