"""The client of Prometheus' API with servers that answer badly: each is said in words, and gets no secret."""

from __future__ import annotations

import asyncio
import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from egressd.errors import EgressdError, UsageError
from egressd.prometheus import client as client_module
from egressd.prometheus.answer import PrometheusError
from egressd.prometheus.client import open_client
from egressd.prometheus.httpconfig import HttpConfig
from tests.ports import closed_port
from tests.prometheus_room.servers import raw_server, response

NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
ONE = (
    b'{"status":"success","data":{"resultType":"vector","result":'
    b'[{"metric":{"site":"oslo","other":"x"},"value":[1,"1"]}]}}'
)
LOGIN = HttpConfig(headers=(("Authorization", "Bearer sesame-opens"),), secrets=("sesame-opens",))


async def why_not(port: int, config: HttpConfig = HttpConfig(), *, timeout: float = 30.0) -> str:  # noqa: B008
    """Return what is said of a server that can't be asked."""
    with pytest.raises(EgressdError) as raised:
        async with open_client(f"http://127.0.0.1:{port}", config, timeout=timeout) as client:
            await client.query("up", at=NOW)
    return str(raised.value)


async def test_a_query_is_posted_with_its_time_and_credentials() -> None:
    """The expression is in the body, so that no proxy logs it; the time is the one asked for."""
    async with (
        raw_server(response("200 OK", ONE)) as server,
        open_client(f"http://127.0.0.1:{server.port}/prom/", LOGIN) as client,
    ):
        (sample,) = await client.query('up{a="b"}', at=NOW)
    assert sample.metric.site == "oslo"
    assert sample.number == 1
    (request,) = server.requests
    assert request.startswith(b"POST /prom/api/v1/query HTTP/1.1\r\n")
    assert b"query=up%7Ba%3D%22b%22%7D&time=1790000000.000&" in request
    assert b"Authorization: Bearer sesame-opens" in request


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (response("401 Unauthorized", b"no", media="text/plain"), "wants credentials"),
        (response("404 Not Found", b"404 page not found", media="text/plain"), "it is no Prometheus"),
        (
            response(
                "422 Unprocessable Entity",
                b'{"status":"error","errorType":"execution","error":"query processing would load too many '
                b'samples into memory in query execution"}',
            ),
            "raise --query.max-samples there",
        ),
        (
            response(
                "503 Service Unavailable",
                b'{"status":"error","errorType":"timeout","error":"query timed out in evaluation"}',
            ),
            "did not finish the query in time: query timed out",
        ),
        (response("200 OK", b"<!doctype html><title>Sign in", media="text/html"), "an HTML page"),
        (response("502 Bad Gateway", b"<html>nginx", media="text/html"), "answers 502 with an HTML page"),
        (response("200 OK", b'{"status":"success"'), "something else than Prometheus' API does"),
        (response("200 OK", b"[" * 100_000), "something else than Prometheus' API does"),
        (
            response("200 OK", b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}'),
            "something else than Prometheus' API does",
        ),
        (
            response("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n"),
            "an HTTPS server",
        ),
        (response("302 Found", b"", "Location: http://127.0.0.1:1/login"), "redirects to another server"),
        (response("302 Found", b"", "Location: /api/v1/query"), "redirects more than 5 times"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP"),
        (b"", "closed the connection before it answered"),
        (
            ONE.join((b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"")),
            "before its answer was complete",
        ),
    ],
)
async def test_a_bad_answer_is_said_in_words(answer: bytes, words: str) -> None:
    """Every message names the server, and what is wrong or what to do."""
    async with raw_server(answer) as server:
        said = await why_not(server.port)
    assert words in said
    assert f"127.0.0.1:{server.port}" in said


async def test_credentials_that_are_refused_are_not_shown() -> None:
    """A server that sends the token back does not get it printed."""
    for status in ("401 Unauthorized", "400 Bad Request"):
        async with raw_server(response(status, b"bad: Bearer sesame-opens", media="text/plain")) as server:
            said = await why_not(server.port, LOGIN)
        assert "sesame" not in said
    async with raw_server(response("403 Forbidden", b"")) as server:
        assert "refuses the credentials of --http.config.file" in await why_not(server.port, LOGIN)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_to_another_server_gets_nothing(status: str) -> None:
    """Neither the credentials nor the query go to where a redirect leads."""
    async with raw_server(response("200 OK", ONE)) as thief:
        moved = response(status, b"", f"Location: http://127.0.0.1:{thief.port}/api/v1/query")
        async with raw_server(moved) as server:
            said = await why_not(server.port, LOGIN)
    assert thief.requests == []
    assert f"redirects to another server, 127.0.0.1:{thief.port}" in said


async def test_no_redirect_is_followed_where_the_file_says_so() -> None:
    """`follow_redirects: false` holds for the same server, too."""
    async with raw_server(response("301 Moved", b"", "Location: /x/api/v1/query")) as server:
        said = await why_not(server.port, HttpConfig(follow_redirects=False))
        assert len(server.requests) == 1
    assert "follow_redirects is false" in said


async def test_a_redirect_on_the_same_server_is_followed_with_the_query() -> None:
    """A server below another path gets the same POST again."""
    answers = [
        response("308 Permanent Redirect", b"", "Location: /prom/api/v1/query"),
        response("200 OK", ONE),
    ]

    async def each(writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async with (
        raw_server(each) as server,
        open_client(f"http://127.0.0.1:{server.port}", LOGIN) as client,
    ):
        await client.query("up", at=NOW)
    assert [one.split(b" HTTP")[0] for one in server.requests] == [
        b"POST /api/v1/query",
        b"POST /prom/api/v1/query",
    ]
    assert all(b"query=up&" in one for one in server.requests)


async def test_a_server_that_only_lets_reading_through_is_asked_by_get() -> None:
    """405 for a POST is answered with a GET, then and later."""

    async def no_post(writer: asyncio.StreamWriter) -> None:
        posted = server.requests[-1].startswith(b"POST")
        writer.write(response("405 Method Not Allowed", b"") if posted else response("200 OK", ONE))
        await writer.drain()

    async with (
        raw_server(no_post) as server,
        open_client(f"http://127.0.0.1:{server.port}", HttpConfig()) as client,
    ):
        await client.query("up", at=NOW)
        await client.query("up", at=NOW)
    assert [one[:4] for one in server.requests] == [b"POST", b"GET ", b"GET "]


async def test_a_silent_server_is_left() -> None:
    """One that takes the question and never answers, and one that sends a byte now and then."""

    async def silent(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def trickling(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    for one in (silent, trickling):
        async with raw_server(one) as server:
            assert "gave no complete answer in 0.5 s" in await why_not(server.port, timeout=0.5)


async def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent as it is, or as a few bytes of gzip that make it."""
    monkeypatch.setattr(client_module, "LARGEST_ANSWER", 4 << 20)
    packed = gzip.compress(b" " * (64 << 20))

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with raw_server(endless) as server:
        assert "answers with more than 4 MiB" in await why_not(server.port)
    async with raw_server(response("200 OK", packed, "Content-Encoding: gzip")) as server:
        assert "answers with more than 4 MiB" in await why_not(server.port)


async def test_a_server_that_is_not_there() -> None:
    """A refused connection and TLS with a server that has none are said as such."""
    with closed_port() as port:
        assert "can't be reached (connection refused)" in await why_not(port)

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(PrometheusError, match=r"TLS handshake with 127.0.0.1"):
            async with open_client(f"https://127.0.0.1:{port}", HttpConfig()) as client:
                await client.query("up", at=NOW)


async def test_files_of_tls_are_checked_before_anything_is_sent(tmp_path: Path) -> None:
    """A CA file without a certificate must not mean the system's roots; a key must fit."""
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    for config, words in (
        (HttpConfig(ca_file=empty), "there is no certificate in"),
        (HttpConfig(ca_file=tmp_path / "absent.pem"), "tls_config.ca_file: cannot read"),
        (HttpConfig(cert_file=empty, key_file=empty), "are not a certificate and its key"),
    ):
        with pytest.raises(UsageError, match=words):
            async with open_client("https://127.0.0.1:1", config):
                pass
