"""A machine with systemd, booted by systemd-nspawn from a minimal Debian, without a network."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BOOT_TIMEOUT = 60.0
"""Seconds that a boot may take."""
LOG_CHARACTERS = 4000
"""Characters of the log in a failure message."""
UNIT = "egressd.service"
NSPAWN = ("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--console=pipe")


@dataclass(slots=True, kw_only=True)
class Machine:
    """The machine; commands enter its namespaces from outside."""

    root: Path
    process: subprocess.Popen[bytes]
    leader: int
    """The host's pid of its process 1."""

    def run(self, *command: str, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command inside; its exit code is not checked."""
        inside = ["nsenter", f"--target={self.leader}"]
        inside += ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        return subprocess.run(
            [*inside, "--", *clean, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def must(self, *command: str, stdin: str = "") -> str:
        """Run a command inside that must succeed; return its stdout."""
        ended = self.run(*command, stdin=stdin)
        assert ended.returncode == 0, (
            f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}\n{self.log()[-LOG_CHARACTERS:]}"
        )
        return ended.stdout

    def show(self, name: str, unit: str = UNIT) -> str:
        """Return one property of a unit."""
        return self.must("systemctl", "show", "--value", f"--property={name}", unit).strip()

    def log(self, *words: str, unit: str = UNIT) -> str:
        """Return the journal of a unit."""
        return self.run("journalctl", "--no-pager", f"--unit={unit}", "--output=short-precise", *words).stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file inside."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def wait(self, *, until: str, of: str, unit: str = UNIT, seconds: float = 60) -> None:
        """Wait until a property of a unit contains a text."""
        self.settle(lambda: until in self.show(of, unit), f"{of} of {unit} to hold {until!r}", seconds)

    def wait_without(self, text: str, *, of: str, unit: str = UNIT) -> None:
        """Wait until a property of a unit no longer contains a text."""
        self.settle(lambda: text not in self.show(of, unit), f"{of} of {unit} to lose {text!r}")

    def wait_log(self, text: str, *words: str, unit: str = UNIT) -> None:
        """Wait until the journal of a unit contains a text."""
        self.settle(lambda: text in self.log(*words, unit=unit), f"{text!r} in the journal")

    def settle(self, true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait until `true` returns True; `what` describes it in the failure message."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"waited {seconds:g} s for {what}\n{self.log()[-LOG_CHARACTERS:]}"
            time.sleep(0.1)

    def power_off(self) -> None:
        """Shut down, with SIGKILL after 20 seconds."""
        self.run("systemctl", "poweroff")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def unpack(archive: Path, into: Path) -> None:
    """Unpack an archive as root."""
    into.mkdir(parents=True, exist_ok=True)
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={into}"], check=True)


def once(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one command on the machine without booting it."""
    return subprocess.run(
        [*NSPAWN, f"--directory={root}", "--", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def boot(root: Path) -> Machine:
    """Boot, and wait until systemd has started everything."""
    with (root.parent / "console.log").open("wb") as console:
        process = subprocess.Popen(
            [*NSPAWN, f"--directory={root}", f"--machine=egressd-{os.getpid()}", "--boot"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
    end = time.monotonic() + BOOT_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        leader = _first_child(process.pid)
        machine = Machine(root=root, process=process, leader=leader or 0)
        if leader and machine.run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}:
            return machine
        time.sleep(0.2)
    process.kill()
    process.wait()
    raise AssertionError((root.parent / "console.log").read_text(encoding="utf-8", errors="replace")[-4000:])


def _first_child(pid: int) -> int | None:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(children[0]) if children else None
