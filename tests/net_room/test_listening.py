"""What listens on a port of loopback, read from the kernel's list without a connection."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from egressd.net.sockets import listening
from egressd.net.sockets.listening import loopback_listener


@pytest.mark.parametrize(
    ("family", "address", "found"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET6, "::", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
        (socket.AF_INET, "127.0.0.2", None),
    ],
)
def test_a_listener_is_seen_at_the_address_that_reaches_it(
    family: socket.AddressFamily, address: str, found: str | None
) -> None:
    """On loopback or on every address; one at another address is none. No connection is made."""
    with socket.socket(family) as one:
        one.bind((address, 0))
        port: int = one.getsockname()[1]
        assert loopback_listener(port) is None  # bound, and not listening
        one.listen()
        assert loopback_listener(port) == found
        one.setblocking(False)
        with pytest.raises(BlockingIOError):
            one.accept()


def test_nothing_listens() -> None:
    """A port that was given back has no listener, nor has one that a client connects from."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert loopback_listener(client.getsockname()[1]) is None
    assert loopback_listener(port) is None


def test_a_list_that_can_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such list, nothing is known to listen."""
    monkeypatch.setattr(listening, "PROC", tmp_path)
    assert loopback_listener(40343) is None
