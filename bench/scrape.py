"""What a scrape of a large site costs, and how long it keeps the event loop from running.

A thread spins as the loop is measured once more without any scrape: on a busy machine, that is what the other
figure has to be read beside.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable

from egressd.metrics.exposition import Exposition
from egressd.model.snapshot import Snapshot
from egressd.model.verdict import Outcome
from tests.metrics.pictures import Row, make_snapshot, make_sweep

LOOP_LIMIT = 0.020
"""Seconds the loop may be kept from running by one scrape."""


def site(*, targets: int, sources: int) -> Snapshot:
    """A site where one target in ten fails."""
    rows = [
        Row(host=f"host-{number}.region.azure.com", outcome=Outcome.OK if number % 10 else Outcome.BLOCKED)
        for number in range(targets)
    ]
    return make_snapshot(make_sweep(*rows, sources=sources))


async def longest_pause(work: Callable[[], object]) -> float:
    """Run work in a thread; return the longest time the loop did not get its turn meanwhile."""
    longest, done = 0.0, False

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    async with asyncio.TaskGroup() as group:
        group.create_task(watch())
        await asyncio.to_thread(work)
        done = True
    return longest


def main() -> int:
    """Print the figures; fail where the loop is kept from running for longer than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--sources", type=int, default=3)
    parser.add_argument("--runs", type=int, default=9)
    asked = parser.parse_args()
    snapshot = site(targets=asked.targets, sources=asked.sources)
    text = Exposition({}).render(snapshot)
    fresh: list[float] = []

    def render() -> None:
        begun = time.perf_counter()
        Exposition({}).render(snapshot)
        fresh.append(time.perf_counter() - begun)

    def spin() -> None:
        end = time.perf_counter() + statistics.median(fresh)
        while time.perf_counter() < end:
            pass

    scraping = [asyncio.run(longest_pause(render)) for _ in range(asked.runs)]
    spinning = [asyncio.run(longest_pause(spin)) for _ in range(asked.runs)]
    pause = statistics.median(scraping)
    lines = sum(not line.startswith(b"#") for line in text.splitlines())
    print(f"{asked.targets} targets x {asked.sources} sources: {lines} series, {len(text) / 1e6:.1f} MB")
    print(f"rendered in a thread in {statistics.median(fresh) * 1000:.0f} ms, once for each snapshot")
    print(f"longest pause of the loop meanwhile: {pause * 1000:.1f} ms, median of {asked.runs} scrapes")
    print(f"the same while a thread merely spins: {statistics.median(spinning) * 1000:.1f} ms")
    return 0 if pause <= max(LOOP_LIMIT, 2 * statistics.median(spinning)) else 1


if __name__ == "__main__":
    sys.exit(main())
