"""The lab's sockets: faults of TCP and UDP, limits, and cleanup."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from egressd.lab.sockets import (
    LOOPBACK,
    MAX_CONNECTIONS,
    ServerGroup,
    TcpConnection,
    blackhole_port,
    closed_port,
)


async def test_blackhole_port() -> None:
    """A connect neither succeeds nor is refused, and datagrams get no answer."""
    with ExitStack() as kept:
        port = blackhole_port(kept.enter_context)
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await asyncio.open_connection(LOOPBACK, port)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.2)
            sock.connect((LOOPBACK, port))
            sock.send(b"anyone?")
            with pytest.raises(TimeoutError):
                sock.recv(10)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_closed_port(kind: socket.SocketKind) -> None:
    """TCP gets RST, UDP an ICMP port unreachable."""
    with ExitStack() as kept, socket.socket(socket.AF_INET, kind) as sock:
        port = closed_port(kind, kept.enter_context)
        sock.settimeout(1.0)

        def ask() -> None:
            sock.connect((LOOPBACK, port))
            sock.send(b"anyone?")
            sock.recv(10)

        with pytest.raises(ConnectionRefusedError):
            ask()


async def test_server_group_cleans_up() -> None:
    """Running tasks end, and their sockets are closed (warnings are errors)."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = servers.listen(TcpConnection.wait_for_close)
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        await asyncio.sleep(0.05)
        servers.stop()
    servers.close()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(LOOPBACK, port)


async def test_close_gracefully_sends_fin() -> None:
    """The client sees the end of the stream, never a reset, even while it is still sending."""
    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = servers.listen(TcpConnection.close_gracefully)
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"x" * 1000)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        servers.stop()
    servers.close()


async def test_reset_sends_rst() -> None:
    """The client's read fails with ECONNRESET."""

    async def serve(connection: TcpConnection) -> None:
        await connection.read()
        connection.reset()

    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        reader, writer = await asyncio.open_connection(LOOPBACK, servers.listen(serve))
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        servers.stop()
    servers.close()


async def test_connections_are_bounded() -> None:
    """Beyond the limit connections wait to be accepted until one is closed."""
    served = 0

    async def serve(connection: TcpConnection) -> None:
        nonlocal served
        served += 1
        await connection.wait_for_close()

    async with asyncio.TaskGroup() as group:
        servers = ServerGroup(group)
        port = servers.listen(serve)
        writers = [(await asyncio.open_connection(LOOPBACK, port))[1] for _ in range(MAX_CONNECTIONS + 3)]
        await asyncio.sleep(0.2)
        assert served == MAX_CONNECTIONS
        for writer in writers[:3]:
            writer.close()
        await asyncio.sleep(0.2)
        assert served == MAX_CONNECTIONS + 3
        for writer in writers[3:]:
            writer.close()
        servers.stop()
    servers.close()
