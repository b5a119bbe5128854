"""A soak test: thousands of sweeps of a lab at full speed, then kill -9 at random moments.

The daemon runs in a process of its own and records, after each sweep, its resident memory, descriptors, tasks
and the size of its state; now and then, after a garbage collection, the memory blocks of live objects. A leak
is a slope of those blocks over the later half of the run (least squares): resident memory rises in steps with
the highest load so far and never falls. The other figures grow if their minimum does. Meanwhile a fault is
switched on and off, and a webhook is notified.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import yaml

from egressd.catalog import load_catalog
from egressd.cli.log import Form, Level, configure_logging
from egressd.config import Flags, load_settings
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.daemon.reload import open_session
from egressd.daemon.run import Daemon, run
from egressd.daemon.sdnotify import SdNotifier
from egressd.metrics.limits import offline_limits
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings
from egressd.service import tune_garbage_collector
from tests.lab_process import lab_process
from tests.state.test_kill import check, kill_once

FAULT = "tls_reset=mcr.microsoft.com"
SWITCH_EVERY = 50
"""Sweeps between two switches of the fault."""
PRINT_EVERY = 100
"""Sweeps between two printed samples."""
PROTOCOLS = ("https", "https", "tls", "tcp")
"""The protocols of the targets, in turn."""
RETENTION = "20m"
"""Short, so that the state stops growing while the soak runs."""
RETAINED = 1200.0
"""The same in seconds."""
COUNT_EVERY = 10
"""Sweeps between two counts of blocks: each needs a garbage collection."""
MAX_SLOPE = 2.0
"""Blocks per sweep; more is a leak. The standing of one target is hundreds."""
MIN_SWEEPS = 1000
"""Sweeps below which the slope is noise."""
MAX_GROWTH = 1.25
"""The allowed growth of a minimum from the earlier to the later half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The daemon after a sweep."""

    sweeps: int
    seconds: float
    """On the monotonic clock."""
    rss_kib: int
    blocks: int
    """Memory blocks of live objects (`sys.getallocatedblocks`); 0: not counted this time."""
    descriptors: int
    tasks: int
    state_kib: int
    cpu_seconds: float


def sample(holder: SnapshotHolder, directory: Path) -> Sample:
    """Measure this process."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    sweeps = holder.current.counters.sweeps
    return Sample(
        sweeps=sweeps,
        seconds=round(time.monotonic(), 1),
        rss_kib=rss,
        blocks=live_blocks() if sweeps % COUNT_EVERY == 0 else 0,
        descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        tasks=len(asyncio.all_tasks()),
        state_kib=sum(one.stat().st_size for one in directory.iterdir()) // 1024,
        cpu_seconds=time.process_time(),
    )


def live_blocks() -> int:
    """Return the number of memory blocks of live objects."""
    gc.collect()
    return sys.getallocatedblocks()


def run_child(config: Path, directory: Path, sweeps: int) -> None:
    """Run the daemon for that many sweeps, and print a sample after each."""
    configure_logging(Level.ERROR, Form.JSON)
    catalog = load_catalog()
    settings = load_settings(config, Flags(), catalog=catalog)

    async def watch(holder: SnapshotHolder, _settings: Settings, intents: Intents) -> None:
        intents.listening.set()
        last = 0
        while last < sweeps:
            await asyncio.sleep(0.05)
            if holder.current.counters.sweeps > last:
                last = holder.current.counters.sweeps
                found = sample(holder, directory)
                print(json.dumps({name: getattr(found, name) for name in Sample.__slots__}), flush=True)
        intents.stop()

    daemon = Daemon(
        settings=settings,
        read=lambda: settings,
        prepare=partial(open_session, catalog=catalog, identity="soak"),
        serve=watch,
        notifier=SdNotifier(),
        state=directory,
        limits=offline_limits(catalog),
    )
    tune_garbage_collector()
    asyncio.run(run(daemon))


@contextmanager
def webhook_server() -> Iterator[tuple[str, list[str]]]:
    """Run a webhook server; yield its URL and the list of alerts received."""
    received: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.extend(f"{one['status']} {one['labels']['alertname']}" for one in body["alerts"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", received
        finally:
            server.shutdown()
            thread.join()


def write_config(folder: Path, targets: int, webhook: str) -> Path:
    """Write a configuration with that many targets of the lab, one address each, at full speed."""
    document = yaml.safe_load((folder / "lab.yml").read_text(encoding="utf-8"))
    rows = (one for one in load_catalog().endpoints if one.port == 443 and Cloud.PUBLIC in one.clouds)
    hosts = sorted({one.pattern for one in rows if not one.is_wildcard and "{" not in one.pattern})
    document |= {
        "profiles": [],
        "interval": "100ms",
        "overrides": [],
        "values": {},
        "probe": document["probe"] | {"families": ["ipv4"]},
        "state": {"retention": RETENTION},
        "notify": {"receivers": [{"name": "webhook_server", "type": "webhook", "url": webhook}]},
        "endpoints": [
            {
                "id": f"soak-{number}",
                "host": hosts[number % len(hosts)],
                "port": 443,
                "protocol": (protocol := PROTOCOLS[number % len(PROTOCOLS)]),
                **({"path": f"/?{number}"} if protocol == "https" else {}),
            }
            for number in range(targets)
        ],
    }
    path = folder / "soak.yml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def soak(folder: Path, *, sweeps: int, targets: int) -> list[Sample]:
    """Run the daemon against the lab and return its samples."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    with lab_process(folder / "lab.yml") as lab, webhook_server() as (webhook, received):
        config = write_config(folder, targets, webhook)
        command = [sys.executable, "-m", "bench.soak", "--child", str(config), str(state), str(sweeps)]
        samples: list[Sample] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            for line in child.stdout or ():
                samples.append(Sample(**json.loads(line)))
                if len(samples) % PRINT_EVERY == 0:
                    print(samples[-1])
                _switch(lab, len(samples))
        if child.returncode != 0 or not samples:
            sys.exit(f"the daemon ended with {child.returncode} after {len(samples)} sweeps")
    counts = ", ".join(f"{count} {what}" for what, count in sorted(Counter(received).items()))
    print(f"the webhook received: {counts or 'nothing'}")
    return samples


def _switch(lab: subprocess.Popen[str], number: int) -> None:
    if number % SWITCH_EVERY == 0 and lab.stdin is not None:
        lab.stdin.write(f"on {FAULT}\n" if number % (2 * SWITCH_EVERY) else "off\n")
        lab.stdin.flush()


def slope(samples: Sequence[Sample]) -> float:
    """Return the growth in blocks per sweep."""
    counted = [one for one in samples if one.blocks]
    line = statistics.linear_regression([one.sweeps for one in counted], [one.blocks for one in counted])
    return line.slope


def judge(samples: Sequence[Sample]) -> list[str]:
    """Print the figures; return the names of those that grow."""
    half = len(samples) // 2
    early, late = samples[half // 5 : half], samples[half:]
    growth = slope(late)
    last = samples[-1]
    grows = ["memory"] if growth > MAX_SLOPE and last.sweeps >= MIN_SWEEPS else []
    print(f"sweeps {last.sweeps}, CPU {last.cpu_seconds / last.sweeps:.3f} s each")
    print(
        f"live objects: slope {growth:+.3f} blocks a sweep over the later half, "
        f"of {max(one.blocks for one in late)}"
        + ("" if last.sweeps >= MIN_SWEEPS else f"; too short to judge by: it takes {MIN_SWEEPS} sweeps")
    )
    print(
        "resident MiB: "
        + ", ".join(f"{one.rss_kib / 1024:.1f}" for one in samples[:: len(samples) // 8 or 1])
    )
    lasted = last.seconds - samples[0].seconds
    for name in ("rss_kib", "descriptors", "tasks", "state_kib"):
        before, after = (min(getattr(one, name) for one in part) for part in (early, late))
        most = max(getattr(one, name) for one in samples)
        print(f"{name:12} at least {before}, then {after}; at most {most}")
        if name == "state_kib" and lasted < 2 * RETAINED:
            print(f"{'':12} the run took {lasted:.0f} s: too short for a retention of {RETAINED:.0f} s")
        elif after > before * MAX_GROWTH + 5:
            grows.append(name)
    return grows


def kill(folder: Path, times: int) -> None:
    """Kill a process that writes state that many times; stop at the first error."""
    choose, events = random.Random(9), 0
    for number in range(times):
        kill_once(folder, number, choose.randint(1, 60), choose.uniform(0.0, 0.05))
        events = asyncio.run(check(folder))
    print(f"killed {times} times: state always loaded, {events} events, none of them twice")


def main() -> int:
    """Run the soak and the kills; fail if something grows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sweeps", type=int, default=2000)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--child", nargs=3, metavar=("CONFIG", "STATE", "SWEEPS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        run_child(Path(asked.child[0]), Path(asked.child[1]), int(asked.child[2]))
        return 0
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # read while this runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the lab ends with us
    with tempfile.TemporaryDirectory() as folder:
        samples = soak(Path(folder), sweeps=asked.sweeps, targets=asked.targets)
        grows = judge(samples)
        killed = Path(folder) / "killed"
        killed.mkdir(mode=0o700)
        kill(killed, asked.kills)
    print(f"GROWS: {', '.join(grows)}" if grows else "nothing grows")
    return 1 if grows else 0


if __name__ == "__main__":
    sys.exit(main())
