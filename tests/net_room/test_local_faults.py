"""Failures caused by this host, in a network namespace: each has its own errno and ICMP facts."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from egressd.model.observation import DnsObservation, Failure, NtpObservation, TcpObservation
from egressd.model.settings import Resolver, Source
from egressd.net.dial import dial
from egressd.net.ntp import query_ntp
from egressd.net.resolve import look_up

CLONE_NEWNET = 0x40000000
HERE = Source(name="here")
FAR, FAR6 = "203.0.113.1", "2001:db8::1"
WIRED = (
    "ip link set lo up",
    "ip link add v0 type veth peer name v1",
    "ip addr add 10.7.0.1/24 dev v0",
    "ip -6 addr add fd00::1/64 dev v0 nodad",
    "ip link set v0 up",
    "ip link set v1 up",
    "ip route add default via 10.7.0.254",
    "ip -6 route add default via fd00::fe",
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None, reason="a network namespace needs root and iproute2"
)
Seen = tuple[TcpObservation, DnsObservation, NtpObservation]


async def look(address: str) -> Seen:
    """Connect, look up and query NTP at one address."""
    tcp, _ = await dial(address, 443, source=HERE, timeout=5)
    dns = await look_up(
        "web.test", "A", resolver=Resolver(name="r", address=address), source=HERE, timeout=0.4
    )
    return tcp, dns, await query_ntp(address, 123, source=HERE, timeout=0.2)


@pytest.fixture
def isolated() -> Callable[..., Any]:
    """Return a function that runs commands, then a coroutine, in a new network namespace of one thread."""

    def run(commands: tuple[str, ...], coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        outcome: list[Any] = []

        def work() -> None:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
                return
            try:
                for command in commands:
                    subprocess.run(command.split(), check=True, capture_output=True)
            except subprocess.CalledProcessError as error:
                outcome.append(error)
                return
            outcome.append(asyncio.run(coroutine()))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if not outcome:
            pytest.skip("network namespaces are not permitted on this machine")
        if isinstance(outcome[0], Exception):
            pytest.skip(f"cannot prepare the namespace: {outcome[0]}")
        return outcome[0]

    return run


@pytest.mark.parametrize("address", [FAR, FAR6])
def test_no_route(isolated: Any, address: str) -> None:
    """ENETUNREACH at once, without an ICMP error."""
    tcp, dns, ntp = isolated(("ip link set lo up",), lambda: look(address))
    for seen in (tcp, dns.queries[0], ntp):
        assert (seen.failure, seen.errno, seen.icmp) == (Failure.UNREACHABLE, errno.ENETUNREACH, None)


@pytest.mark.parametrize(
    ("route", "number"),
    [("prohibit", errno.EACCES), ("blackhole", errno.EINVAL), ("unreachable", errno.EHOSTUNREACH)],
)
def test_rejecting_routes(isolated: Any, route: str, number: int) -> None:
    """Each type of route has its errno, and an empty error queue."""
    commands = (*WIRED, f"ip route replace {route} default")
    tcp, dns, _ = isolated(commands, lambda: look(FAR))
    for seen in (tcp, dns.queries[0]):
        assert (seen.failure, seen.errno, seen.icmp) == (Failure.UNREACHABLE, number, None)


@pytest.mark.parametrize(("address", "own", "kind"), [(FAR, "10.7.0.1", (3, 1)), (FAR6, "fd00::1", (1, 3))])
def test_dead_gateway(isolated: Any, address: str, own: str, kind: tuple[int, int]) -> None:
    """The ICMP error comes from this host."""
    tcp, _, _ = isolated(WIRED, lambda: look(address))
    assert (tcp.failure, tcp.errno) == (Failure.UNREACHABLE, errno.EHOSTUNREACH)
    assert tcp.icmp is not None
    assert ((tcp.icmp.type, tcp.icmp.code), tcp.icmp.offender, tcp.icmp.local) == (kind, own, True)
    assert tcp.local_port


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nftables")
@pytest.mark.parametrize(("address", "own", "kind"), [(FAR, "10.7.0.1", (3, 13)), (FAR6, "fd00::1", (1, 1))])
def test_local_firewall(isolated: Any, address: str, own: str, kind: tuple[int, int]) -> None:
    """A local reject has this host as offender; a local drop of UDP is EPERM."""
    rules = (
        "nft add table inet t",
        "nft add chain inet t o { type filter hook output priority 0 ; }",
        "nft add rule inet t o meta l4proto tcp reject with icmpx type admin-prohibited",
        "nft add rule inet t o meta l4proto udp drop",
    )
    tcp, dns, ntp = isolated((*WIRED, *rules), lambda: look(address))
    assert tcp.icmp is not None
    assert ((tcp.icmp.type, tcp.icmp.code), tcp.icmp.offender, tcp.icmp.local) == (kind, own, True)
    for seen in (dns.queries[0], ntp):
        assert (seen.failure, seen.errno) == (Failure.UNREACHABLE, errno.EPERM)


def set_sysctl(name: str, value: str) -> None:
    """Set a sysctl of this thread's namespace."""
    Path("/proc/sys", *name.split(".")).write_text(value, encoding="ascii")


def test_ipv6_disabled(isolated: Any) -> None:
    """EADDRNOTAVAIL without a source address is not NO_RESOURCES."""

    async def switched_off() -> Seen:
        set_sysctl("net.ipv6.conf.all.disable_ipv6", "1")
        return await look(FAR6)

    tcp, dns, ntp = isolated(WIRED, switched_off)
    for seen in (tcp, dns.queries[0], ntp):
        assert (seen.failure, seen.errno) == (Failure.UNREACHABLE, errno.EADDRNOTAVAIL)


def test_no_port_left(isolated: Any) -> None:
    """The same errno with a source address is NO_RESOURCES."""

    async def exhaust() -> list[TcpObservation]:
        set_sysctl("net.ipv4.ip_local_port_range", "40000 40001")
        with socket.create_server(("127.0.0.1", 8443)) as listener:
            port = listener.getsockname()[1]
            dialled = [await dial("127.0.0.1", port, source=HERE, timeout=2) for _ in range(4)]
        for _, stream in dialled:
            if stream is not None:
                stream.close()
        return [observation for observation, _ in dialled]

    seen = isolated(WIRED, exhaust)
    assert seen[0].failure is None
    assert (seen[-1].failure, seen[-1].errno) == (Failure.NO_RESOURCES, errno.EADDRNOTAVAIL)
