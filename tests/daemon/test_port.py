"""A port that can't be had: the daemon ends with a code that its unit starts again, and says who has it."""

from __future__ import annotations

import configparser
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from egressd.errors import ExitCode
from egressd.net.sockets import listening
from egressd.net.sockets.listening import listen_problem, port_holders, why_not_listening
from tests.ordinary_user import ordinary_user

UNIT = Path(__file__).parents[2] / "systemd" / "egressd.service"


def start_daemon(listen: str, *before: str) -> subprocess.CompletedProcess[str]:
    """Run a daemon that is to listen here, until it ends."""
    command = [*before, sys.executable, "-m", "egressd", f"--web.listen-address={listen}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd="/tmp")


@pytest.mark.parametrize("host", ["127.0.0.1", ""])
def test_a_taken_port_is_worth_trying_again(host: str) -> None:
    """The exit code is 75, and the last line names the program and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = start_daemon(f"{host}:{taken.getsockname()[1]}")
    assert done.returncode == ExitCode.UNAVAILABLE
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"egressd: cannot listen on {host}:")
    assert f"(pid {os.getpid()}) has it; stop that, or name another port" in last
    assert "Traceback" not in done.stderr


def test_an_absent_address_is_worth_trying_again() -> None:
    """An address that no interface has is the same code: it may come back."""
    done = start_daemon("203.0.113.9:10980")
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "no interface of this host has it now" in done.stderr.splitlines()[-1]


def test_a_privileged_port_says_what_it_takes() -> None:
    """An ordinary user is told which capability or port it takes."""
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    if int(start) <= 80:
        pytest.skip("SKIPPED: every user may listen on port 80 here")
    done = start_daemon("127.0.0.1:80", *ordinary_user())
    assert done.returncode == ExitCode.UNAVAILABLE
    assert "CAP_NET_BIND_SERVICE" in done.stderr.splitlines()[-1]


def test_the_unit_starts_again_for_as_long_as_it_takes() -> None:
    """systemd restarts after this code, and no limit of starts ends that."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals
    unit.read_string(UNIT.read_text(encoding="utf-8"))
    prevented = {int(one) for one in unit["Service"]["RestartPreventExitStatus"].split()}
    assert unit["Service"]["Restart"] == "on-failure"
    assert prevented == {ExitCode.USAGE, ExitCode.CONFIG}
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:10999", None), ("203.0.113.9:10999", "no interface"), (":10999", None)],
)
def test_an_address_can_be_checked_without_listening(listen: str, expected: str | None) -> None:
    """What can't be listened on is known before the daemon starts."""
    found = listen_problem(listen)
    assert found is None if expected is None else expected in (found or "")


def test_a_port_that_the_daemon_itself_has_is_no_mistake() -> None:
    """`config check` beside a running daemon finds nothing wrong with its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert listen_problem(f"127.0.0.1:{taken.getsockname()[1]}") is None


def test_a_program_that_can_t_be_seen_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another user's program has the port, the command that names it is shown."""
    monkeypatch.setattr(listening, "PROC", tmp_path)
    assert port_holders(80) == ()
    assert "`ss -ltnp sport = :80`" in why_not_listening(98, 80)
