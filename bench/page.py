"""What the status page of a large site costs: 1,000 targets, and a history full of changes over 90 days."""

from __future__ import annotations

import argparse
import gzip
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from bench.scrape import site
from egressd import clock
from egressd.model.event import TargetChanged
from egressd.model.snapshot import Snapshot, StateStatus
from egressd.model.standing import Belief
from egressd.model.verdict import Outcome
from egressd.state.store import SavedState, Store
from egressd.web.status.filters import PERIODS, PageQuery
from egressd.web.status.page import StatusPage
from egressd.wording import stamp

LIMIT = 3.0
"""Seconds of CPU that a page may take."""
LINE = "10.20.0.11:40112 -> 203.0.113.9:443: ClientHello of 517 bytes sent 6 times, never acknowledged"


def with_history(snapshot: Snapshot, directory: Path, changes: int) -> Snapshot:
    """Write so many changes of the targets in turn, evenly over 90 days; return a snapshot that has them."""
    now, store = clock.now(), Store(directory)
    pairs = [one.key for one in snapshot.standings.targets]
    beliefs = (Belief(outcome=Outcome.OK), Belief(outcome=Outcome.BLOCKED, evidence=(LINE,) * 8, advice=LINE))
    step = timedelta(days=90) / changes
    events = []
    for number in range(changes):
        at = stamp(now - timedelta(days=90) + number * step)
        target, source = pairs[number % len(pairs)]
        turn = number // len(pairs) % 2
        events.append(
            TargetChanged(
                at=at, since=at, target=target, source=source, before=beliefs[turn], after=beliefs[1 - turn]
            )
        )
    store.save(SavedState(), events, whole=True)
    store.close()
    return replace(snapshot, state=StateStatus(directory=str(directory)))


def main() -> int:
    """Print the figures; fail if a page takes too long."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    worst = 0.0
    with TemporaryDirectory() as folder:
        snapshot = with_history(site(targets=asked.targets, sources=1), Path(folder), asked.changes)
        print(f"{asked.targets} targets, {asked.changes} changes in 90 days; medians of {asked.runs} pages:")
        for period in PERIODS:
            query, taken, body = PageQuery(period=period), [], b""
            for _ in range(asked.runs):
                page, begun = StatusPage(), time.thread_time()
                body = page.render(snapshot, now=clock.now(), stalled=False, query=query)
                taken.append(time.thread_time() - begun)
            median = statistics.median(taken)
            worst = max(worst, median)
            size = len(gzip.compress(body, 6))
            print(
                f"{period:>4}: {median * 1000:6.0f} ms of CPU,",
                f"{len(body) / 1e6:.1f} MB, {size / 1e3:.0f} kB as gzip",
            )
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
