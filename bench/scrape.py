"""The cost of scraping a large site, and how long a scrape delays the event loop.

A client in a process of its own scrapes the daemon, each time after the snapshot has changed. Meanwhile the
longest delay of the loop is measured twice: in CPU time of its thread, which is what a scrape costs it, and
in wall-clock time, which includes waiting for other threads. The latter is to be compared with the delay
beside a thread that only spins: on a busy machine that is no shorter.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass

from aiohttp import web

from egressd.catalog import load_catalog
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.metrics.exposition import Exposition
from egressd.model.snapshot import Snapshot
from egressd.model.verdict import Outcome
from egressd.service import tune_garbage_collector
from egressd.web.access import Access
from egressd.web.app import make_app
from egressd.web.middleware import Gate
from tests.metrics.snapshots import Row, make_snapshot, make_sweep

LOOP_LIMIT = 0.020
"""Seconds that one scrape may delay the loop."""
CLIENT = """
import http.client, sys, time
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=30)
begun = time.monotonic()
connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
answer = connection.getresponse()
print(answer.status, len(answer.read()), time.monotonic() - begun)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopDelay:
    """The longest delay of the event loop, in seconds."""

    cpu: float
    """CPU time of the loop's thread."""
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """One scrape as the client sees it."""

    size: int
    """Bytes, compressed."""
    seconds: float
    longest: LoopDelay


def site(*, targets: int, sources: int) -> Snapshot:
    """A site where one target in ten fails."""
    rows = [
        Row(host=f"host-{number}.region.azure.com", outcome=Outcome.OK if number % 10 else Outcome.BLOCKED)
        for number in range(targets)
    ]
    return make_snapshot(make_sweep(*rows, sources=sources))


async def longest_delay(work: Awaitable[object]) -> LoopDelay:
    """Await something; return the longest delay of the loop meanwhile."""
    task = asyncio.ensure_future(work)
    cpu, wall = time.thread_time(), time.perf_counter()
    longest = LoopDelay(cpu=0.0, wall=0.0)
    while not task.done():
        await asyncio.sleep(0)
        cpu_now, wall_now = time.thread_time(), time.perf_counter()
        longest = LoopDelay(cpu=max(longest.cpu, cpu_now - cpu), wall=max(longest.wall, wall_now - wall))
        cpu, wall = cpu_now, wall_now
    await task
    return longest


async def scrape(port: int) -> Scrape:
    """Let a client scrape once."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, str(port), stdout=asyncio.subprocess.PIPE
    )
    reading = asyncio.ensure_future(client.communicate())
    longest = await longest_delay(reading)
    status, size, seconds = reading.result()[0].split()
    if status != b"200":
        sys.exit(f"the scrape was answered with {status.decode()}")
    return Scrape(size=int(size), seconds=float(seconds), longest=longest)


async def measure(snapshot: Snapshot, runs: int) -> list[Scrape]:
    """Scrape the daemon so many times, each time after a change."""
    holder = SnapshotHolder(snapshot)
    gate = Gate(access=Access(), holder=holder, loopback_only=True)
    app = make_app(gate, holder, Intents(), load_catalog())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        found = []
        for number in range(runs):
            holder.update(next_sweep=f"2026-11-21T00:00:{number % 60:02d}.000Z")
            found.append(await scrape(port))
        return found
    finally:
        await runner.cleanup()


def spin(seconds: float) -> None:
    """Keep a thread busy."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def delay_beside_spin(seconds: float, runs: int) -> float:
    """Return the longest delay beside a busy thread, the median of several."""
    return statistics.median(
        [(await longest_delay(asyncio.to_thread(spin, seconds))).wall for _ in range(runs)]
    )


def main() -> int:
    """Print the figures; fail if the loop is delayed for too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--sources", type=int, default=3)
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()
    snapshot = site(targets=asked.targets, sources=asked.sources)
    tune_garbage_collector()  # as the daemon does
    begun = time.thread_time()
    text = Exposition({}).render(snapshot)
    rendering = time.thread_time() - begun
    scrapes = asyncio.run(measure(snapshot, asked.runs))
    beside = asyncio.run(delay_beside_spin(rendering, asked.runs))
    cpu = statistics.median(one.longest.cpu for one in scrapes)
    wall = statistics.median(one.longest.wall for one in scrapes)
    response_time = statistics.median(one.seconds for one in scrapes)
    lines = sum(not line.startswith(b"#") for line in text.splitlines())
    print(
        f"{asked.targets} targets x {asked.sources} sources: {lines} series, {len(text) / 1e6:.1f} MB, ",
        end="",
    )
    print(f"{scrapes[0].size / 1e3:.0f} kB compressed; medians of {asked.runs} scrapes:")
    print(f"rendering, in a thread, once for each snapshot:  {rendering * 1000:6.1f} ms of CPU")
    print(f"response, as the client sees it:                 {response_time * 1000:6.1f} ms")
    print(f"longest delay of the loop, its own CPU:          {cpu * 1000:6.1f} ms")
    print(f"longest delay of the loop, waiting for threads:  {wall * 1000:6.1f} ms")
    print(f"the same beside a thread that only spins:        {beside * 1000:6.1f} ms")
    return 0 if cpu <= LOOP_LIMIT and wall <= max(LOOP_LIMIT, 3 * beside) else 1


if __name__ == "__main__":
    sys.exit(main())
