"""The daemon as a process, with a lab: its messages to systemd, its port, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.pausing_loop import with_long_timeouts
from tests.ports import free_port

TIMEOUT = 120.0
HOSTS = ("mcr.microsoft.com", "management.azure.com", "login.microsoftonline.com")


@dataclass
class Lab:
    """A lab in a process of its own."""

    process: subprocess.Popen[str]
    config: Path

    def do(self, command: str) -> None:
        """Switch faults. The lab's output about it is not read, so it must stay small."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()


@dataclass
class Running:
    """A daemon, its messages to systemd, and its port."""

    process: subprocess.Popen[str]
    listener: socket.socket
    port: int
    errors: Path
    messages: list[str] = field(default_factory=list)

    def wait_for(self, text: str) -> str:
        """Wait for a message to systemd that contains a text."""
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.messages.append(self.listener.recv(65536).decode())
            except TimeoutError:
                continue
            if text in self.messages[-1]:
                return self.messages[-1]
        raise AssertionError(f"no {text!r} in {self.messages}: {self.errors.read_text(encoding='utf-8')}")

    def get(self, path: str) -> tuple[int, str]:
        """Ask the HTTP server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=TIMEOUT) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        whole, _, _ = self.errors.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines() if line["event"] == name]

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait until `true` returns True."""
        end = time.monotonic() + TIMEOUT
        while not true():
            assert time.monotonic() < end, f"never {what}: {self.errors.read_text(encoding='utf-8')}"
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Stop it with a signal; return the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT), time.monotonic() - begun


def settings(lab: Lab, **changes: object) -> str:
    """Return a configuration that sweeps a few of the lab's hosts often."""
    document = yaml.safe_load(with_long_timeouts(lab.config.read_text(encoding="utf-8")))
    own = [
        {"id": f"own-{number}", "host": host, "port": 443, "protocol": "https"}
        for number, host in enumerate(HOSTS)
    ]
    document |= {"profiles": [], "interval": "2s", "endpoints": own, "overrides": [], "values": {}, **changes}
    return yaml.safe_dump(document)


def put(config: Path, text: str) -> None:
    """Replace a configuration atomically, so that it is never read half-written."""
    fresh = config.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(config)


@contextmanager
def daemon(folder: Path, config: Path, *, module: str = "egressd", **environment: str) -> Iterator[Running]:
    """Start a daemon as systemd would; `module` is what Python runs."""
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = folder / f"notify-{port}"
        listener.bind(str(name))
        listener.settimeout(1)
        command = [sys.executable, "-m", module, f"--config.file={config}"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
        errors = folder / f"log-{port}"
        surroundings = {**os.environ, "NOTIFY_SOCKET": str(name), "STATE_DIRECTORY": str(folder / "state")}
        with (
            errors.open("w", encoding="utf-8") as stream,
            subprocess.Popen(
                command, stderr=stream, stdout=stream, text=True, env=surroundings | environment
            ) as process,
        ):
            try:
                yield Running(process, listener, port, errors)
            finally:
                process.kill()
