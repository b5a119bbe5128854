"""After SIGKILL at random moments the state always loads, and no event is recorded twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from egressd.state import Persistence
from egressd.state.history import read_history
from tests.state.save_loop import broken_chains, disagreements

ROOT = Path(__file__).parents[2]
TIMES = 8
"""`make soak` does it fifty times."""


def kill_once(directory: Path, seed: int, saves: int, more: float) -> int:
    """Run the program, kill it some seconds after so many saves, and return how often it saved."""
    command = [sys.executable, "-m", "tests.state.save_loop", str(directory), str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open \n"
        for _ in range(saves):
            assert child.stdout.readline() == "saved \n"
        time.sleep(more)
        child.kill()
        return saves + child.stdout.read().count("saved \n")


async def check(directory: Path) -> int:
    """Load the state, compare it with the saved events, and return their number."""
    persistence = Persistence(directory)
    saved_state, status = await persistence.open()
    persistence._close()
    assert status.problem == ""
    assert saved_state.standings.targets
    events = read_history(directory, since="2000", until="3000", target=None).events
    assert broken_chains(events) == []
    assert disagreements(events, saved_state.standings) == []
    assert not [name for name in os.listdir(directory) if "damaged" in name]  # noqa: PTH208 - names will do
    return len(events)


async def test_killed_at_random_moments(tmp_path: Path) -> None:
    """After each kill the state loads without gaps, and the next process continues from it."""
    choose = random.Random(4)
    counts = [0]
    for number in range(TIMES):
        saved = kill_once(tmp_path, number, choose.randint(1, 60), choose.uniform(0.0, 0.05))
        counts.append(await check(tmp_path))
        assert saved or counts[-1] >= counts[-2]
    assert counts == sorted(counts)
    assert counts[-1] > TIMES
