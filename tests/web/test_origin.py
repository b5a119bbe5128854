"""Whose requests are answered: names for this host only, and no other site's page changes anything."""

from __future__ import annotations

import asyncio
import json

import pytest

from egressd.model.snapshot import ConfigStatus
from egressd.web.origin import is_loopback_only
from tests.metrics.snapshots import NOW
from tests.web.conftest import Running, Start
from tests.web.test_hostile_clients import connected, to_the_end


async def say(running: Running, *lines: str) -> int:
    """Send a request as it is; return the status of the answer."""
    async with connected(running) as (reader, writer):
        writer.write("\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1"))
        answer = await to_the_end(reader)
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:10980", 200),
        ("localhost.", 200),
        ("127.0.0.1:10980", 200),
        ("127.8.8.8", 200),
        ("[::1]:10980", 200),
        ("[::ffff:127.0.0.1]", 200),
        ("ip6-localhost", 200),
        ("evil.example", 421),
        ("evil.example:10980", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:80@localhost", 421),
        ("localhost@evil.example", 421),
        ("localhost/../evil.example", 421),
        ("localhost, evil.example", 421),
        ("192.0.2.1", 421),
        ("[2001:db8::1]", 421),
        ("[::1", 421),
        ("0.0.0.0", 421),
        ("2130706433", 421),
        ("127.1", 421),
        ("", 421),
        ("\xff", 421),
    ],
)
async def test_on_loopback_only_loopback_is_asked_for(start: Start, host: str, status: int) -> None:
    """A name that its owner lets point at this host (DNS rebinding) gets nothing."""
    running = await start()
    assert await say(running, "GET /api/v1/alerts HTTP/1.1", f"Host: {host}") == status


async def test_every_way_to_name_a_host_counts(start: Start) -> None:
    """A target in absolute form and a second `Host` are looked at too; without any it is no browser."""
    running = await start()
    for lines, status in (
        (("GET http://evil.example/metrics HTTP/1.1", "Host: localhost"), 421),
        (("GET HTTP://evil.example:80/metrics HTTP/1.1", "Host: localhost"), 421),
        (("GET http://localhost/metrics HTTP/1.1", "Host: evil.example"), 421),
        (("GET http://127.0.0.1/metrics HTTP/1.1", "Host: localhost"), 200),
        (("GET /metrics HTTP/1.1", "Host: localhost", "Host: evil.example"), 421),
        (("GET /metrics HTTP/1.1", "Host: localhost", "Host: localhost"), 421),
        (("GET /metrics HTTP/1.0",), 200),
    ):
        found = await say(running, *lines)
        assert found in (status, 400 if status == 421 else status), lines


async def test_allowed_hosts(start: Start) -> None:
    """A reverse proxy that passes the name on is named in the configuration."""
    running = await start(allowed_hosts=("egress.corp.example",))
    assert await say(running, "GET / HTTP/1.1", "Host: egress.corp.example") == 200
    assert await say(running, "GET / HTTP/1.1", "Host: EGRESS.corp.example.:443") == 200
    assert await say(running, "GET / HTTP/1.1", "Host: other.corp.example") == 421
    assert await say(running, "GET / HTTP/1.1", "Host: localhost") == 200


def test_what_loopback_only_means() -> None:
    """A server on any other address is meant to be asked by any name."""
    assert is_loopback_only(["127.0.0.1", "::1"])
    assert not is_loopback_only(["127.0.0.1", "192.0.2.1"])
    assert not is_loopback_only(["0.0.0.0"])
    assert not is_loopback_only(["::"])
    assert not is_loopback_only(["fe80::1%eth0"])


CROSS_SITE: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Origin": "http://localhost.evil.example"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Referer": "https://evil.example/localhost"},
    {"Origin": "https://evil.example", "Referer": "http://localhost/"},
)
OWN: tuple[dict[str, str], ...] = (
    {},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "http://localhost"},
    {"Origin": "http://localhost:80"},
    {"Referer": "http://localhost/"},
)


@pytest.mark.parametrize("headers", CROSS_SITE, ids=json.dumps)
async def test_another_sites_page_changes_nothing(start: Start, headers: dict[str, str]) -> None:
    """Neither a form nor a script of another site reloads or probes, though reloading and probing are on."""
    running = await start(enable_reload=True, enable_probe=True)
    more = [f"{name}: {value}" for name, value in headers.items()]
    for line in ("POST /-/reload", "PUT /-/reload", "GET /probe?target=x"):
        form = ("Content-Type: text/plain", "Content-Length: 0") if line.startswith("P") else ()
        assert await say(running, f"{line} HTTP/1.1", "Host: localhost", *form, *more) == 403, line
    assert not running.intents.reload_wanted.is_set()
    assert await say(running, "GET /metrics HTTP/1.1", "Host: localhost", *more) == 200


@pytest.mark.parametrize("headers", OWN, ids=json.dumps)
async def test_what_is_no_browser_or_ones_own_page_reloads(start: Start, headers: dict[str, str]) -> None:
    """`curl -X POST` sends none of these headers; the server's own pages send their own name."""
    running = await start(enable_reload=True)

    async def carry_out() -> None:
        await running.intents.reload_wanted.wait()
        for future in running.intents.begin_reload():
            future.set_result(ConfigStatus(digest="d", since=NOW))

    more = [f"{name}: {value}" for name, value in headers.items()]
    async with asyncio.TaskGroup() as group:
        group.create_task(carry_out())
        assert await say(running, "POST /-/reload HTTP/1.1", "Host: localhost", *more) == 200


async def test_a_large_body_is_refused(start: Start) -> None:
    """No request here has a body: one that announces a large one is told so."""
    running = await start(enable_reload=True)
    head = ("POST /-/reload HTTP/1.1", "Host: localhost", "Content-Length: 1000000")
    assert await say(running, *head) == 413
    assert not running.intents.reload_wanted.is_set()
