"""The whole daemon on a host with a full disk, or a network that drops everything."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from egressd.model.event import DaemonStarted, DaemonStopped, TargetChanged
from egressd.state.history import read_history
from tests.daemon.process import Lab, Running, daemon, settings
from tests.servers.namespace import ServerNamespace

NOWHERE = ("203.0.113.7", "203.0.113.8", "203.0.113.9")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a state directory on a file system of eight MiB; skip without permission to mount it."""
    folder = tmp_path / "state"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("SKIPPED: a full disk needs root, to mount a small one")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_disk(disk: Path) -> Path:
    """Fill the file system."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    return filler


def test_a_full_disk_stops_no_sweep_and_loses_no_event(
    tmp_path: Path, config: Path, lab: Lab, small_disk: Path
) -> None:
    """On a full disk sweeps go on and faults are logged; the history has them once there is room."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        filler = fill_disk(small_disk)
        lab.do("on tls_reset=mcr.microsoft.com")
        running.until(lambda: running.events("target changed"), "confirmed")
        running.until(lambda: running.events("state is not kept"), "said")
        running.wait_for("state is not kept")
        assert "State can&#39;t be saved" in running.get("/")[1]
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before + 1, "sweeps")
        assert running.get("/-/healthy")[0] == 200
        filler.unlink()
        running.until(lambda: running.events("state is kept again"), "kept again")
        lab.do("off")
        running.until(lambda: len(running.events("target changed")) == 2, "fixed")
        assert running.stop()[0] == 0
        logged = [one["outcome"] for one in running.events("target changed")]
    events = read_history(small_disk, since="2000", until="3000", target=None).events
    kept = [one.after.outcome.value for one in events if isinstance(one, TargetChanged)]
    assert (logged, kept) == (["blocked", "ok"], ["blocked", "ok"])


@pytest.fixture
def isolated_host(tmp_path: Path) -> Iterator[ServerNamespace]:
    """Return a namespace where every packet beyond loopback is dropped."""
    namespace = ServerNamespace.make(tmp_path)
    if namespace.holder is None:
        pytest.skip("SKIPPED: a network of its own needs root, or user namespaces")
    yield namespace
    namespace.close()


@contextmanager
def start_isolated_daemon(namespace: ServerNamespace, lab: Lab, **changes: object) -> Iterator[Running]:
    """Start a daemon in the namespace, for a few addresses, so that no name is resolved."""
    path = namespace.folder / "egressd.yml"
    rows = [{"id": f"own-{host[-1]}", "host": host, "port": 443, "protocol": "https"} for host in NOWHERE]
    changes = {"connect_to": [], "endpoints": rows, "web": {"listen": "127.0.0.1:10980"}} | changes
    path.write_text(settings(lab, **changes), encoding="utf-8")
    name, errors = namespace.folder / "notify", namespace.folder / "log"
    surroundings = {
        **os.environ,
        "NOTIFY_SOCKET": str(name),
        "STATE_DIRECTORY": str(namespace.folder / "state"),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, errors.open("w") as stream:
        receiver.bind(str(name))
        receiver.settimeout(1)
        command = [*namespace.enter_command, sys.executable, "-m", "egressd", f"--config.file={path}"]
        with subprocess.Popen(command, stderr=stream, stdout=stream, text=True, env=surroundings) as process:
            try:
                yield Running(process, receiver, 0, errors)
            finally:
                process.kill()


def test_dropped_packets_everywhere_are_one_finding(isolated_host: ServerNamespace, lab: Lab) -> None:
    """With every connection dropped sweeps end in time with one finding, and the daemon stops in seconds."""
    probe = {"connect_timeout": "1s", "deadline": "2s", "families": ["ipv4"]}
    with start_isolated_daemon(isolated_host, lab, probe=probe, interval="12s") as running:
        running.wait_for(f"{len(NOWHERE)} failing")
        running.until(lambda: running.events("finding opened"), "a finding")
        (finding,) = running.events("finding opened")
        assert finding["targets"] == len(NOWHERE)
        assert {one["phase"] for one in running.events("target changed")} == {"tcp"}
        assert not running.events("sweep overran")
        code, seconds = running.stop()
        assert (code, seconds < 10) == (0, True)


def test_stopping_during_a_sweep_changes_no_verdict(isolated_host: ServerNamespace, lab: Lab) -> None:
    """SIGTERM during a sweep stops the daemon at once, with 0 and no change logged."""
    probe = {"connect_timeout": "20s", "deadline": "30s", "families": ["ipv4"]}
    with start_isolated_daemon(isolated_host, lab, probe=probe, interval="120s") as running:
        running.wait_for("READY=1")
        end = time.monotonic() + 60
        while not pending_connects(running.process.pid).issuperset(NOWHERE):
            assert time.monotonic() < end, "never dialled"
            time.sleep(0.1)
        code, seconds = running.stop(signal.SIGTERM)
        assert (code, seconds < 10) == (0, True)
        names = {line["event"] for line in running.lines()}
        assert names.isdisjoint({"sweep", "target changed", "finding opened"})
        assert "Traceback" not in running.errors.read_text(encoding="utf-8")
    events = read_history(isolated_host.folder / "state", since="2000", until="3000", target=None).events
    assert [type(one) for one in events] == [DaemonStarted, DaemonStopped]


def pending_connects(pid: int) -> set[str]:
    """Return the addresses of pending connects (SYN_SENT) in a process's namespace."""
    rows = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    waiting = (row.split()[2].split(":")[0] for row in rows if row.split()[3] == "02")  # SYN_SENT
    return {socket.inet_ntoa(bytes.fromhex(one)[::-1]) for one in waiting}
