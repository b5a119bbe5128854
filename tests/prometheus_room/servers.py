"""Servers that are asked as a Prometheus: a real one, and ones that answer whatever a test says."""

from __future__ import annotations

import asyncio
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port

LIMIT = 120.0


@contextmanager
def prometheus_of(page: str, folder: Path, *, web_config: Path | None = None) -> Iterator[int]:
    """Run a Prometheus that holds the samples of a page; yield its port."""
    (folder / "page.txt").write_text(page, encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "page.txt", folder / "data"],
        check=True,
        capture_output=True,
        timeout=LIMIT,
    )
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        *([f"--web.config.file={web_config}"] if web_config is not None else []),
    ]
    with (folder / "prometheus.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_ready(port, server)
        yield port
    finally:
        server.kill()
        server.wait()


def _await_ready(port: int, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        assert server.poll() is None, "prometheus ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            if error.code in (400, 401):  # TLS, or a password: it answers
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("prometheus never was ready")


@dataclass
class RawServer:
    """A server that reads requests and answers with given bytes."""

    port: int
    requests: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def raw_server(
    answer: bytes | Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[RawServer]:
    """Serve on loopback; `answer` is sent to each request, and the connection closed."""
    seen = RawServer(port=0)
    serving: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            serving.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(one[15:]) for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")),
                0,
            )
            seen.requests.append(head + await reader.readexactly(length))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio would log that a connection's task was cancelled
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    seen.port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield seen
        finally:
            for task in serving:
                task.cancel()
            if serving:
                await asyncio.wait(serving)


def response(status: str, body: bytes, *headers: str, media: str = "application/json") -> bytes:
    """Return an HTTP response."""
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {media}", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join((*lines, "Connection: close", "", "")).encode() + body
