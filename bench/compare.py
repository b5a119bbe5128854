"""egressd compared with Debian's prometheus-blackbox-exporter: the same targets, DNS and web server.

Figures are per run of 150 targets, medians of several rounds in which each program runs once: CPU seconds of
the program (start included), wall seconds from the start or first request to the last response, and peak
resident memory. A ratio is the median of the rounds' ratios, so that a busy moment of the machine weighs on
both. The exporter's client is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import pstats
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any

from bench.goals import Figure, print_goals
from bench.network import EXPORTER, bench_network
from bench.servers import (
    EXPORTER_PORT,
    HTTP_NAMES,
    HTTPS_NAMES,
    URLS,
    egressd_config,
    start_exporter,
)
from tests.servers.namespace import ServerNamespace, peak_memory_kib

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
    """Sweep once and check that every target was reached."""
    report = namespace.folder / "report.json"
    completed = namespace.egressd(
        "--once", f"--config.file={config}", "--format", "json", "--output", str(report)
    )
    found = json.loads(report.read_text(encoding="utf-8"))
    reached = found["summary"]["ok"] + found["summary"]["degraded"]  # slow, where this machine is busy
    if completed.code != 0 or reached != targets:
        sys.exit(f"egressd did not reach all {targets} targets: {found['summary']}\n{completed.stderr}")
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
    """Probe every target by the exporter once and return its cost; every target must be up."""
    cost, answered = ask_exporter(namespace, URLS)
    if answered["up"] != TARGETS:
        sys.exit(f"the exporter did not find all {TARGETS} targets up: {answered}")
    return cost


def ask_exporter(namespace: ServerNamespace, urls: Sequence[str]) -> tuple[Cost, Any]:
    """Start the exporter and probe by it; return its cost, and what the client found."""
    pid = start_exporter(namespace)
    client = [sys.executable, str(Path(__file__).with_name("client.py")), str(EXPORTER_PORT)]
    asked = subprocess.run(
        [*namespace.enter_command, *client],
        input="\n".join(urls),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode != 0:
        sys.exit(f"the exporter did not answer\n{asked.stderr}")
    answered = json.loads(asked.stdout)
    wall = float(answered["seconds"])
    cost = Cost(cpu=cpu_seconds(pid), wall=wall, peak_mib=peak_memory_kib(pid) / 1024, probing=wall)
    exporter = namespace.started.pop()
    exporter.terminate()
    exporter.wait()
    return cost, answered


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


def cost_of_a_further(whole: Cost, first: Cost) -> float:
    """Return CPU milliseconds per target after the first."""
    return 1000 * (whole.cpu - first.cpu) / (TARGETS - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """The costs of each program, a round at the same place."""

    egressd: Sequence[Cost]
    exporter: Sequence[Cost]
    single: Sequence[Cost]
    """egressd with one target."""
    version: Sequence[Cost]
    """egressd without any work."""
    floor: Sequence[Cost]
    """A bare client."""
    floor_single: Sequence[Cost]
    """The same with one target."""

    def ratio(self, figure: Callable[[Cost], float]) -> float:
        """Return how many times the exporter's it is, in the median round."""
        pairs = zip(self.egressd, self.exporter, strict=True)
        return statistics.median(figure(mine) / figure(other) for mine, other in pairs)

    def ratio_of_a_further(self) -> float:
        """Return the same of a target after the first."""
        rounds = zip(self.egressd, self.single, self.exporter, strict=True)
        return statistics.median(
            cost_of_a_further(mine, first) / (1000 * other.cpu / TARGETS) for mine, first, other in rounds
        )


def print_comparison(rounds: Rounds) -> tuple[Figure, ...]:
    """Print both sets of figures and their ratios; return those that have a goal."""
    ours, theirs, single = median(rounds.egressd), median(rounds.exporter), median(rounds.single)
    start, floor, floor_single = median(rounds.version), median(rounds.floor), median(rounds.floor_single)
    further = cost_of_a_further(ours, single)
    print(f"{'':34}{'egressd':>10}{'blackbox':>10}{'ratio':>8}")
    per_target = 1000 * theirs.cpu / TARGETS
    cpu = rounds.ratio(attrgetter("cpu"))
    rows: tuple[tuple[str, float, float, float], ...] = (
        ("CPU s, whole run", ours.cpu, theirs.cpu, cpu),
        ("CPU ms per target", 1000 * ours.cpu / TARGETS, per_target, cpu),
        ("CPU ms per target after the first", further, per_target, rounds.ratio_of_a_further()),
        (
            "s, first query to last response",
            ours.probing,
            theirs.probing,
            rounds.ratio(attrgetter("probing")),
        ),
        ("wall s, with egressd's controls", ours.wall, theirs.wall, rounds.ratio(attrgetter("wall"))),
        ("peak resident MiB", ours.peak_mib, theirs.peak_mib, rounds.ratio(attrgetter("peak_mib"))),
    )
    for label, mine, other, ratio in rows:
        print(f"{label:34}{mine:10.3f}{other:10.3f}{ratio:8.2f}")
    print(f"\negressd --version: {start.cpu:.3f} s of CPU, {start.wall:.3f} s wall, {start.peak_mib:.0f} MiB")
    print(f"egressd --once, one target: {single.cpu:.3f} s of CPU, {single.peak_mib:.0f} MiB")
    return (
        Figure(
            label="CPU ms per target after the first, one sweep",
            ours=further,
            theirs=per_target,
            ratio=rounds.ratio_of_a_further(),
            floor=cost_of_a_further(floor, floor_single),
            goal=1.25,
        ),
        Figure(label="CPU s of --once with one target", ours=single.cpu, floor=floor_single.cpu, goal=0.35),
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


def run_in_turns(runs: int, *measurements: Callable[[], Cost]) -> list[list[Cost]]:
    """Run each in turn, several rounds; return the costs of each."""
    costs: list[list[Cost]] = [[] for _ in measurements]
    for _ in range(runs):
        for measure_once, into in zip(measurements, costs, strict=True):
            into.append(measure_once())
            time.sleep(0.2)
    return costs


def run_version(namespace: ServerNamespace) -> Cost:
    """Start egressd without any work."""
    completed = namespace.egressd("--version")
    return Cost(cpu=completed.cpu_seconds, wall=completed.seconds, peak_mib=completed.peak_kib / 1024)


def measure(namespace: ServerNamespace, runs: int) -> tuple[Figure, ...]:
    """Compare, and print where the time goes."""
    config, single = egressd_config(namespace), egressd_config(namespace, first=1)
    print(f"One sweep: {len(HTTPS_NAMES)} https and {len(HTTP_NAMES)} http targets, all healthy; ", end="")
    print(f"median of {runs} rounds\n", flush=True)
    ours, theirs, alone, version, floor, floor_single = run_in_turns(
        runs,
        lambda: run_egressd(namespace, config),
        lambda: run_exporter(namespace),
        lambda: run_egressd(namespace, single, targets=1),
        lambda: run_version(namespace),
        lambda: run_floor(namespace, URLS),
        lambda: run_floor(namespace, URLS[:1]),
    )
    figures = print_comparison(
        Rounds(
            egressd=ours,
            exporter=theirs,
            single=alone,
            version=version,
            floor=floor,
            floor_single=floor_single,
        )
    )
    profile(namespace, config)
    return figures


def main() -> None:
    """Compare, or print what is missing."""
    parser = argparse.ArgumentParser(description="Compare egressd with prometheus-blackbox-exporter.")
    parser.add_argument("--runs", type=int, default=5)
    runs: int = parser.parse_args().runs
    with bench_network(EXPORTER) as namespace:
        print_goals(measure(namespace, runs))


if __name__ == "__main__":
    main()
