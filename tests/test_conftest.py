"""The check that tests stay on loopback works."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "2001:db8::1"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_other_addresses_are_refused(address: str, kind: socket.SocketKind) -> None:
    """A connect beyond loopback fails the test before a packet is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as one, pytest.raises(AssertionError, match="keep to loopback"):
        one.connect((address, 443))


def test_other_names_are_not_resolved() -> None:
    """Only names of this host may be resolved with the host's resolver."""
    with pytest.raises(AssertionError, match="keep to loopback"):
        socket.getaddrinfo("management.azure.com", 443)


def test_loopback_is_allowed() -> None:
    """Connects and datagrams to loopback are allowed."""
    assert socket.getaddrinfo("127.0.0.1", 443)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.53", 53))
        one.sendto(b"", ("127.0.0.1", 9))
