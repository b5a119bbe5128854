"""A day of bad days: hostile neighbours, full disks, pauses, clock steps, reloads and kills; nothing is lost.

`make soak` runs 1,440 sweeps, as many as a day has at the usual interval, with 50 kills. The short form that
CI runs has the same parts.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from egressd.model.event import Event, NoticePosted
from egressd.state.codec import EVENT_TYPES, decode
from egressd.state.layout import FILE
from tests.daemon.conftest import lab
from tests.daemon.process import HOSTS, Lab, Running, daemon, put, settings
from tests.daemon.webhook_server import WebhookServer
from tests.hostile.floods.serve import flooding
from tests.soak.watcher import Watcher
from tests.state.save_loop import broken_chains

__all__ = ["lab"]

SWEEPS = int(os.environ.get("TEST_SOAK_SWEEPS", "12"))
KILLS = int(os.environ.get("TEST_SOAK_KILLS", "2"))
SEED = os.environ.get("TEST_SOAK_SEED", "1")
FIGURES = os.environ.get("TEST_SOAK_FIGURES", "")
"""A file for the figures."""
INTERVAL = "400ms"
FLOODS = ("hello-requests", "empty-records", "large-certificate", "tickets", "one-byte-data")
MOST_KIB = 128 * 1024
SLOWEST = 1.0
STEPS = (3600.0, -7200.0, 26 * 3600.0, -26 * 3600.0, 0.0, 1.0)
"""Seconds by which the wall clock is off, one after the other."""


@dataclass
class Soak:
    """One soak: what was done to the daemon, and what must be found afterwards."""

    folder: Path
    lab: Lab
    config: Path
    hook: WebhookServer
    watcher: Watcher
    choose: random.Random
    ports: dict[str, int]
    clock: Path
    done: Counter[str] = field(default_factory=Counter)

    def text(self, **more: object) -> str:
        """Return the configuration: some places of the lab, and every hostile neighbour."""
        receiver = {"name": "hook", "type": "cloudevents", "url": f"{self.hook.url}/soak", "queue": 5000}
        rows = [
            {"id": f"own-{number}", "host": host, "port": 443, "protocol": "https"}
            for number, host in enumerate(HOSTS)
        ]
        rows += [
            {"id": name, "host": "127.0.0.1", "port": port, "protocol": "http" if "http" in name else "https"}
            for name, port in self.ports.items()
        ]
        return settings(
            self.lab,
            interval=INTERVAL,
            endpoints=rows,
            probe={
                "deadline": "700ms",
                "connect_timeout": "500ms",
                "tls_timeout": "500ms",
                "http_timeout": "500ms",
            },
            alerts={"patience": {"explicit": 1, "silent": 2, "better": 1}},
            notify={"receivers": [receiver]},
            **more,
        )

    def run_until(self, sweeps: int, *, last: bool) -> None:
        """Start the daemon, let things happen until it has swept so often, and end it."""
        with daemon(
            self.folder, self.config, module="tests.soak.stepping_daemon", CLOCK=str(self.clock)
        ) as running:
            self.done["starts"] += 1
            running.wait_for("READY=1")
            self.watcher.watch(running.process.pid, running.port)
            seen = 0
            while seen < sweeps:
                self.choose.choice(ACTIONS)(self, running)
                before, seen = seen, sweeps_in(running)
                running.until(lambda before=before: sweeps_in(running) > before, "another sweep")  # type: ignore[misc]
            self.done["sweeps"] += seen
            self.hook.status = 200
            running.until(lambda: metric(running, "state_persisted") == 1, "state is kept")
            if last:
                self.lab.do("off")
                running.until(lambda: queued(running) == 0, "all is delivered")
            self.watcher.pause()
            if last:
                assert running.stop()[0] == 0
            else:
                assert running.stop(signal.SIGKILL)[0] == -signal.SIGKILL
            assert "Traceback" not in running.errors.read_text(encoding="utf-8")


def fault(soak: Soak, running: Running) -> None:
    """Let something of the lab fail, or all be well."""
    host = soak.choose.choice(HOSTS)
    soak.lab.do(soak.choose.choice((f"on tls_reset={host}", f"on http_blocked={host}", "off", "off")))
    soak.done["faults"] += 1


def pause(soak: Soak, running: Running) -> None:
    """Stop the process for a while, as a snapshot of a virtual machine does."""
    soak.watcher.pause()
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(soak.choose.uniform(0.5, 2.5))
    running.process.send_signal(signal.SIGCONT)
    soak.watcher.watch(running.process.pid, running.port)
    soak.done["pauses"] += 1


def step_clock(soak: Soak, running: Running) -> None:
    """Set the wall clock."""
    fresh = soak.clock.with_suffix(".new")
    fresh.write_text(str(STEPS[soak.done["clock steps"] % len(STEPS)]), encoding="ascii")
    fresh.replace(soak.clock)
    soak.done["clock steps"] += 1


def reload(soak: Soak, running: Running) -> None:
    """Reload a configuration that is good, or bad in one of several ways."""
    good = soak.choose.random() < 0.5
    bad = ("interval: [", "interval: 1s\nnonsense: 1\n", "\xff\xfe", "profiles: [no-such-profile]\n")
    text = soak.text()
    put(soak.config, text if good else soak.choose.choice(bad))
    said = "configuration read again" if good else "configuration is bad, the old one stays"
    before = len(running.events(said))
    running.process.send_signal(signal.SIGHUP)
    running.until(lambda: len(running.events(said)) > before, said)
    put(soak.config, text)
    soak.done["reloaded" if good else "rejected"] += 1


def fill_disk(soak: Soak, running: Running) -> None:
    """Leave no room for the state for a while."""
    with full_disk(soak.folder / "state", running):
        soak.lab.do(f"on tls_reset={soak.choose.choice(HOSTS)}")
        seen = sweeps_in(running)
        running.until(lambda: sweeps_in(running) > seen + 1, "sweeps on a full disk")
        soak.lab.do("off")
        running.until(lambda: sweeps_in(running) > seen + 2, "sweeps on a full disk")
    running.until(lambda: metric(running, "state_persisted") == 1, "state is kept again")
    soak.done["full disks"] += 1


def trouble_receiver(soak: Soak, running: Running) -> None:
    """Let the receiver of notifications be busy, or well."""
    soak.hook.status = soak.choose.choice((200, 503))
    soak.done["receiver changes"] += 1


def nothing(soak: Soak, running: Running) -> None:
    """Just sweep."""


ACTIONS: tuple[Callable[[Soak, Running], None], ...] = (
    fault, fault, fault, pause, step_clock, reload, fill_disk, trouble_receiver, nothing, nothing, nothing,
)  # fmt: skip


@contextmanager
def full_disk(state: Path, running: Running) -> Iterator[None]:
    """Fill the file system of the state; where it is not one of its own, limit the size of files."""
    if os.path.ismount(state):
        filler = state / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        yield
        filler.unlink()
        return
    pid, limits = running.process.pid, resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    size = max(one.stat().st_size for one in (*state.iterdir(), running.errors))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 4_000_000, limits[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def sweeps_in(running: Running) -> int:
    """Return how many sweeps this daemon has logged."""
    return running.errors.read_bytes().count(b'"event": "sweep"')


def metric(running: Running, name: str) -> float | None:
    """Return a metric without labels."""
    found = re.search(rf"^egressd_{name} (\S+)$", running.get("/metrics")[1], re.MULTILINE)
    return float(found[1]) if found else None


def queued(running: Running) -> float:
    """Return how many notifications wait."""
    text = running.get("/metrics")[1]
    return sum(map(float, re.findall(r"^egressd_notifications_queue_length{\S+} (\S+)$", text, re.MULTILINE)))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Return the state directory: a small file system where this user may mount one."""
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def neighbours() -> Iterator[dict[str, int]]:
    """Return the ports of hostile neighbours, by name."""
    with ExitStack() as stack:
        floods = stack.enter_context(flooding(*FLOODS, rate=200_000))
        command = [sys.executable, "-m", "tests.soak.neighbours", SEED]
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        yield json.loads(process.stdout.readline()) | {f"flood-{one}": floods.ports[one] for one in FLOODS}


def history(state: Path) -> list[Event]:
    """Return every event but sweeps, in order."""
    with closing(sqlite3.connect(state / FILE)) as connection:
        rows = connection.execute("SELECT kind, body FROM events WHERE kind != 'sweep' ORDER BY id")
        return [decode(body, EVENT_TYPES[kind]) for kind, body in rows]


def test_nothing_is_lost_on_bad_days(
    tmp_path: Path, lab: Lab, state: Path, neighbours: dict[str, int]
) -> None:
    """Every change is recorded once, every notice arrives once, memory and health stay within bounds."""
    clock = tmp_path / "clock"
    clock.write_text("0", encoding="ascii")
    with WebhookServer() as hook, Watcher() as watcher:
        hook.open()
        soak = Soak(
            tmp_path, lab, tmp_path / "egressd.yml", hook, watcher, random.Random(SEED), neighbours, clock
        )
        put(soak.config, soak.text())
        begun = time.monotonic()
        for number in range(KILLS + 1):
            soak.run_until(-(-SWEEPS // (KILLS + 1)), last=number == KILLS)
            assert watcher.bad == []
        figures = check(soak, history(state), hook.received) | {"seconds": round(time.monotonic() - begun)}
    if FIGURES:
        Path(FIGURES).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    assert watcher.most_kib < MOST_KIB
    assert watcher.slowest < SLOWEST


def check(soak: Soak, events: list[Event], received: list[dict[str, Any]]) -> dict[str, object]:
    """Compare what was recorded with what was done, and what was told with what was recorded."""
    kinds = Counter(type(one).__name__ for one in events)
    assert broken_chains(events) == []
    assert kinds["ConfigReloaded"] == soak.done["reloaded"]
    assert kinds["ConfigRejected"] == soak.done["rejected"]
    assert kinds["DaemonStarted"] == soak.done["starts"] == KILLS + 1
    assert kinds["DaemonStopped"] == 1
    posted = [one.notice for one in events if isinstance(one, NoticePosted)]
    assert len(set(posted)) == len(posted)
    told = Counter(one["data"]["notice"] for one in received if one["data"]["part"] == 1)
    assert set(told) == set(posted)
    again = sum(told.values()) - len(told)
    assert again <= KILLS  # one that was being delivered at a kill, with the same id
    return {
        **soak.done,
        "kills": KILLS,
        "events": len(events),
        "notices": len(posted),
        "told again after a kill": again,
        "MiB": round(soak.watcher.most_kib / 1024, 1),
        "health questions": soak.watcher.answers,
        "slowest answer in seconds": round(soak.watcher.slowest, 3),
    }
