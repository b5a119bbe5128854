"""After SIGKILL at random moments no notification is lost or created twice, and all arrive in order."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

from egressd.model.alert import NoticeKind
from egressd.model.event import NoticePosted
from egressd.state.history import read_history
from tests.daemon.notifying_daemon import RECEIVED

ROOT = Path(__file__).parents[2]
TIMES = 8


def run_until_killed(directory: Path, seed: str, *, deliveries: int = 0, more: float = 0.0) -> None:
    """Run it, and kill it some seconds after so many deliveries; 0: let it end."""
    wanted = len(received(directory)) + deliveries
    command = [sys.executable, "-m", "tests.daemon.notifying_daemon", str(directory), seed]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        while deliveries and len(received(directory)) < wanted:
            assert child.poll() is None
            time.sleep(0.005)
        if deliveries:
            time.sleep(more)
            child.kill()
        else:
            assert child.wait(300) == 0


def received(directory: Path) -> list[str]:
    """Return the notices that the receiver got."""
    path = directory / RECEIVED
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def posted(directory: Path) -> list[NoticePosted]:
    """Return the queued notices, in order."""
    events = read_history(directory, since="2000", until="3000", target=None).events
    return [one for one in events if isinstance(one, NoticePosted)]


def test_no_notification_is_lost_when_killed_at_random_moments(tmp_path: Path) -> None:
    """Every notice arrives; only one that was being delivered at a kill may arrive twice."""
    choose = random.Random(11)
    for number in range(TIMES):
        run_until_killed(
            tmp_path, str(number), deliveries=choose.randint(6, 30), more=choose.uniform(0.0, 0.1)
        )
    run_until_killed(tmp_path, "drain")
    made = posted(tmp_path)
    assert len(made) > 5 * TIMES
    assert len({one.notice for one in made}) == len(made)
    lines = received(tmp_path)
    once = [key for key, _ in groupby(line.split()[0] for line in lines)]
    assert once == [one.notice for one in made]
    assert len(lines) - len(once) <= TIMES
    for alert in {one.alert for one in made}:
        kinds = [one.notice_kind for one in made if one.alert == alert]
        turns = [NoticeKind.OPENED, NoticeKind.CLOSED] * len(kinds)
        assert kinds == turns[: len(kinds)], alert
