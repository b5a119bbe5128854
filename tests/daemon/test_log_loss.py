"""The daemon with a log that can't be written: it loses lines, and nothing else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.daemon.process import TIMEOUT
from tests.ports import free_port

KINDS = ("full disk", "no reader", "slow reader", "non-blocking", "closed")
LOSES = ("full disk", "no reader")


@contextmanager
def bad_stderr(kind: str) -> Iterator[int]:
    """Give a descriptor that can't be written."""
    if kind in ("full disk", "closed"):
        number = os.open("/dev/full", os.O_WRONLY)
        yield number
        os.close(number)
        return
    reader, writer = os.pipe()
    if kind == "no reader":
        os.close(reader)
    else:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        os.write(writer, b"x" * 4096)
        os.set_blocking(writer, kind == "slow reader")
    yield writer
    os.close(writer)
    if kind != "no reader":
        os.close(reader)


@contextmanager
def started(kind: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a daemon that sweeps a closed port, with such a stderr; give it and its port."""
    port, state = free_port(), folder / kind.replace(" ", "-")
    state.mkdir()
    config = state / "egressd.yml"
    row = {"id": "own", "host": "127.0.0.1", "port": 9, "protocol": "tcp"}
    document = {"profiles": [], "interval": "1s", "endpoints": [row], "resolvers": ["127.0.0.1"]}
    config.write_text(yaml.safe_dump(document | {"state": {"directory": str(state)}}), encoding="utf-8")
    words = [sys.executable, "-m", "egressd", f"--config.file={config}"]
    words += [f"--web.listen-address=127.0.0.1:{port}"]
    close = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if kind == "closed" else []
    with (
        bad_stderr(kind) as stderr,
        subprocess.Popen([*close, *words], stdout=subprocess.DEVNULL, stderr=stderr) as process,
    ):
        try:
            yield process, port
        finally:
            process.kill()


def get(port: int, path: str) -> str:
    """Ask a daemon."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def wait_for_sweeps(process: subprocess.Popen[bytes], port: int) -> None:
    """Wait until a daemon has swept."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        assert process.poll() is None, f"ended with {process.returncode}"
        try:
            if get(port, "/-/ready") == "egressd is ready\n":
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("no sweep")


def metric(port: int, name: str) -> float:
    """Read a metric without labels."""
    rows = (line.split() for line in get(port, "/metrics").splitlines() if line.startswith(name))
    return float(next(iter(rows))[1])


def test_a_log_that_can_t_be_written_stops_nothing(tmp_path: Path) -> None:
    """Whatever is wrong with stderr, the daemon sweeps, counts what it lost, is healthy, and ends with 0."""
    with ExitStack() as stack:
        daemons = {kind: stack.enter_context(started(kind, tmp_path)) for kind in KINDS}
        for process, port in daemons.values():
            wait_for_sweeps(process, port)
            assert get(port, "/-/healthy") == "egressd is healthy\n"
        for kind in LOSES:
            process, port = daemons[kind]
            end = time.monotonic() + TIMEOUT
            while metric(port, "egressd_log_lines_lost_total") < 1:
                assert time.monotonic() < end, kind
                time.sleep(0.2)
        for process, _ in daemons.values():
            process.send_signal(signal.SIGTERM)
        assert {kind: process.wait(30) for kind, (process, _) in daemons.items()} == dict.fromkeys(KINDS, 0)


@pytest.mark.parametrize("stderr", ["full disk", "no reader"])
def test_progress_that_can_t_be_written_is_lost_alone(tmp_path: Path, stderr: str) -> None:
    """`--once` with such a stderr still writes its report to stdout, with the exit code of the sweep."""
    config = tmp_path / "egressd.yml"
    row = {"id": "own", "host": "127.0.0.1", "port": 9, "protocol": "tcp"}
    document = {"profiles": [], "endpoints": [row], "resolvers": ["127.0.0.1"]}
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    words = [sys.executable, "-m", "egressd", "--once", "--log.level=debug", f"--config.file={config}"]
    with bad_stderr(stderr) as number:
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=number, check=False, timeout=TIMEOUT)
    assert done.returncode == 1
    assert done.stdout.decode().endswith("(exit code 1)\n")
