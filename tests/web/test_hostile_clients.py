"""Clients that are slow, greedy or wrong end by a deadline or a bound, and others are served meanwhile.

Deadlines are made short; each test waits for the end of a connection, never for a time.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trustme

from egressd.web.api.document import SweepJson
from egressd.web.connection import admission, listener, protocol
from egressd.web.connection.page import PackedPage, PageMaker
from tests.metrics.snapshots import Row, make_snapshot, make_sweep
from tests.web.conftest import Running, Start, until
from tests.web.test_access import TLS, ask, client, issue, write

GET = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = 30_000_000
"""Bytes: more than sockets buffer."""
LIMIT = 30.0
"""Seconds: only for what hangs."""
Shorten = Callable[[float], None]


@pytest.fixture
def shorten(monkeypatch: pytest.MonkeyPatch) -> Shorten:
    """Make every deadline of a connection short."""

    def to(seconds: float) -> None:
        for name in ("HEAD", "ANSWER", "LINGER"):
            monkeypatch.setattr(protocol, name, seconds)
        monkeypatch.setattr(listener, "HANDSHAKE", seconds)

    return to


@asynccontextmanager
async def connected(running: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection."""
    host, _, port = running.server.addresses[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes or resets the connection."""
    found = b""
    try:
        async with asyncio.timeout(LIMIT):
            while data := await reader.read(65536):
                found += data
    except ConnectionError:
        pass
    return found


async def drip(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte at a time until the connection ends."""
    try:
        while True:
            for number in range(len(data)):
                writer.write(data[number : number + 1])
                await writer.drain()
                await asyncio.sleep(0.02)
    except ConnectionError:
        pass


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 9000,
        b"GET /" + b"a" * 9000,
        b"\r\n" * 4500,
        b"X" * 9000,
    ],
)
@pytest.mark.parametrize("before", [b"", GET])
async def test_a_head_that_drips_is_cut_off(
    start: Start, shorten: Shorten, head: bytes, before: bytes
) -> None:
    """A head has seconds, at the beginning of a connection and after a request alike."""
    shorten(0.3)
    running = await start()
    async with connected(running) as (reader, writer), asyncio.TaskGroup() as group:
        if before:
            writer.write(before)
            assert b"200 OK" in await reader.readuntil(b"healthy\n")
        dripping = group.create_task(drip(writer, head))
        assert b"200 OK" not in await to_the_end(reader)
        dripping.cancel()
    await until(lambda: len(running.server.admission) == 0)


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 4000", b"Transfer-Encoding: chunked", b"Expect: 100-continue\r\nContent-Length: 9"],
)
async def test_a_body_that_drips_is_cut_off(start: Start, shorten: Shorten, body: bytes) -> None:
    """A body that nobody reads has seconds too."""
    shorten(0.3)
    running = await start()
    head = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\n" + body + b"\r\n\r\n"
    async with connected(running) as (reader, writer), asyncio.TaskGroup() as group:
        writer.write(head)
        dripping = group.create_task(drip(writer, b"1\r\nx\r\n" * 400))
        assert b" 403 " in await to_the_end(reader)
        dripping.cancel()
    await until(lambda: len(running.server.admission) == 0)


async def test_a_reader_that_does_not_read_is_cut_off(
    start: Start, shorten: Shorten, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large page takes no more memory per connection than a piece, and is given up after seconds."""
    shorten(0.5)
    monkeypatch.setattr(SweepJson, "render", lambda *_: PackedPage.of([bytes(LARGE)]))
    running = await start(make_snapshot(make_sweep(Row())))
    host, _, port = running.server.addresses[0].rpartition(":")
    with ExitStack() as stack:
        for _ in range(8):
            one = stack.enter_context(socket.create_connection((host, int(port))))
            one.sendall(b"GET /api/v1/sweep HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await until(lambda: sum(slot.blocked for slot in running.server.admission._open) == 8)
        sizes = [one._wire.get_write_buffer_size() for one in running.server._runner.server.connections]  # type: ignore[union-attr]
        assert max(sizes) < 4 * 64 * 1024
        assert (await running.get("/-/healthy"))[0] == 200
        await until(lambda: not any(slot.blocked for slot in running.server.admission._open))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 8000) for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(3000)) + b"\r\n",
        b"GET /" + b"a" * 300_000,
        b"a" * 300_000,
        b"\0" * 300_000,
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 900_000,
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"ffff\r\n" + b"x" * 900_000,
        GET * 20_000,
    ],
    ids=["headers", "many headers", "path", "line", "zeros", "body", "chunks", "pipelined"],
)
async def test_what_is_too_much_ends_the_connection(start: Start, data: bytes) -> None:
    """More than a request may be is not read on; the next client is served."""
    running = await start()
    async with connected(running) as (reader, writer), asyncio.TaskGroup() as group:
        writer.write(data)
        group.create_task(to_the_end(reader))
    await until(lambda: len(running.server.admission) == 0)
    assert (await running.get("/-/healthy"))[0] == 200


async def test_requests_in_a_row_on_one_connection(start: Start) -> None:
    """A few requests at once, as proxies send them, are answered in order; so is HTTP/1.0."""
    running = await start()
    async with connected(running) as (reader, writer):
        writer.write(GET * 5 + b"GET /-/ready HTTP/1.0\r\n\r\n")
        answer = await to_the_end(reader)
    assert answer.count(b"200 OK") == 5
    assert answer.rindex(b"200 OK") < answer.index(b" 503 ")


async def test_an_idle_connection_ends(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without requests is not kept for ever."""
    monkeypatch.setattr(protocol, "IDLE", 0.3)
    running = await start()
    async with connected(running) as (reader, writer):
        writer.write(GET)
        assert b"200 OK" in await to_the_end(reader)


async def test_a_flood_of_idle_connections_keeps_nobody_out(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond the share of an address the longest idle connection goes; requests are answered meanwhile."""
    running = await start()
    host, _, port = running.server.addresses[0].rpartition(":")
    flood = []
    for number in range(300):
        flood.append(await asyncio.open_connection(host, int(port)))
        if number % 50 == 0:
            assert (await running.get("/-/healthy"))[0] == 200
    assert len(running.server.admission) <= admission.SHARE
    assert (await running.get("/metrics"))[0] == 200
    for _, writer in flood:
        writer.transport.abort()
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_a_handshake_that_never_ends(start: Start, shorten: Shorten, tmp_path: Path) -> None:
    """A TLS handshake has seconds; while many hang, others are served."""
    shorten(5.0)
    ca = trustme.CA()
    issue(ca, tmp_path)
    running = await start(config_file=write(tmp_path, TLS))
    host, _, port = running.server.addresses[0].rpartition(":")
    hanging = [await asyncio.open_connection(host, int(port)) for _ in range(admission.SHARE + 5)]
    for number, (_, writer) in enumerate(hanging):
        writer.write(b"\x16\x03\x01\x02\x00\x01" if number % 2 else b"GET / HTTP/1.1\r\n\r\n")
    assert await ask(running, client(ca)) == 200
    for reader, writer in hanging:
        await to_the_end(reader)
        writer.transport.abort()
    await until(lambda: len(running.server.admission) == 0)


async def test_want_of_descriptors_is_logged_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While no connection can be accepted, the log has one line, and the server recovers by itself."""
    monkeypatch.setattr(listener, "PAUSE", 0.01)
    loop, count = asyncio.get_running_loop(), 0
    original = loop.sock_accept

    async def accept(one: socket.socket) -> tuple[socket.socket, object]:
        nonlocal count
        count += 1
        if count <= 20:
            raise OSError(24, "Too many open files")
        return await original(one)

    monkeypatch.setattr(loop, "sock_accept", accept)
    running = await start()
    assert (await running.get("/-/healthy"))[0] == 200
    assert capsys.readouterr().err.count("can't accept connections") == 1


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/sweep", "/api/"])
async def test_errors_of_the_api_are_json(start: Start, path: str) -> None:
    """Whatever is wrong, a client of the API gets JSON, and nothing of what it sent."""
    running = await start()
    for method in ("GET", "POST", "OPTIONS", "PATCH"):
        async with running.session.request(method, running.url(path + "?x=<script>")) as answer:
            assert answer.status in (404, 405, 503)
            assert answer.headers["Content-Type"].startswith("application/json")
            assert set(await answer.json()) == {"error"}
            assert "script" not in await answer.text()
            assert (answer.status == 405) == ("Allow" in answer.headers)


@pytest.mark.parametrize(
    "data",
    [
        b"<script>alert(1)</script>\r\n\r\n",
        b"GET / HTTP/1.1\r\n<b>: x\r\n\r\n",
        b"GET /\x07 HTTP/1.1\r\n\r\n",
    ],
)
async def test_nothing_is_repeated_of_what_cannot_be_read(start: Start, data: bytes) -> None:
    """The answer to what is no request says so, with the headers of every answer."""
    running = await start()
    async with connected(running) as (reader, writer):
        writer.write(data)
        answer = await to_the_end(reader)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.endswith(b"the request can't be read\n")
    for header in (b"Server: egressd", b"Cache-Control: no-store", b"X-Content-Type-Options: nosniff"):
        assert header in answer


async def test_a_page_is_made_once_for_all_who_wait() -> None:
    """However many ask at once, a page is made once for them, of what is true when they come."""
    pages, running, most, made = PageMaker(), 0, 0, 0

    def render() -> bytes:
        nonlocal running, most, made
        running, made = running + 1, made + 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return b"page %d" % made

    async def get(name: str, key: int) -> bytes:
        return await pages.make(name, key, render)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(get("/metrics", 0)) for _ in range(60)]
    assert {one.result() for one in tasks} <= {b"page 1", b"page 2"}
    assert await get("/metrics", 0) == b"page %d" % made
    async with asyncio.TaskGroup() as group:
        for name in ("/a", "/b", "/c"):
            for key in (1, 2):
                group.create_task(get(name, key))
    assert most <= 2
    assert pages._made == {}


async def test_a_handshake_that_failed_is_free_at_once(start: Start, tmp_path: Path) -> None:
    """Nothing of it waits for the garbage collector: TLS has large buffers, and scanners come often."""
    issue(trustme.CA(), tmp_path)
    running = await start(config_file=write(tmp_path, TLS))
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            async with connected(running) as (_, writer):
                await until(lambda: len(running.server.admission) == 1)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await until(lambda: len(running.server.admission) == 0)
        await asyncio.sleep(0.1)
        kept = [one for one in gc.get_objects() if type(one).__name__ == "SSLProtocol"]
        assert kept == []
    finally:
        gc.enable()
