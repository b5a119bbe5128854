"""Answers made to stop us: patterns that would be tried in every way, bombs, drips, floods and odd heads.

The limit of each test is only for what hangs.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib

import pytest

from egressd.notify.dispatch import deliver
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.answer import (
    ANY_ANSWER,
    LONGEST_BODY,
    HttpAnswer,
    decompressed,
    rejection_of,
)
from tests.notify.content.sample import RULES, notice
from tests.notify.transport.servers import answering, http, listening, receiver

pytestmark = pytest.mark.timeout(60)
SLOW_TO_MATCH = (
    b"<!---->" * 9000 + b"x",
    b"<!-- -->" * 30 + b"<",
    b"<?xml ?>" * 8000,
    b"<!--" * 16_000,
    b"error " * 11_000,
    b"status code " * 5000,
    b"HTTP/" + b"1." * 30_000,
    b"HTTP/1" * 10_000,
    b"<" * 65_000,
    b"<" + b"a" * 65_000,
    b"<" + b"a:" * 30_000,
    (b"<" + b"error" * 200) * 60,
    b"-" * 65_000 + b"error",
    b" " * 65_000,
    b"[" * 60_000,
    b'{"status":' * 6000,
    b'{"error":' * 950 + b"1" + b"}" * 950,
    b"9" * 65_000,
    b'{"status": "' + b"no errors" * 7000 + b'"}',
)


@pytest.mark.parametrize("body", SLOW_TO_MATCH, ids=range(len(SLOW_TO_MATCH)))
@pytest.mark.parametrize("media_type", ["text/html", "text/plain", "application/json"])
def test_no_body_takes_long_to_judge(body: bytes, media_type: str) -> None:
    """Nested comments, words and brackets are judged in one pass, on the loop that also probes."""
    answer = HttpAnswer(status=200, media_type=media_type, body=body[:LONGEST_BODY])
    rejection = rejection_of(answer, ANY_ANSWER)
    assert rejection is None or 400 <= rejection.status <= 599


@pytest.mark.parametrize(
    "text", ["<!-- a --> <!---->\n<?xml v?> <!-- b --><html>", "<!--><p>", "\n<?php\n?><br/>"]
)
def test_what_stands_before_a_page(text: str) -> None:
    """Comments and declarations before the first tag hide no page."""
    assert HttpAnswer(status=200, media_type="text/plain", body=text.encode()).is_page


@pytest.mark.parametrize(
    "text", ["<!-- a -->", "<!-- never ends <html>", "<?xml v?><answer/>", "<!-- a -->ok"]
)
def test_what_is_no_page(text: str) -> None:
    """Comments alone, and XML, are no page."""
    assert not HttpAnswer(status=200, media_type="text/plain", body=text.encode()).is_page


def test_bombs_stay_small() -> None:
    """However often and much it was compressed, no more than the bound comes out."""
    bomb = gzip.compress(zlib.compress(bytes(30_000_000)))
    for coding in ("deflate, gzip", "gzip", ",".join(["deflate"] * 2000), "gzip," * 2000):
        assert len(decompressed(bomb, coding)) <= LONGEST_BODY


async def attempt(port: int, *, timeout: float = 5.0, kind: str = "webhook") -> DeliveryResult:
    to = receiver(kind, f"http://127.0.0.1:{port}/hook", timeout=timeout)
    return await deliver(to, (notice(),), dropped=0, rules=RULES)


@pytest.mark.parametrize(("kind", "body"), [("webhook", b""), ("slack", b"ok"), ("teams", b"1")])
async def test_a_yes_before_a_drip_is_a_yes(kind: str, body: bytes) -> None:
    """A receiver that has said yes and keeps the connection is not told again, however short the timeout."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + body)
        while True:
            await asyncio.sleep(0.05)
            writer.write(b" ")

    async with listening(drip) as port:
        assert (await attempt(port, timeout=0.5, kind=kind)).ok


FLOODS = {
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a head without an end": b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n",
    "one line without an end": b"y" * 4096,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("status", [b"HTTP/1.1 200 OK\r\n", b""])
async def test_a_flood_in_place_of_an_answer(status: bytes, flood: bytes) -> None:
    """A head that never ends is no answer; other tasks run meanwhile, and it ends by the timeout."""
    ticks = 0

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(status)
        while True:
            writer.write(flood * 50)
            await writer.drain()
            await asyncio.sleep(0)

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with listening(send) as port, asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        delivery = await attempt(port, timeout=0.5)
        await asyncio.sleep(0.05)
        ticking.cancel()
    assert (delivery.ok, delivery.retry) == (False, True)
    assert ticks


SAMPLES = (
    http(
        "200 OK",
        b"ok",
        "Content-Type: text/plain; charset=utf-8",
        "Set-Cookie: a=b; Path=/",
        "Retry-After: 5",
    ),
    b"HTTP/1.1 503 No\r\nTransfer-Encoding: x\r\nRetry-After: Fri, 31 Dec 2026 23:59:59 GMT\r\n\r\n0\r\n\r\n",
    http("302 Found", b"", "Location: https://[::1]:99999/%%%"),
    http("200 OK", b'{"ok": true}', "Content-Encoding: gzip, deflate", "Content-Type: application/json"),
)
PIECES = (
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b"\x1b[31m",
    b"9" * 20,
    b"-1",
    b";",
    b"=",
    b"gzip",
    b": ",
    b"utf-7",
    b"[",
)


async def test_garbled_answers_lose_nothing() -> None:
    """Whatever is changed in an answer, the notice arrives, waits, or is refused by a status that says so."""
    chance = random.Random(4)

    def garbled(_: object) -> bytes:
        data = bytearray(chance.choice(SAMPLES))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            data[at : at + chance.choice((0, 0, 1, 3))] = chance.choice(PIECES)
        return bytes(data)

    async with answering(garbled) as server:
        for _ in range(250):
            delivery = await attempt(server.port)
            assert delivery.why.isprintable()
            assert (
                delivery.ok
                or delivery.retry
                or " answered 4" in delivery.why
                or "reports an error" in delivery.why
            )
