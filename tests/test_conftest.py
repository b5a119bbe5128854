"""The guard of every test works."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "2001:db8::1"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_other_addresses_are_refused(address: str, kind: socket.SocketKind) -> None:
    """A dial beyond loopback fails the test before a packet leaves."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as one, pytest.raises(AssertionError, match="keep to loopback"):
        one.connect((address, 443))


def test_names_of_others_are_not_looked_up() -> None:
    """The host's resolver is asked for nothing but the host itself."""
    with pytest.raises(AssertionError, match="keep to loopback"):
        socket.getaddrinfo("management.azure.com", 443)


def test_loopback_is_free() -> None:
    """Loopback of both families may be dialled and sent to."""
    assert socket.getaddrinfo("127.0.0.1", 443)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.53", 53))
        one.sendto(b"", ("127.0.0.1", 9))
