"""egressd compared with Debian's prometheus-blackbox-exporter: the same targets, DNS and web server.

Figures are per run of 150 targets, medians of several alternating runs: CPU seconds of the program (start
included), wall seconds from the start or first request to the last response, and peak resident memory. The
exporter's client is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from bench.goals import Figure, print_goals
from bench.servers import (
    EXPORTER_PORT,
    HTTP_NAMES,
    HTTPS_NAMES,
    URLS,
    egressd_config,
    start_exporter,
    start_servers,
)
from tests.servers.namespace import ServerNamespace, peak_memory_kib

NEEDED = ("nginx", "dnsmasq", "prometheus-blackbox-exporter", "unshare", "nsenter", "ip")
TARGETS = len(HTTPS_NAMES) + len(HTTP_NAMES)
Table = dict[tuple[str, int, str], tuple[int, int, float, float, object]]
"""Statistics of cProfile: file, line, function; two call counts, own time, cumulative time, callers."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one run."""

    cpu: float
    wall: float
    peak_mib: float
    probing: float = 0.0
    """Seconds from the first query to the last response."""


def run_egressd(namespace: ServerNamespace, config: Path, *, targets: int = TARGETS) -> Cost:
    """Sweep once and check that every target was ok."""
    report = namespace.folder / "report.json"
    completed = namespace.egressd(
        "--once", f"--config.file={config}", "--format", "json", "--output", str(report)
    )
    found = json.loads(report.read_text(encoding="utf-8"))
    if completed.code != 0 or found["summary"]["ok"] != targets:
        sys.exit(f"egressd did not find all {targets} targets ok: {found['summary']}\n{completed.stderr}")
    return Cost(
        cpu=completed.cpu_seconds,
        wall=completed.seconds,
        peak_mib=completed.peak_kib / 1024,
        probing=_probing(found),
    )


def _probing(report: dict[str, Any]) -> float:
    observations = [
        (datetime.fromisoformat(one["started"]), timedelta(milliseconds=one["elapsed_ms"]))
        for target in report["targets"]
        for trail in target["trails"]
        for one in trail["observations"]
    ]
    last = max(started + elapsed for started, elapsed in observations)
    return (last - min(started for started, _ in observations)).total_seconds()


def run_exporter(namespace: ServerNamespace) -> Cost:
    """Start the exporter, probe every target by it once, and return its cost."""
    pid = start_exporter(namespace)
    client = [
        *namespace.enter_command,
        sys.executable,
        str(Path(__file__).with_name("client.py")),
        str(EXPORTER_PORT),
    ]
    asked = subprocess.run(client, input="\n".join(URLS), capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        sys.exit(f"the exporter did not find all {TARGETS} targets up\n{asked.stderr}")
    wall = float(asked.stdout)
    cost = Cost(cpu=cpu_seconds(pid), wall=wall, peak_mib=peak_memory_kib(pid) / 1024, probing=wall)
    exporter = namespace.started.pop()
    exporter.terminate()
    exporter.wait()
    return cost


def run_floor(namespace: ServerNamespace, urls: Sequence[str]) -> Cost:
    """Probe by the bare client in a process of its own; return its cost."""
    program = [sys.executable, str(Path(__file__).with_name("bare.py")), str(namespace.folder / "root.pem")]
    begun = time.monotonic()
    with subprocess.Popen([*namespace.enter_command, *program, *urls]) as client:
        _, status, used = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
    if client.returncode != 0:
        sys.exit("the bare client did not find all targets up")
    wall = time.monotonic() - begun
    return Cost(cpu=used.ru_utime + used.ru_stime, wall=wall, peak_mib=used.ru_maxrss / 1024)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        cpu=statistics.median(one.cpu for one in costs),
        wall=statistics.median(one.wall for one in costs),
        peak_mib=statistics.median(one.peak_mib for one in costs),
        probing=statistics.median(one.probing for one in costs),
    )


def print_comparison(ours: Cost, theirs: Cost, single: Cost, start: Cost, floors: tuple[Cost, Cost]) -> None:
    """Print both sets of figures and their ratios, then those that have a goal."""
    print(f"{'':34}{'egressd':>10}{'blackbox':>10}{'ratio':>8}")
    further = 1000 * (ours.cpu - single.cpu) / (TARGETS - 1)
    rows: tuple[tuple[str, float, float], ...] = (
        ("CPU s, whole run", ours.cpu, theirs.cpu),
        ("CPU ms per target", 1000 * ours.cpu / TARGETS, 1000 * theirs.cpu / TARGETS),
        ("CPU ms per target after the first", further, 1000 * theirs.cpu / TARGETS),
        ("s, first query to last response", ours.probing, theirs.probing),
        ("wall s, with egressd's controls", ours.wall, theirs.wall),
        ("peak resident MiB", ours.peak_mib, theirs.peak_mib),
    )
    for label, mine, other in rows:
        print(f"{label:34}{mine:10.3f}{other:10.3f}{mine / other:8.2f}")
    print(f"\negressd --version: {start.cpu:.3f} s of CPU, {start.wall:.3f} s wall, {start.peak_mib:.0f} MiB")
    print(f"egressd --once, one target: {single.cpu:.3f} s of CPU, {single.peak_mib:.0f} MiB")
    print_goals(
        (
            Figure(
                label="CPU ms per target after the first, one sweep",
                ours=further,
                theirs=1000 * theirs.cpu / TARGETS,
                floor=1000 * (floors[0].cpu - floors[1].cpu) / (TARGETS - 1),
                goal=1.25,
            ),
            Figure(label="CPU s of --once with one target", ours=single.cpu, floor=floors[1].cpu, goal=0.35),
        )
    )


def profile(namespace: ServerNamespace, config: Path) -> None:
    """Print where a sweep's time goes, by package and library."""
    stats = namespace.folder / "profile"
    program = str(Path(sys.executable).with_name("egressd"))
    command = ["-m", "cProfile", "-o", str(stats), program, "--once", f"--config.file={config}"]
    command += ["--format", "json", "--output", str(namespace.folder / "profiled.json")]
    subprocess.run([*namespace.enter_command, sys.executable, *command], check=True, capture_output=True)
    rooms: defaultdict[str, float] = defaultdict(float)
    table: Table = vars(pstats.Stats(str(stats)))["stats"]
    for (file, _, function), (_, _, own, _, _) in table.items():
        if "epoll" not in function:  # waiting is not work
            rooms[_room(file, function)] += own
    total = sum(rooms.values())
    print(f"\nWhere it goes (cProfile, own time, {total:.2f} s with the profiler's own cost):")
    for room, seconds in sorted(rooms.items(), key=itemgetter(1), reverse=True)[:16]:
        print(f"  {seconds:7.3f} s {100 * seconds / total:5.1f} %  {room}")


def _room(file: str, function: str) -> str:
    parts = Path(file).parts
    if file == "~":
        return _builtin(function)
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if "egressd" in parts:
        after = parts[len(parts) - parts[::-1].index("egressd") :]
        return "egressd." + after[0].removesuffix(".py") if after else "egressd"
    return "standard library: " + (
        parts[-2] if parts[-2:-1] and "python" not in parts[-2] else Path(file).stem
    )


def _builtin(function: str) -> str:
    for word in ("_ssl", "socket", "marshal", "compile", "exec", "_imp", "cryptography", "pydantic"):
        if word in function:
            return f"built in: {word.strip('_')}"
    return "built in: other"


def run_alternately(runs: int, *measurements: Callable[[], Cost]) -> list[Cost]:
    """Run each alternately, several times, and return the medians."""
    costs: list[list[Cost]] = [[] for _ in measurements]
    for _ in range(runs):
        for measure_once, into in zip(measurements, costs, strict=True):
            into.append(measure_once())
            time.sleep(0.2)
    return [median(one) for one in costs]


def run_version(namespace: ServerNamespace) -> Cost:
    """Start egressd without any work."""
    completed = namespace.egressd("--version")
    return Cost(cpu=completed.cpu_seconds, wall=completed.seconds, peak_mib=completed.peak_kib / 1024)


def cache_bytecode(folder: Path) -> None:
    """Let programs cache their bytecode as installed ones do, whatever the caller's environment."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")


def main() -> None:
    """Compare, or print what is missing."""
    parser = argparse.ArgumentParser(description="Compare egressd with prometheus-blackbox-exporter.")
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    missing = [
        name for name in NEEDED if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None
    ]
    if missing:
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
            config, single = egressd_config(namespace), egressd_config(namespace, first=1)
            run_egressd(namespace, config)
            print(f"{len(HTTPS_NAMES)} https and {len(HTTP_NAMES)} http targets, all healthy; ", end="")
            print(f"median of {runs} runs\n", flush=True)
            ours, theirs, alone, start, *floors = run_alternately(
                runs,
                lambda: run_egressd(namespace, config),
                lambda: run_exporter(namespace),
                lambda: run_egressd(namespace, single, targets=1),
                lambda: run_version(namespace),
                lambda: run_floor(namespace, URLS),
                lambda: run_floor(namespace, URLS[:1]),
            )
            print_comparison(ours, theirs, alone, start, (floors[0], floors[1]))
            profile(namespace, config)
        finally:
            namespace.close()


if __name__ == "__main__":
    main()
