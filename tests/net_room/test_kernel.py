"""TCP_INFO and the error queue, on any kernel."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.net.sockets.kernel import (
    is_own_address,
    parse_extended_error,
    parse_tcp_info,
    queue_icmp,
    read_icmp,
)


def test_tcp_info_fields() -> None:
    """A struct of the current size has every field."""
    raw = bytearray(248)
    raw[0] = 7
    for offset, value in (
        (16, 1448),
        (20, 536),
        (24, 2),
        (60, 1500),
        (68, 12500),
        (100, 3),
        (224, 1),
        (228, 0),
    ):
        struct.pack_into("=I", raw, offset, value)
    for offset, number in ((120, 518), (128, 1364), (200, 597)):
        struct.pack_into("=Q", raw, offset, number)
    info = parse_tcp_info(bytes(raw))
    assert info is not None
    assert (info.state, info.bytes_acked, info.bytes_received, info.bytes_sent) == (7, 518, 1364, 597)
    assert (info.retransmits, info.out_of_order, info.unacked, info.rtt_ms) == (3, 1, 2, 12.5)
    assert (info.path_mtu, info.send_mss, info.receive_mss, info.peer_window) == (1500, 1448, 536, 0)


def test_tcp_info_of_older_kernels() -> None:
    """Fields the kernel does not have are None, not zero."""
    info = parse_tcp_info(bytes(192))
    assert info is not None
    assert (info.bytes_sent, info.out_of_order, info.peer_window) == (None, None, None)
    assert parse_tcp_info(bytes(104)) is None


@given(st.binary(max_size=300))
def test_tcp_info_of_any_length(raw: bytes) -> None:
    """Parsing never raises."""
    parse_tcp_info(raw)


@given(st.binary(max_size=64))
def test_extended_errors_of_any_bytes(payload: bytes) -> None:
    """Parsing never raises."""
    parse_extended_error(payload)


@pytest.mark.parametrize(
    ("origin", "offender", "local"), [(2, "127.0.0.1", True), (2, "203.0.113.9", False), (1, "0.0.0.0", True)]
)
def test_icmp_offender(origin: int, offender: str, local: bool) -> None:
    """The offender is the sender; an address of ours, or the kernel, is local."""
    payload = struct.pack("=IBBBBII", 113, origin, 3, 13, 0, 0, 0)
    payload += struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(offender)) + bytes(8)
    icmp = parse_extended_error(payload)
    assert icmp is not None
    assert (3, 13, offender, 4, local) == (icmp.type, icmp.code, icmp.offender, icmp.version, icmp.local)


def test_icmpv6_offender() -> None:
    """ICMPv6 errors have a longer address."""
    payload = struct.pack("=IBBBBII", 13, 3, 1, 1, 0, 0, 0)
    payload += struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "::1"), 0)
    icmp = parse_extended_error(payload)
    assert icmp is not None
    assert (icmp.version, icmp.offender, icmp.local) == (6, "::1", True)


def test_icmp_of_closed_udp_port(closed_port: Callable[..., int]) -> None:
    """The kernel queues the ICMP port unreachable of a connected UDP socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        queue_icmp(sock)
        sock.connect(("127.0.0.1", closed_port(socket.SOCK_DGRAM)))
        sock.send(b"anybody?")
        sock.settimeout(2)
        with pytest.raises(ConnectionRefusedError):
            sock.recv(10)
        sock.setblocking(False)
        icmp = read_icmp(sock)
    assert icmp is not None
    assert (icmp.type, icmp.code, icmp.offender, icmp.local) == (3, 3, "127.0.0.1", True)


def test_empty_error_queue() -> None:
    """An empty queue gives None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert read_icmp(sock) is None


def test_own_addresses() -> None:
    """Only an address of this host can be bound to."""
    assert is_own_address("127.0.0.1")
    assert not is_own_address("203.0.113.7")
    assert not is_own_address("")
