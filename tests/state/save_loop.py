"""A program that saves state as fast as it can until it is killed, and the invariants of the saved state.

`python -m tests.state.save_loop DIRECTORY SEED` probes a few flapping targets, and saves after each
sweep, until it is killed.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable
from pathlib import Path

from egressd import clock
from egressd.model.event import Event, TargetChanged
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Snapshot
from egressd.model.standing import Standings
from egressd.model.verdict import Outcome
from egressd.standing import advance
from egressd.state import Persistence
from tests.standing.sweeps import sweep

TARGETS = tuple(f"row-{number}/h{number}:443" for number in range(8))


async def save_forever(directory: Path, seed: str) -> None:
    """Save in a loop, and print a line after each save."""
    persistence = Persistence(directory)
    saved_state, status = await persistence.open()
    print_line(f"open {status.problem}")
    believed, choose = saved_state.standings, random.Random(seed)
    words = dict.fromkeys(TARGETS, "ok")
    number = 0
    while True:
        if number % 3 == 0:
            words[choose.choice(TARGETS)] = choose.choice(["ok", "blocked:tls_reset", "down:dns_nxdomain"])
        number += 1
        now = clock.timestamp()
        believed, events = advance(believed, sweep(f"{seed}-{number}", words), now=now)
        shown = Snapshot(
            settings=Settings(),
            config=ConfigStatus(digest="", since=now),
            started=now,
            standings=believed,
        )
        status = await persistence.save(shown, events, ())
        print_line(f"saved {status.problem}")


def print_line(line: str) -> None:
    """Print a line for the parent process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def broken_chains(events: Iterable[Event]) -> list[str]:
    """Yield changes that do not start from the belief after the one before."""
    last: dict[tuple[str, str], tuple[object, ...]] = {}
    broken = []
    for one in events:
        if not isinstance(one, TargetChanged):
            continue
        key = (one.target, one.source)
        before = one.before.key if one.before is not None else None
        first = before is None or before[0] is Outcome.OK
        known = last.get(key, before if first else ())
        if before != known or one.after.key == before:
            broken.append(f"{one.at} {one.target}: {before} -> {one.after.key}, after {known}")
        last[key] = one.after.key
    return broken


def disagreements(events: Iterable[Event], standings: Standings) -> list[str]:
    """Yield targets whose belief is not that of their last event."""
    last = {(one.target, one.source): one.after.key for one in events if isinstance(one, TargetChanged)}
    return [
        f"{one.target}: believed {one.belief.key}, last event {last.get(one.key)}"
        for one in standings.targets
        if not one.unknown
        and one.belief.key != last.get(one.key, one.belief.key if one.belief.outcome is Outcome.OK else None)
    ]


if __name__ == "__main__":
    asyncio.run(save_forever(Path(sys.argv[1]), sys.argv[2]))
