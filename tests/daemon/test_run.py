"""The whole daemon, as a process, against the lab: start, reload, storm, stop, restart."""

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

import pytest
import yaml

PATIENCE = 40.0
HOSTS = ("mcr.microsoft.com", "management.azure.com", "login.microsoftonline.com")


@dataclass
class Lab:
    """A lab in a process of its own."""

    process: subprocess.Popen[str]
    config: Path

    def do(self, command: str) -> None:
        """Switch faults, and wait until they are."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\nlist\n")
        self.process.stdin.flush()


@dataclass
class Running:
    """A daemon, what it told systemd, and where it serves."""

    process: subprocess.Popen[str]
    heard: socket.socket
    port: int
    errors: Path
    told: list[str] = field(default_factory=list)

    def wait_for(self, text: str) -> str:
        """Wait for a message to systemd that holds a text."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.told.append(self.heard.recv(65536).decode())
            except TimeoutError:
                continue
            if text in self.told[-1]:
                return self.told[-1]
        raise AssertionError(f"no {text!r} in {self.told}: {self.errors.read_text(encoding='utf-8')}")

    def get(self, path: str) -> tuple[int, str]:
        """Ask the HTTP server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def lines(self) -> list[dict[str, Any]]:
        """The log."""
        return [json.loads(line) for line in self.errors.read_text(encoding="utf-8").splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines() if line["event"] == name]

    def until(self, true: Callable[[], object], what: str) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, f"never {what}: {self.errors.read_text(encoding='utf-8')}"
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """End it; return the exit code and the seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(20), time.monotonic() - begun


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab, and its configuration cut down to a few targets."""
    folder = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "egressd", "lab", "--config.write", str(folder / "lab.yml")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "the lab is open" not in process.stdout.readline():
            assert process.poll() is None
        yield Lab(process, folder / "lab.yml")
        process.terminate()
        process.communicate()


def settings(lab: Lab, **changes: object) -> str:
    """Return a configuration that sweeps a few of the lab's hosts often."""
    document = yaml.safe_load(lab.config.read_text(encoding="utf-8"))
    own = [
        {"id": f"own-{number}", "host": host, "port": 443, "protocol": "https"}
        for number, host in enumerate(HOSTS)
    ]
    document |= {"profiles": [], "interval": "2s", "endpoints": own, "overrides": [], "values": {}, **changes}
    return yaml.safe_dump(document)


@contextmanager
def daemon(folder: Path, config: Path, **environment: str) -> Iterator[Running]:
    """Start a daemon as systemd would."""
    with socket.socket() as free, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        name = folder / f"notify-{port}"
        heard.bind(str(name))
        heard.settimeout(1)
        command = [sys.executable, "-m", "egressd", f"--config.file={config}"]
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
                yield Running(process, heard, port, errors)
            finally:
                process.kill()


@pytest.fixture
def config(lab: Lab, tmp_path: Path) -> Path:
    """The configuration file of the daemon."""
    path = tmp_path / "egressd.yml"
    path.write_text(settings(lab), encoding="utf-8")
    return path


def test_it_starts_tells_the_truth_and_stops(tmp_path: Path, config: Path) -> None:
    """READY once the port is bound, ready once a sweep is done, a status line, a quick and clean end."""
    with daemon(tmp_path, config, WATCHDOG_USEC="2000000") as running:
        assert "first sweep is running" in running.wait_for("READY=1")
        assert running.get("/-/healthy")[0] == 200
        running.wait_for("WATCHDOG=1")
        assert "3 targets, 0 failing, 0 suspect" in running.wait_for("3 targets")
        assert running.get("/-/ready")[0] == 200
        assert (
            'egressd_target_up{source="default",target="own-0/mcr.microsoft.com:443"} 1.0'
            in running.get("/metrics")[1]
        )
        code, seconds = running.stop()
        running_out = running.lines()
    assert (code, seconds < 10) == (0, True)
    assert [line["event"] for line in running_out][-1] == "stopped"
    assert not [line for line in running_out if line["level"] in ("warning", "error")]


def test_reload_good_and_bad(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A good configuration is in force soon; a bad one leaves the old one, and says so everywhere."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        fewer = [{"id": "own-0", "host": HOSTS[0], "port": 443, "protocol": "https"}]
        config.write_text(settings(lab, endpoints=fewer), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in running.wait_for("RELOADING=1")
        running.wait_for("READY=1")
        running.until(lambda: "own-1" not in running.get("/metrics")[1], "one target")
        config.write_text("profiles: [nope]\ninterval: often\n", encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("RELOADING=1")
        assert "the last reload was refused" in running.wait_for("READY=1")
        assert "egressd_config_last_reload_successful 0.0" in running.get("/metrics")[1]
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before, "another sweep")
        assert running.stop()[0] == 0
        (refused,) = running.events("configuration is bad, the old one stays")
        assert len(refused["problems"]) == 2


def test_a_storm_of_signals_is_weathered(tmp_path: Path, config: Path, lab: Lab) -> None:
    """Hundreds of SIGHUP, good and bad files in turn: sweeps go on, reloads are few, the last file holds."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        before = len(running.events("sweep"))
        for number in range(400):
            config.write_text("nonsense" if number % 3 else settings(lab, interval="1s"), encoding="utf-8")
            running.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        config.write_text(settings(lab, interval="1s"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        running.until(lambda: running.lines()[-1]["event"] == "sweep", "a sweep after the storm")
        running.until(
            lambda: "egressd_config_last_reload_successful 1.0" in running.get("/metrics")[1], "good"
        )
        assert len(running.events("sweep")) > before
        reloads = [line for line in running.lines() if "configuration" in line["event"]]
        assert 0 < len(reloads) < 100
        assert running.stop()[0] == 0


def test_a_fault_is_told_once_also_over_a_restart(tmp_path: Path, config: Path, lab: Lab) -> None:
    """Confirmed within seconds, with evidence; killed and started again it is no news, and since stays."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        lab.do("on tls_reset=mcr.microsoft.com")
        running.until(lambda: running.events("target changed"), "confirmed")
        (change,) = running.events("target changed")
        assert (change["target"], change["outcome"]) == ("own-0/mcr.microsoft.com:443", "blocked")
        assert "RST" in change["evidence"][0]
        assert running.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    with daemon(tmp_path, config) as again:
        assert "1 failing" in again.wait_for("targets, ")
        again.until(lambda: len(again.events("sweep")) > 2, "sweeps")
        assert again.events("target changed") == []
        lab.do("off")
        again.until(lambda: again.events("target changed"), "mended")
        again.stop()
    history = [sys.executable, "-m", "egressd", "history", "--format=json", f"--config.file={config}"]
    done = subprocess.run(
        history,
        env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    events = json.loads(done.stdout)["events"]
    kinds = [(one["kind"], one.get("target", one.get("said", ""))) for one in events]
    changed, opened, closed = (
        ("target", "own-0/mcr.microsoft.com:443"),
        ("notice", "opened"),
        ("notice", "closed"),
    )
    life, end = ("started", ""), ("stopped", "")
    assert kinds == [life, changed, opened, life, changed, closed, end]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("interval: often\n", 78, "interval"),
        ("profiles: [nope]\n", 78, "nope"),
        ("web: {listen: '192.0.2.1:10980'}\nprofiles: []\n", 2, "cannot"),
    ],
)
def test_what_cannot_work_ends_at_once(tmp_path: Path, text: str, code: int, said: str) -> None:
    """A bad configuration is 78 and a sentence; READY was never said."""
    path = tmp_path / "bad.yml"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "egressd", f"--config.file={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stalled_resolver_does_not_hold_it(tmp_path: Path, lab: Lab) -> None:
    """A name server that never answers: sweeps end in time, it says what is wrong, and stops at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        path = tmp_path / "egressd.yml"
        resolvers = [f"127.0.0.1:{silent.getsockname()[1]}"]
        probe = {"dns_timeout": "1s", "deadline": "2s", "families": ["ipv4"]}
        path.write_text(settings(lab, resolvers=resolvers, probe=probe, interval="6s"), encoding="utf-8")
        with daemon(tmp_path, path) as running:
            running.wait_for("READY=1")
            running.until(lambda: len(running.events("target changed")) == len(HOSTS), "all confirmed")
            assert running.get("/-/healthy")[0] == 200
            assert not running.events("sweep overran")
            code, seconds = running.stop()
            assert (code, seconds < 10) == (0, True)
            assert {one["phase"] for one in running.events("target changed")} == {"dns"}
