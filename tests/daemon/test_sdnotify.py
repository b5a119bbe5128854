"""The sd_notify messages, on a real socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from egressd.daemon.sdnotify import MAX_STATUS, SdNotifier


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """Return a notification socket, and its name."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@egressd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name.replace("@", "\0", 1))
        receiver.settimeout(5)
        yield receiver, name


def test_sd_notify_messages(listener: tuple[socket.socket, str]) -> None:
    """READY, RELOADING with a monotonic time, STATUS once per text, WATCHDOG and STOPPING are sent."""
    receiver, name = listener
    notifier = SdNotifier(address=name)
    notifier.ready("3 targets")
    assert receiver.recv(4096) == b"READY=1\nSTATUS=3 targets"
    notifier.status("3 targets")
    notifier.status("4 targets\n" + "x" * 9999)
    status = receiver.recv(65536).decode()
    assert status.startswith("STATUS=4 targets xxx")
    assert len(status) == len("STATUS=") + MAX_STATUS
    notifier.reloading()
    first, second = receiver.recv(4096).decode().splitlines()
    assert first == "RELOADING=1"
    assert abs(int(second.removeprefix("MONOTONIC_USEC=")) - time.monotonic() * 1e6) < 5e6
    notifier.alive()
    assert receiver.recv(4096) == b"WATCHDOG=1"
    notifier.stopping()
    assert receiver.recv(4096).startswith(b"STOPPING=1")


def test_the_variables_are_removed_from_the_environment() -> None:
    """The variables are removed so that no child inherits them; the watchdog interval is in seconds."""
    environment = {"NOTIFY_SOCKET": "/run/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    notifier = SdNotifier.from_environment(environment)
    assert (notifier.address, notifier.watchdog, environment) == ("/run/x", 30.0, {})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "vsock:2:1", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
    ],
)
def test_variables_for_others_are_ignored(environment: dict[str, str]) -> None:
    """Without a socket, with an unsupported one, or for another process: nothing is sent, nothing fails."""
    notifier = SdNotifier.from_environment(environment)
    assert (notifier.address, notifier.watchdog) == ("", None)
    notifier.ready("x")


def test_an_absent_or_full_socket_is_no_error(tmp_path: Path) -> None:
    """A missing listener or a full buffer does not stop the daemon."""
    SdNotifier(address=str(tmp_path / "none")).alive()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as full:
        full.bind(str(tmp_path / "full"))
        begun = time.monotonic()
        for number in range(3000):
            SdNotifier(address=str(tmp_path / "full")).status(str(number))
        assert time.monotonic() - begun < 10
