"""`--format jsonl`: lines come while a sweep goes on, and the last one says how it ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAM = (sys.executable, "-m", "egressd", "--once", "--format", "jsonl")


@dataclass(frozen=True)
class Servers:
    """A server that accepts connections, and one that never says anything in TLS."""

    config: str

    @contextmanager
    def sweep(self, *more: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a sweep that ends with the test."""
        command = [*PROGRAM, "--config.file", self.config, *more]
        chosen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        with subprocess.Popen(command, text=True, **chosen) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Two endpoints on loopback: one is reached at once, the other would take minutes."""
    with socket.create_server(("127.0.0.1", 0)) as quick, socket.create_server(("127.0.0.1", 0)) as silent:
        path = tmp_path / "egressd.yml"
        path.write_text(
            f"""
profiles: []
resolvers: [127.0.0.1]
probe: {{tls_timeout: 300s, deadline: 600s}}
endpoints:
  - {{id: quick, host: 127.0.0.1, port: {quick.getsockname()[1]}, protocol: tcp, need: required}}
  - {{id: silent, host: 127.0.0.1, port: {silent.getsockname()[1]}, protocol: tls, need: required}}
""",
            encoding="utf-8",
        )
        yield Servers(str(path))


def first_lines(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """Read the lines that come before the silent server has been given up."""
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(2)]


def test_lines_come_while_the_sweep_goes_on(servers: Servers) -> None:
    """A probe that ended has a line before the others end; Ctrl-C is told in the last line."""
    with servers.sweep() as process:
        start, probe = first_lines(process)
        assert (start["type"], start["schema"], start["targets"]) == ("start", "egressd.stream/1", 2)
        assert (probe["type"], probe["probe"]["targets"][0].split("/")[0], probe["failed"]) == (
            "probe",
            "quick",
            False,
        )
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=300)
    lines = [json.loads(line) for line in rest.splitlines()]
    outcomes = {
        one["target"]["endpoint"]: one["target"]["outcome"] for one in lines if one["type"] == "target"
    }
    assert outcomes == {"quick": "ok", "silent": "unknown"}
    last = lines[-1]
    assert (last["type"], last["interrupted"], last["exit_code"]) == ("summary", True, 130)
    assert process.returncode == 130
    assert errors == "egressd: stopping; once more to abort\n"


def test_a_second_signal_is_told_in_the_last_line(servers: Servers) -> None:
    """The process ends at once, and what was written are whole lines."""
    with servers.sweep() as process:
        first_lines(process)
        os.kill(process.pid, signal.SIGSTOP)
        for number in (signal.SIGINT, signal.SIGTERM):  # both are there when it goes on
            process.send_signal(number)
        os.kill(process.pid, signal.SIGCONT)
        rest, _ = process.communicate(timeout=300)
    last = json.loads(rest.splitlines()[-1])
    assert (last["type"], last["why"], last["exit_code"]) == ("aborted", "interrupted twice", 130)
    assert process.returncode == 130


def test_a_reader_that_has_gone_is_an_error(servers: Servers) -> None:
    """What could not be written is exit code 74, as for every report."""
    with servers.sweep() as process:
        first_lines(process)
        assert process.stdout is not None
        process.stdout.close()
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert "its reader has gone" in process.stderr.read()
        assert process.wait(300) == 74


def test_a_file_has_the_lines_while_they_come(servers: Servers, tmp_path: Path) -> None:
    """The suffix is enough; the file keeps its mode, and stderr says how it ended."""
    path = tmp_path / "out.jsonl"
    path.write_text("old\n" * 1000, encoding="utf-8")
    path.chmod(0o600)
    read, write = os.pipe()
    with servers.sweep("--output", f"/dev/fd/{write}", pass_fds=(write,)) as process:
        os.close(write)
        with os.fdopen(read, encoding="utf-8") as lines:
            assert [json.loads(lines.readline())["type"] for _ in range(2)] == ["start", "probe"]
            process.send_signal(signal.SIGINT)
            assert json.loads(lines.readlines()[-1])["exit_code"] == 130
    command = [*PROGRAM[:-2], "--config.file", servers.config, "--only", "quick", "--output", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    written = [json.loads(line)["type"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert (done.returncode, done.stdout) == (0, "")
    assert written == ["start", "probe", "target", "summary"]
    assert done.stderr == f"egressd: wrote {path}: PASS: 1 required target, all reachable (exit code 0)\n"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("to", ["/dev/full", "/nope/x.jsonl"])
def test_what_cannot_be_written_is_one_line(servers: Servers, to: str) -> None:
    """A full disk is found with the first line, a folder that is not there before."""
    done = subprocess.run(
        [*PROGRAM, "--config.file", servers.config, "--output", to],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == ((74, "") if to == "/dev/full" else (2, ""))
    assert done.stderr.startswith(f"egressd: cannot write {to}: ")
    assert done.stderr.count("\n") == 1


def test_a_mistake_leaves_no_stream(servers: Servers) -> None:
    """Wrong usage is exit code 2 and an empty stdout."""
    with servers.sweep("--only", "nothing") as process:
        out, errors = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    assert errors.startswith("egressd: cannot find an endpoint for --only")
