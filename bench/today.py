"""What is run today instead: a shell loop of curl over the list, `openssl s_client`, and blackbox_exporter.

The same names once healthy and once with a fifth of them silent: their packets are dropped. Beside the time
stands what is known afterwards, from what each program printed. The loops take one name after the other, as
they do when they are typed; egressd and the exporter probe in parallel.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.compare import ask_exporter
from bench.network import EXPORTER, bench_network, missing
from bench.servers import LOST_ZONE, write_egressd_config
from tests.servers.certificates import ZONE
from tests.servers.namespace import ServerNamespace

NAMES = 50
"""Few, as each silent one takes a loop 10 s."""
EVERY = 5
"""One name in so many is silent."""
LOOPS = {
    "curl": (
        "while read -r name; do curl --silent --show-error --output /dev/null --max-time 10 "
        '--cacert root.pem "https://$name/" 2>said; echo "exit $? $(tail -n 1 said)"; done <names'
    ),
    "openssl": (
        'while read -r name; do timeout 10 openssl s_client -connect "$name:443" -servername "$name" '
        "-CAfile root.pem -verify_return_error </dev/null >said 2>&1; "
        'echo "exit $? $(grep "Verify return code" said | tail -n 1)"; done <names'
    ),
}
"""By program, a loop that prints a line for each name: exit code, and the line that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One program on one list."""

    wall: float
    cpu: float
    known: tuple[str, ...]
    """What is known afterwards, counted from what the program printed."""


def names(*, silent: bool) -> tuple[str, ...]:
    """Return the names; with `silent`, one in five is in the zone whose packets are dropped."""
    return tuple(
        f"s{number}.{LOST_ZONE if silent and number % EVERY == EVERY - 1 else ZONE}"
        for number in range(NAMES)
    )


def run_loop(namespace: ServerNamespace, loop: str, hosts: Sequence[str]) -> Result:
    """Run a loop of a shell over the names, with the resolver of the namespace."""
    folder = namespace.folder
    (folder / "names").write_text("".join(f"{host}\n" for host in hosts), encoding="ascii")
    script = f"mount --bind {folder}/resolv.conf /etc/resolv.conf && {loop}"
    printed = folder / "printed"
    begun = time.monotonic()
    with (
        printed.open("wb") as file,
        subprocess.Popen(
            [*namespace.enter_command, "unshare", "--mount", "sh", "-c", script], cwd=folder, stdout=file
        ) as shell,
    ):
        _, status, used = os.wait4(shell.pid, 0)
        shell.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    lines = Counter(
        re.sub(r"\d+ ms|\d+ milliseconds", "N ms", " ".join(line.split()))
        for line in printed.read_text(encoding="utf-8").splitlines()
    )
    if lines.total() != len(hosts):
        sys.exit(f"the loop did not end: {lines}")
    known = tuple(f"{count} x {line}" for line, count in lines.most_common())
    return Result(wall=wall, cpu=used.ru_utime + used.ru_stime, known=known)


def run_exporter(namespace: ServerNamespace, hosts: Sequence[str]) -> Result:
    """Probe by blackbox_exporter."""
    cost, answered = ask_exporter(namespace, [f"https://{host}/" for host in hosts])
    down = (f"{count} x {what}" for what, count in answered["down"].items())
    known = (f"{answered['up']} x probe_success 1", *down)
    return Result(wall=cost.wall, cpu=cost.cpu, known=known)


def run_egressd(namespace: ServerNamespace, hosts: Sequence[str]) -> Result:
    """Run `egressd --once` and count what its report says."""
    config = write_egressd_config(namespace, [(host, 443, "https") for host in hosts], name="today")
    report = namespace.folder / "today.json"
    done = namespace.egressd("--once", f"--config.file={config}", "--format", "json", "--output", str(report))
    found = json.loads(report.read_text(encoding="utf-8"))
    outcomes = Counter(one["outcome"] for one in found["targets"])
    known = [f"exit {done.code}; " + ", ".join(f"{count} {name}" for name, count in outcomes.items())]
    for one in found["findings"]:
        suspects = ", ".join(each["blame"] for each in one["suspects"]) or one["blame"]
        cleared = ", ".join(each["blame"] for each in one["ruled_out"]) or "nobody"
        known += [
            f"{len(one['targets'])} x {one['reason']}: {one['title']}; confidence {one['confidence']}",
            f"  who: {suspects} (confidence {one['blame_confidence']}); ruled out: {cleared}",
            f"  seen: {one['evidence'][0]}",
            *(f"  decides: {each['decided_by']}" for each in one["suspects"][:1]),
            f"  rules to ask for: {len(one['rules'])}",
        ]
    return Result(wall=done.seconds, cpu=done.cpu_seconds, known=tuple(known))


def versions() -> str:
    """Return the versions of the programs."""
    asked = {"curl": "--version", "openssl": "version", EXPORTER: "--version"}
    said = {
        name: subprocess.run((name, how), capture_output=True, text=True, check=True)
        for name, how in asked.items()
    }
    found = {name: re.search(r"\d+\.\d\S*[\da-z]", one.stdout + one.stderr) for name, one in said.items()}
    return ", ".join(f"{name} {version[0]}" for name, version in found.items() if version)


def measure(namespace: ServerNamespace) -> None:
    """Print the table, and what each program leaves behind."""
    if absent := missing("curl", "openssl", EXPORTER):
        print(f"SKIPPED: what is run today needs {', '.join(absent)}")
        return
    programs: dict[str, Callable[[Sequence[str]], Result]] = {
        "a loop of curl": lambda hosts: run_loop(namespace, LOOPS["curl"], hosts),
        "a loop of openssl s_client": lambda hosts: run_loop(namespace, LOOPS["openssl"], hosts),
        "blackbox_exporter": lambda hosts: run_exporter(namespace, hosts),
        "egressd --once": lambda hosts: run_egressd(namespace, hosts),
    }
    print(f"\nWhat is run today: {NAMES} https targets, all healthy, then {NAMES // EVERY} of them silent")
    print(f"{versions()}; loops take one name at a time, 10 s for each at most\n", flush=True)
    print(f"{'':28}{'healthy':>18}{'a fifth silent':>18}")
    print(f"{'':28}{'wall s':>9}{'CPU s':>9}{'wall s':>9}{'CPU s':>9}", flush=True)
    ends: dict[str, Result] = {}
    for name, run in programs.items():
        healthy, ends[name] = run(names(silent=False)), run(names(silent=True))
        print(
            f"{name:28}{healthy.wall:9.1f}{healthy.cpu:9.2f}{ends[name].wall:9.1f}{ends[name].cpu:9.2f}",
            flush=True,
        )
    print("\nWhat is known afterwards, with a fifth silent:")
    for name, result in ends.items():
        print(f"  {name}")
        for line in result.known:
            print(f"    {line}")


def main() -> None:
    """Measure, or print what is missing."""
    with bench_network() as namespace:
        measure(namespace)


if __name__ == "__main__":
    main()
