"""A quiet host to run real servers on: a network namespace whose default route leads nowhere.

Loopback works, every other address swallows packets without an answer, and nothing gets out. Root makes the
namespace as it is, others inside a user namespace of their own. Where neither is allowed, the servers run
on this host's own loopback: the configurations of these tests lead nowhere else.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.ports import free_port

SETTING_UP = """
set -e
ip link set lo up
ip link add void type veth peer name beyond
ip link set void up
ip link set beyond up
ip addr add 198.18.0.2/24 dev void
ip neigh add 198.18.0.1 lladdr 02:00:00:00:00:01 dev void
ip route add default via 198.18.0.1
echo ready
exec sleep infinity
"""
STARTING = 90.0
"""Seconds a server may take until it listens."""
LISTEN, SYN_SENT = "0A", "02"
"""States of a socket in /proc/net/tcp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command left: exit code, output, and what it used."""

    code: int
    stdout: str
    stderr: str
    peak_kib: int
    """Peak of resident memory."""
    cpu_seconds: float
    """User and system time."""
    seconds: float


@dataclass(slots=True)
class Place:
    """The host, the servers on it, and the folder they write to."""

    folder: Path
    holder: subprocess.Popen[str] | None
    """The process that keeps the namespace; None: there is none."""
    enter: tuple[str, ...]
    """Words before a command that lead it into the namespace."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Place:
        """Make the namespace, or use this host's loopback where it can't be had."""
        if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
            return cls(folder, None, ())
        flags = ("--net",) if os.geteuid() == 0 else ("--user", "--map-root-user", "--net")
        holder = subprocess.Popen(
            ["unshare", *flags, "sh", "-c", SETTING_UP],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != "ready\n":
            holder.communicate()
            return cls(folder, None, ())
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return cls(folder, holder, ("nsenter", f"--target={holder.pid}", "--net", *user, "--"))

    def close(self) -> None:
        """Stop every server and give the namespace back."""
        for server in reversed(self.started):
            server.terminate()
        for server in self.started:
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        if self.holder is not None:
            self.holder.kill()
            self.holder.communicate()

    def port(self, name: str) -> int:
        """Return the port known under a name, a free one at the first call."""
        if name not in self.ports:
            self.ports[name] = free_port()
        return self.ports[name]

    def start(self, *command: str, tcp: tuple[int, ...] = (), udp: tuple[int, ...] = ()) -> None:
        """Start a server and wait until it listens on its ports."""
        log = self.folder / f"{Path(command[0]).name}-{len(self.started)}.log"
        with log.open("wb") as file:
            server = subprocess.Popen([*self.enter, *command], stdout=file, stderr=file, cwd=self.folder)
        self.started.append(server)
        end = time.monotonic() + STARTING
        while not (self._listens("tcp", tcp) and self._listens("udp", udp)):
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command} does not listen: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def _sockets(self, kind: str) -> list[str]:
        whose = self.holder.pid if self.holder else "self"
        return Path(f"/proc/{whose}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]

    def _listens(self, kind: str, ports: tuple[int, ...]) -> bool:
        """Read the namespace's own socket table: no test connection disturbs the server."""
        cells = [row.split() for row in self._sockets(kind)]
        open_ports = {int(cell[1].split(":")[1], 16) for cell in cells if kind == "udp" or cell[3] == LISTEN}
        return open_ports.issuperset(ports)

    def run(self, *command: str) -> None:
        """Run a command on this host; it must succeed."""
        subprocess.run([*self.enter, *command], check=True)

    def dialling(self) -> int:
        """Return how many connections wait for an answer."""
        return sum(row.split()[3] == SYN_SENT for row in self._sockets("tcp"))

    def egressd(
        self, *arguments: str, interrupt_when: Callable[[], bool] | None = None, patience: float = 90
    ) -> Ended:
        """Run egressd on this host; with `interrupt_when`, send SIGINT once that is so."""
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        begun = time.monotonic()
        with stdout.open("wb") as out, stderr.open("wb") as err:
            child = self._spawn(arguments, out, err)
            if interrupt_when is not None:
                _wait_for(interrupt_when, child)
                child.send_signal(signal.SIGINT)
            used, peak_kib = _reap(child, patience)
        return Ended(
            code=child.returncode,
            stdout=stdout.read_text(encoding="utf-8"),
            stderr=stderr.read_text(encoding="utf-8"),
            peak_kib=peak_kib,
            cpu_seconds=used.ru_utime + used.ru_stime,
            seconds=time.monotonic() - begun,
        )

    def _spawn(self, arguments: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [*self.enter, sys.executable, "-m", "egressd", *arguments]
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        return subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=kept)


def _wait_for(true: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + STARTING
    while not true():
        assert child.poll() is None, "ended before it could be interrupted"
        assert time.monotonic() < end, "what was waited for never came"
        time.sleep(0.02)


def _reap(child: subprocess.Popen[bytes], patience: float) -> tuple[resource.struct_rusage, int]:
    """Wait for the end; return what the process used and its peak memory in KiB. A hang is a failure."""
    end = time.monotonic() + patience
    peak_kib = 0
    while True:
        peak_kib = max(peak_kib, peak_memory_kib(child.pid))
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return used, peak_kib
        if time.monotonic() > end:
            child.kill()
            child.wait()
            raise AssertionError(f"egressd still ran after {patience} seconds")
        time.sleep(0.005)


def peak_memory_kib(pid: int) -> int:
    """Return the peak of a process's own memory; wait4 would count what it was forked from as well."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
