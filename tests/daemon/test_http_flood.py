"""The daemon under a flood of connections: it sweeps, answers its health check, and logs the flood once."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import cycle
from pathlib import Path

import pytest

from tests.daemon.process import Lab, daemon, settings

DESCRIPTORS = 400
"""What the daemon may open: fewer than the flood has connections."""
FLOOD = int(os.environ.get("TEST_FLOOD", "700"))
REQUESTS = (
    b"",
    b"GET /metrics HTT",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ",
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\nabc",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /api/v1/sweep HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50,
)


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process open as many as the flood needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FLOOD + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"needs {wanted} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def flood(stack: ExitStack, port: int, count: int) -> None:
    """Open connections, and leave each in the middle of something."""
    for _, data in zip(range(count), cycle(REQUESTS), strict=False):
        one = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
        with suppress(ConnectionError):  # it has given way already
            one.sendall(data)


def test_a_flood_of_connections(tmp_path: Path, config: Path, lab: Lab, many_descriptors: None) -> None:
    """With more connections than it has descriptors, probes have theirs, and health checks are answered."""
    config.write_text(settings(lab, interval="1s", web={"enable_reload": True}), encoding="utf-8")
    with daemon(tmp_path, config) as running, ExitStack() as stack:
        running.wait_for("3 targets, 0 failing")
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        for _ in range(7):
            flood(stack, running.port, FLOOD // 7)
            assert running.get("/-/healthy") == (200, "egressd is healthy\n")
        opened = len(list(Path(f"/proc/{running.process.pid}/fd").iterdir()))
        assert opened < DESCRIPTORS / 2
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before + 2, "sweeps")
        assert running.get("/-/ready")[0] == 200
        assert 'target="own-0/mcr.microsoft.com:443"} 1.0' in running.get("/metrics")[1]
        events = [line["event"] for line in running.lines()]
        assert len([one for one in events if one.startswith("too many connections to the HTTP")]) == 1
        assert [
            one for one in events if "accept" in one or "xception" in one or "internal error" in one
        ] == []
        begun = time.monotonic()
        assert running.stop()[0] == 0
        assert time.monotonic() - begun < 60  # only for what hangs
