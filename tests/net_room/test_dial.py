"""One TCP connect, one observation."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from egressd.clock import monotonic
from egressd.model.observation import Failure
from egressd.model.settings import Source
from egressd.net.dial import dial
from egressd.net.sockets import opening
from egressd.net.sockets.errors import failure_of


async def test_successful_connect(serve: Any, here: Source) -> None:
    """Local port, remote port and TCP_INFO are recorded."""
    seen = []

    async def echo(peer: Any) -> None:
        seen.append(peer.writer.get_extra_info("peername"))
        await peer.send(await peer.receive())

    port = await serve(echo)
    observation, stream = await dial("127.0.0.1", port, source=here, timeout=5)
    assert stream is not None
    await stream.write(b"hello")
    assert await stream.read(10) == b"hello"
    assert observation.failure is None
    assert seen == [(observation.local_address, observation.local_port)]
    assert observation.info is not None
    stream.close()
    stream.close()
    assert stream.info() is None


async def test_refused_connect(here: Source, closed_port: Callable[..., int]) -> None:
    """A real RST has no ICMP error; the source port is kept, for the firewall log."""
    observation, stream = await dial("127.0.0.1", closed_port(), source=here, timeout=5)
    assert stream is None
    assert observation.failure is Failure.REFUSED
    assert observation.errno == errno.ECONNREFUSED
    assert observation.icmp is None
    assert observation.local_port


async def test_dropped_syns(here: Source, full_backlog: int) -> None:
    """They end by our own timer, and TCP_INFO has the retransmits."""
    begun = monotonic()
    observation, stream = await dial("127.0.0.1", full_backlog, source=here, timeout=1.5)
    assert stream is None
    assert observation.failure is Failure.TIMEOUT
    assert observation.errno is None
    assert observation.info is not None
    assert observation.info.retransmits >= 1
    assert 1.4 < monotonic() - begun < 3


async def test_source_address_is_used(serve: Any) -> None:
    """The connection leaves from the configured address, and the port recorded is the one the server sees."""

    async def tell(peer: Any) -> None:
        address, port = peer.writer.get_extra_info("peername")
        await peer.send(f"{address} {port}".encode())

    observation, stream = await dial(
        "127.0.0.1", await serve(tell), source=Source(name="two", address="127.0.0.2"), timeout=5
    )
    assert stream is not None
    assert observation.local_address == "127.0.0.2"
    assert await stream.read(100) == f"127.0.0.2 {observation.local_port}".encode()
    stream.close()


@pytest.mark.parametrize(
    "source",
    [
        Source(name="foreign", address="198.51.100.7"),
        Source(name="gone", interface="nope0"),
        Source(name="long", interface="an-interface-name-no-kernel-has"),
    ],
)
async def test_absent_source(source: Source) -> None:
    """It is INVALID_SOURCE, and the detail names the source."""
    observation, stream = await dial("127.0.0.1", 1, source=source, timeout=5)
    assert stream is None
    assert observation.failure is Failure.INVALID_SOURCE
    assert source.name in observation.detail


async def test_source_of_other_family() -> None:
    """An IPv4 source can't reach IPv6: UNREACHABLE, not INVALID_SOURCE."""
    observation, _ = await dial("::1", 1, source=Source(name="v4", address="127.0.0.1"), timeout=5)
    assert observation.failure is Failure.UNREACHABLE
    assert observation.errno == errno.EAFNOSUPPORT


@pytest.mark.parametrize("address", ["example.test", "", "127.0.0.1\0", "::1%nope0", "300.1.1.1"])
async def test_names_are_not_resolved(address: str, here: Source) -> None:
    """A name would make the kernel query DNS; it is a failure instead."""
    observation, stream = await dial(address, 443, source=here, timeout=5)
    assert stream is None
    assert observation.failure in (Failure.NAME_INVALID, Failure.UNREACHABLE)


async def test_max_segment_is_set(serve: Any, here: Source) -> None:
    """TCP_MAXSEG reaches the kernel."""

    async def idle(peer: Any) -> None:
        await peer.receive()

    port = await serve(idle)
    observation, stream = await dial("127.0.0.1", port, source=here, timeout=5, max_segment=1200)
    assert stream is not None
    assert observation.max_segment == 1200
    assert observation.info is not None
    assert observation.info.send_mss <= 1200
    stream.close()


async def test_no_descriptors_left(here: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """EMFILE is NO_RESOURCES."""

    def exhausted(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("egressd.net.sockets.opening.socket.socket", exhausted)
    observation, _ = await dial("127.0.0.1", 1, source=here, timeout=5)
    assert observation.failure is Failure.NO_RESOURCES


async def test_cancellation_closes_the_socket(
    here: Source, full_backlog: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled connect leaves no open socket."""
    opened: list[socket.socket] = []
    real = opening.open_socket

    def remember(*arguments: Any) -> socket.socket:
        opened.append(real(*arguments))
        return opened[-1]

    monkeypatch.setattr("egressd.net.dial.open_socket", remember)
    task = asyncio.create_task(dial("127.0.0.1", full_backlog, source=here, timeout=30))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [sock.fileno() for sock in opened] == [-1]


@pytest.mark.parametrize(
    ("number", "failure"),
    [
        (errno.ECONNRESET, Failure.RESET),
        (errno.EPIPE, Failure.RESET),
        (errno.ETIMEDOUT, Failure.TIMEOUT),
        (errno.ENETUNREACH, Failure.UNREACHABLE),
        (errno.EHOSTUNREACH, Failure.UNREACHABLE),
        (errno.EACCES, Failure.UNREACHABLE),
        (errno.EINVAL, Failure.UNREACHABLE),
        (errno.ENFILE, Failure.NO_RESOURCES),
        (errno.EIO, Failure.OS_ERROR),
    ],
)
def test_errno_to_failure(number: int, failure: Failure) -> None:
    """Each errno of a connect maps to its failure."""
    assert failure is failure_of(OSError(number, "x"))


async def test_unread(serve: Any, connect: Any) -> None:
    """Bytes pushed back are read first."""

    async def echo(peer: Any) -> None:
        await peer.send(b"cd")

    stream = await connect(await serve(echo))
    stream.unread(b"ab")
    assert [await stream.read(1), await stream.read(9), await stream.read(9)] == [b"a", b"b", b"cd"]
    stream.close()
