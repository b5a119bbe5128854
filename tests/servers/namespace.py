"""A network namespace for real servers, with a default route that drops everything.

Loopback works, and packets to any other address are dropped silently. Root makes a
network namespace, other users one inside a user namespace. Where neither is allowed, the servers run on this
host's own loopback: the configurations of these tests use no other address.
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

SETUP_SCRIPT = """
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
START_SECONDS = 90.0
"""Seconds for a server to start listening."""
LISTEN, SYN_SENT = "0A", "02"
"""States of a socket in /proc/net/tcp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRun:
    """The result of a command: exit code, output and resources used."""

    code: int
    stdout: str
    stderr: str
    peak_kib: int
    """Peak of resident memory."""
    cpu_seconds: float
    """User and system time."""
    seconds: float


@dataclass(slots=True)
class ServerNamespace:
    """The namespace, the servers in it, and the directory they write to."""

    folder: Path
    holder: subprocess.Popen[str] | None
    """The process that keeps the namespace; None: no namespace."""
    enter_command: tuple[str, ...]
    """The command prefix that enters the namespace."""
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> ServerNamespace:
        """Make the namespace; without permission use this host's loopback."""
        if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
            return cls(folder, None, ())
        flags = ("--net",) if os.geteuid() == 0 else ("--user", "--map-root-user", "--net")
        holder = subprocess.Popen(
            ["unshare", *flags, "sh", "-c", SETUP_SCRIPT],
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
        """Stop all servers and remove the namespace."""
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
        """Return the port of a name, a free one at the first call."""
        if name not in self.ports:
            self.ports[name] = free_port()
        return self.ports[name]

    def start(self, *command: str, tcp: tuple[int, ...] = (), udp: tuple[int, ...] = ()) -> None:
        """Start a server and wait until it listens on its ports."""
        log = self.folder / f"{Path(command[0]).name}-{len(self.started)}.log"
        with log.open("wb") as file:
            server = subprocess.Popen(
                [*self.enter_command, *command], stdout=file, stderr=file, cwd=self.folder
            )
        self.started.append(server)
        end = time.monotonic() + START_SECONDS
        while not (self._is_listening("tcp", tcp) and self._is_listening("udp", udp)):
            if server.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{command} does not listen: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def _sockets(self, kind: str) -> list[str]:
        whose = self.holder.pid if self.holder else "self"
        return Path(f"/proc/{whose}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]

    def _is_listening(self, kind: str, ports: tuple[int, ...]) -> bool:
        """Read the socket table of the namespace: a test connection could disturb the server."""
        cells = [row.split() for row in self._sockets(kind)]
        open_ports = {int(cell[1].split(":")[1], 16) for cell in cells if kind == "udp" or cell[3] == LISTEN}
        return open_ports.issuperset(ports)

    def run(self, *command: str) -> None:
        """Run a command in the namespace; it must succeed."""
        subprocess.run([*self.enter_command, *command], check=True)

    def pending_connects(self) -> int:
        """Return the number of connects without an answer (SYN_SENT)."""
        return sum(row.split()[3] == SYN_SENT for row in self._sockets("tcp"))

    def egressd(
        self, *arguments: str, interrupt_when: Callable[[], bool] | None = None, timeout: float = 90
    ) -> CompletedRun:
        """Run egressd in the namespace; with `interrupt_when`, send SIGINT once it returns True."""
        stdout, stderr = self.folder / "stdout", self.folder / "stderr"
        started_at = time.monotonic()
        with stdout.open("wb") as out, stderr.open("wb") as err:
            child = self._spawn(arguments, out, err)
            if interrupt_when is not None:
                _wait_for(interrupt_when, child)
                child.send_signal(signal.SIGINT)
            used, peak_kib = _reap(child, timeout)
        return CompletedRun(
            code=child.returncode,
            stdout=stdout.read_text(encoding="utf-8"),
            stderr=stderr.read_text(encoding="utf-8"),
            peak_kib=peak_kib,
            cpu_seconds=used.ru_utime + used.ru_stime,
            seconds=time.monotonic() - started_at,
        )

    def _spawn(self, arguments: tuple[str, ...], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [*self.enter_command, sys.executable, "-m", "egressd", *arguments]
        kept = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        return subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=kept)


def _wait_for(condition: Callable[[], bool], child: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert child.poll() is None, "completed before it could be interrupted"
        assert time.monotonic() < end, "the condition was never met"
        time.sleep(0.02)


def _reap(child: subprocess.Popen[bytes], timeout: float) -> tuple[resource.struct_rusage, int]:
    """Wait for the end; return the resources used and the peak memory in KiB. A hang is a failure."""
    end = time.monotonic() + timeout
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
            raise AssertionError(f"egressd still ran after {timeout} seconds")
        time.sleep(0.005)


def peak_memory_kib(pid: int) -> int:
    """Return the peak memory of a process; wait4 would include the process it was forked from."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0
