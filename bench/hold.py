"""How long taking in a look of 1,500 probes holds the daemon's event loop.

A process of its own opens a session as the daemon does, probes 1,500 plain http targets, and has what was
seen judged, taken in, evaluated and saved, several times. Meanwhile the longest delay of the loop is measured
as in `bench.scrape`: in CPU time of its thread, and in wall-clock time, which includes waiting for threads.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench.goals import Figure, print_goals
from bench.network import bench_network
from bench.scrape import LoopDelay, longest_delay
from bench.servers import write_egressd_config
from egressd import clock
from egressd.catalog import load_catalog
from egressd.cli.log import Form, Level, configure_logging
from egressd.config import Flags, load_settings
from egressd.daemon.event_log import EventLog
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.reload import open_session
from egressd.daemon.state_store import StateStore
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.service import tune_garbage_collector
from egressd.state import Persistence
from tests.servers.certificates import ZONE
from tests.servers.namespace import ServerNamespace

PROBES, LOOKS = 1500, 5


async def take_in(config: Path, directory: Path) -> list[LoopDelay]:
    """Probe and take in, several times; return the longest delay of each time."""
    catalog = load_catalog()
    settings = load_settings(config, Flags(), catalog=catalog)
    keeper = Persistence(directory)
    await keeper.open()
    session = open_session(settings, catalog=catalog, identity="bench")
    began = clock.timestamp()
    status = ConfigStatus(digest=settings.digest, since=began)
    holder = SnapshotHolder(Snapshot(settings=settings, config=status, started=began, plan=session.plan))
    store = StateStore(holder=holder, keeper=keeper, on_events=EventLog(holder))
    tune_garbage_collector()
    probes = frozenset(one.id for one in session.plan.probes)
    delays = []
    for _ in range(LOOKS):
        recording = await session.probe()
        taking_in = store.apply(session, of=recording, probes=probes, seconds=1.0)
        delays.append(await longest_delay(taking_in))
    up = sum(one.up for one in holder.current.standings.targets)
    if up != PROBES:
        sys.exit(f"{up} targets are up, not {PROBES}: the measurement is void")
    await keeper.close(holder.current, session.discoveries)
    return delays


def measure(namespace: ServerNamespace) -> tuple[Figure, ...]:
    """Take in looks in a process in the namespace, and print the delays."""
    rows = [(f"p{number}.{ZONE}", 80, "http") for number in range(PROBES)]
    config = write_egressd_config(namespace, rows, name="hold")
    state = namespace.folder / "hold"
    state.mkdir(mode=0o700)
    command = [sys.executable, "-m", "bench.hold", "--child", str(config), str(state)]
    done = subprocess.run([*namespace.enter_command, *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"looks were not taken in:\n{done.stderr}")
    delays = [LoopDelay(**one) for one in json.loads(done.stdout)]
    cpu, wall = (1000 * statistics.median(getattr(one, name) for one in delays) for name in ("cpu", "wall"))
    print(f"\nTaking in a look of {PROBES} probes, all healthy, holds the loop; medians of {LOOKS}")
    print(f"its own CPU: {cpu:.1f} ms; with waiting for threads and processes: {wall:.1f} ms", flush=True)
    return (Figure(label=f"ms that a look of {PROBES:,} probes holds the loop", ours=cpu, goal=20),)


def main() -> None:
    """Measure, or be the process that is measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--child", nargs=2, type=Path, metavar=("CONFIG", "STATE"), help=argparse.SUPPRESS)
    child: list[Path] | None = parser.parse_args().child
    if child is not None:
        configure_logging(Level.ERROR, Form.JSON)
        print(json.dumps([asdict(one) for one in asyncio.run(take_in(child[0], child[1]))]))
        return
    with bench_network() as namespace:
        print_goals(measure(namespace))


if __name__ == "__main__":
    main()
