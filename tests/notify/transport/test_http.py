"""HTTP receivers with real servers: success, every kind of failure, TLS, proxies, and secrets."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import ssl
import urllib.parse
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from egressd import clock
from egressd.model.alert import NoticeKind
from egressd.model.notification import Receiver
from egressd.notify.dispatch import deliver
from egressd.notify.heartbeat import call_heartbeat
from egressd.notify.result import DeliveryResult
from egressd.notify.transport.http import HttpTransport
from egressd.notify.transport.redact import quote_answer, url_host_port
from tests.notify.content.sample import RULES, alert, notice
from tests.notify.receivers.schemas import CLOUDEVENT, SLACK, TEAMS, WEBHOOK, check
from tests.notify.transport.servers import (
    BEARER,
    PATH,
    QUERY,
    SECRETS,
    ReceivedRequest,
    answering,
    http,
    listening,
    proxying,
    receiver,
    reset,
)

HOOK = "webhook"
PROXY_PASSWORD = "pr0xy-very-secret"
PROXY_LOGIN = f"Basic {base64.b64encode(f'proxyuser:{PROXY_PASSWORD}'.encode()).decode()}"
OK = http("200 OK", b"ok")


def without_secrets(delivery: DeliveryResult) -> DeliveryResult:
    """Return the result after checking it for secrets."""
    for secret in (*SECRETS, PROXY_PASSWORD, PROXY_LOGIN.split()[1]):
        assert secret not in delivery.why
    assert delivery.ok or delivery.why
    assert delivery.why.isprintable()
    return delivery


async def attempt(to: Receiver, **options: int) -> DeliveryResult:
    """Deliver one notice."""
    return without_secrets(await deliver(to, (notice(),), dropped=0, rules=RULES, **options))


@pytest.mark.parametrize(
    ("kind", "schema", "content_type"),
    [
        ("webhook", WEBHOOK, "application/json"),
        ("cloudevents", CLOUDEVENT, "application/cloudevents+json; charset=utf-8"),
        ("slack", SLACK, "application/json"),
        ("teams", TEAMS, "application/json"),
    ],
)
async def test_each_type_posts_its_documented_format(
    kind: str, schema: dict[str, object], content_type: str
) -> None:
    """Each type sends one POST to the URL's path and query, with authorization, in its documented format."""
    async with answering(OK) as server:
        delivery = await attempt(receiver(kind, server.url(), authorization=BEARER))
    assert delivery == DeliveryResult(ok=True, delivered=1)
    (request,) = server.requests
    assert request.line == f"POST {PATH}?{QUERY} HTTP/1.1"
    assert request.headers["content-type"] == content_type
    assert request.headers["authorization"] == BEARER
    assert request.headers["user-agent"].startswith("egressd/")
    check(schema, json.loads(request.body))


async def test_notices_arrive_in_order_and_as_a_digest_beyond_the_bound() -> None:
    """Receivers for people get one digest, programs get each notice; dropped ones are reported once."""
    notices = (notice(), notice(NoticeKind.CHANGED), notice(NoticeKind.CLOSED))
    async with answering(OK) as server:
        slack = Receiver(name="s", type="slack", transport=HttpTransport(urls=(server.url(),)), digest=2)
        assert (await deliver(slack, notices, dropped=4, rules=RULES)).delivered == 3
        assert len(server.requests) == 1
        assert b"4 notifications before this one" in server.requests.pop().body
        assert (await deliver(slack, notices[:2], dropped=4, rules=RULES)).delivered == 2
        assert ["4 notifications" in one.body.decode() for one in server.requests] == [True, False]
        server.requests.clear()
        hook = receiver("cloudevents", server.url())
        assert (await deliver(hook, notices, dropped=0, rules=RULES)).delivered == 3
        assert [json.loads(one.body)["id"] for one in server.requests] == [one.id for one in notices]


async def test_a_delivery_is_continued_where_it_stopped() -> None:
    """After a failure at the third part the next attempt begins there, and no part is sent twice."""
    from msgspec.structs import replace

    from tests.notify.content.sample import CAUSE

    wide = alert(condition=replace(CAUSE, targets=tuple(f"{'t' * 60}{n}" for n in range(1000))))
    notices = (notice(), notice(NoticeKind.CHANGED, about=wide))
    busy = True

    def answer(_: ReceivedRequest) -> bytes:
        return http("503 Busy") if busy and len(server.requests) == 4 else OK

    async with answering(answer) as server:
        slack = receiver("slack", server.url())
        first = without_secrets(await deliver(slack, notices, dropped=0, rules=RULES))
        assert (first.ok, first.retry, first.delivered, first.parts) == (False, True, 1, 2)
        busy = False
        server.requests.pop()
        rest = await deliver(slack, notices[1:], dropped=0, rules=RULES, skip=first.parts)
        assert (rest.ok, rest.delivered) == (True, 1)
        parts = [json.loads(one.body)["text"] for one in server.requests[1:]]
        total = len(parts)
        assert [one.rpartition(" (")[2] for one in parts] == [f"{n} of {total})" for n in range(1, total + 1)]
        sections = "\n".join(one.body.decode() for one in server.requests)
        assert all(f"{'t' * 60}{n}" in sections for n in range(1000))


@pytest.mark.parametrize(
    ("answer", "retry", "after", "words"),
    [
        (http("500 Oops", b"broken"), True, None, "answered 500: broken"),
        (http("503 Busy", b"", "Retry-After: 7"), True, 7.0, "answered 503"),
        (http("429 Slow", b"", "Retry-After: 30"), True, 30.0, "answered 429"),
        (http("429 Slow", b"", "Retry-After: 99999999999"), True, 3600.0, "answered 429"),
        (http("429 Slow", b"", "Retry-After: soon"), True, None, "answered 429"),
        (http("429 Slow", b"", "Retry-After: Sat, 21 Nov 2020 00:00:00 GMT"), True, 0.0, "answered 429"),
        (http("404 No", f"no {PATH} for {BEARER}".encode()), True, None, "answered 404: no *** for ***"),
        (http("401 No", b"", "Retry-After: 60"), True, 60.0, "answered 401"),
        (http("403 No", b"<html>blocked by policy"), True, None, "answered 403: <html>blocked by policy"),
        (http("410 Gone"), True, None, "answered 410"),
        (http("413 Large"), False, None, "answered 413"),
        (http("422 Odd"), False, None, "answered 422"),
        (http("101 Switching", b"", "Upgrade: x"), True, None, "answered 101"),
        (http("999 Denied"), True, None, "answered 999"),
        (http("400 Bad", b"\x1b[31mbad\x00\r\nX: y" + b"z" * 9000), False, None, "answered 400: bad X: yzzz"),
        (
            http("302 Found", b"", f"Location: https://login.example{PATH}"),
            True,
            None,
            "to login.example:443",
        ),
        (
            http("302 Found", b"", "Location: http://[::1"),
            True,
            None,
            "a redirect to a host that is written",
        ),
        (http("307 Here", b"", f"Location: {PATH}"), True, None, "a redirect; none is followed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", True, None, "does not answer in HTTP"),
        (b"", True, None, "closed the connection before it answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", True, None, "127.0.0.1"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut", None, None, ""),
        (b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\ncut", True, None, "answered 500: cut"),
    ],
)
async def test_results_by_status(answer: bytes, retry: bool | None, after: float | None, words: str) -> None:
    """2xx is ok even if cut off afterwards; only what is said of the message itself is final."""
    async with answering(answer) as server:
        delivery = await attempt(receiver(HOOK, server.url(), authorization=BEARER))
    assert len(server.requests) == 1
    assert delivery.ok == (retry is None)
    assert delivery.retry == bool(retry)
    assert delivery.retry_after == after
    assert words in delivery.why
    assert len(delivery.why) < 500


async def test_retry_after_as_a_date() -> None:
    """`Retry-After` may be a date."""
    until = format_datetime(clock.now() + timedelta(seconds=100), usegmt=False)
    async with answering(http("503 Busy", b"", f"Retry-After: {until}")) as server:
        delivery = await attempt(receiver(HOOK, server.url()))
    assert delivery.retry_after is not None
    assert 60 < delivery.retry_after <= 100


async def test_a_closed_port(unused_tcp_port: int) -> None:
    """A closed port can be retried, and the result names it."""
    delivery = await attempt(receiver(HOOK, f"http://127.0.0.1:{unused_tcp_port}{PATH}?{QUERY}"))
    assert delivery.retry
    assert delivery.why == f"127.0.0.1:{unused_tcp_port} can't be reached (connection refused)"


async def test_an_unresolvable_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that can't be resolved is a transport error."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    delivery = await attempt(receiver(HOOK, f"http://hook.corp.example{PATH}"))
    assert delivery.retry
    assert delivery.why == "the name of hook.corp.example:80 can't be resolved (name or service not known)"


async def test_a_server_that_stalls() -> None:
    """A delivery that times out can be retried."""

    async def stall(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(10)
        await asyncio.sleep(60)

    async with listening(stall) as port:
        delivery = await attempt(receiver(HOOK, f"http://127.0.0.1:{port}{PATH}", timeout=0.3))
    assert delivery == DeliveryResult(
        ok=False, retry=True, why=f"no answer from 127.0.0.1:{port} within 0.3 s"
    )


@pytest.mark.parametrize(("status", "ok"), [(b"200 OK", True), (b"500 No", False)])
async def test_an_endless_body(status: bytes, ok: bool) -> None:
    """Only the beginning is read: an endless body costs neither time nor memory."""

    async def send_endlessly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %s\r\nTransfer-Encoding: chunked\r\n\r\n" % status)
        while True:
            writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            await writer.drain()

    async with listening(send_endlessly) as port:
        delivery = await attempt(receiver(HOOK, f"http://127.0.0.1:{port}{PATH}"))
    assert delivery.ok == ok
    assert len(delivery.why) < 500


async def test_a_reset() -> None:
    """A reset connection can be retried, and the result names it."""
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await reader.read(10)
        reset(writer)

    async with listening(talk) as port:
        delivery = await attempt(receiver(HOOK, f"http://127.0.0.1:{port}{PATH}"))
    assert (delivery.retry, count) == (True, 1)
    assert "connection reset" in delivery.why


async def test_proxy_variables_are_ignored(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    """Proxy variables of the environment are ignored, since that proxy may be under test."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    async with answering(OK) as server:
        assert (await attempt(receiver(HOOK, server.url()))).ok


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


def server_tls(ca: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return context


def pem(ca: trustme.CA, folder: Path) -> str:
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


async def test_tls_with_its_own_ca(ca: trustme.CA, tmp_path: Path) -> None:
    """The receiver's CA file is the trust store."""
    async with answering(OK, tls=server_tls(ca)) as server:
        delivery = await attempt(receiver(HOOK, server.url("https"), ca_file=pem(ca, tmp_path)))
    assert delivery.ok


@pytest.mark.parametrize("which", ["other", "system", "name", "missing", "empty"])
async def test_tls_that_does_not_verify(which: str, ca: trustme.CA, tmp_path: Path) -> None:
    """An unknown root, another name, a missing CA file: nothing is sent, and the result says why."""
    tls = server_tls(ca, "other.example" if which == "name" else "127.0.0.1")
    (tmp_path / "empty.pem").write_text("")
    files = {
        "other": pem(trustme.CA(), tmp_path) if which == "other" else "",
        "system": None,
        "name": pem(ca, tmp_path) if which == "name" else "",
        "missing": str(tmp_path / "missing.pem"),
        "empty": str(tmp_path / "empty.pem"),
    }
    async with answering(OK, tls=tls) as server:
        delivery = await attempt(receiver(HOOK, server.url("https"), ca_file=files[which]))
    assert server.requests == []
    assert delivery.retry
    assert "ca_file" in delivery.why
    trouble = which in ("missing", "empty")
    assert ("cannot use ca_file" if trouble else "is not trusted") in delivery.why


async def test_no_tls_where_tls_is_expected() -> None:
    """A plain-text server on a TLS port is a handshake error."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http("400 Bad Request"))
        await writer.drain()

    async with listening(talk) as port:
        delivery = await attempt(receiver(HOOK, f"https://127.0.0.1:{port}{PATH}"))
    assert delivery.retry
    assert "the TLS handshake with 127.0.0.1" in delivery.why


@pytest.mark.parametrize("proxy_scheme", ["http", "https"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_through_a_proxy_with_a_password(
    scheme: str, proxy_scheme: str, ca: trustme.CA, tmp_path: Path
) -> None:
    """The proxy has the credentials, the receiver never sees them; the proxy resolves the name."""
    tls = server_tls(ca, "hook.corp.example") if scheme == "https" else None
    outer = server_tls(ca) if proxy_scheme == "https" else None
    async with proxying(password=PROXY_PASSWORD, tls=outer) as proxy, answering(OK, tls=tls) as server:
        to = receiver(
            HOOK,
            server.url(scheme, "hook.corp.example"),
            proxy=f"{proxy_scheme}://127.0.0.1:{proxy.port}",
            proxy_authorization=PROXY_LOGIN,
            ca_file=pem(ca, tmp_path),
            authorization=BEARER,
        )
        delivery = await attempt(to)
    assert delivery.ok, delivery.why
    (proxied,), (request,) = proxy.requests, server.requests
    assert proxied.headers["proxy-authorization"] == PROXY_LOGIN
    assert request.headers["authorization"] == BEARER
    if scheme == "https":
        assert proxied.line.startswith(f"CONNECT hook.corp.example:{server.port} ")
        assert "proxy-authorization" not in request.headers
        assert "authorization" not in proxied.headers
    else:
        assert proxied.line.startswith("POST http://hook.corp.example:")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("refusal", ["", "403 Forbidden", "502 Bad Gateway"])
async def test_a_proxy_that_refuses(scheme: str, refusal: str) -> None:
    """A proxy's 407, 403 or 502 can be retried, since the receiver did not refuse."""
    async with proxying(password=PROXY_PASSWORD, refusal=refusal) as proxy:
        to = receiver(
            HOOK,
            f"{scheme}://hook.corp.example:9{PATH}?{QUERY}",
            proxy=f"http://127.0.0.1:{proxy.port}",
            proxy_authorization="Basic d3Jvbmctc2VjcmV0",
        )
        delivery = await attempt(to)
    assert (delivery.ok, delivery.retry) == (False, True)
    assert "proxy" in delivery.why
    assert (refusal[:3] or "407") in delivery.why
    assert "d3Jvbmctc2VjcmV0" not in delivery.why


async def test_an_unreachable_proxy(unused_tcp_port: int) -> None:
    """The error names the proxy, not the receiver."""
    proxy = f"http://127.0.0.1:{unused_tcp_port}"
    delivery = await attempt(receiver(HOOK, f"https://hook.corp.example{PATH}", proxy=proxy))
    assert delivery.retry
    assert delivery.why == f"the proxy: 127.0.0.1:{unused_tcp_port} can't be reached (connection refused)"


async def test_a_heartbeat_is_a_get() -> None:
    """The URL is called as it is, without a body."""
    async with answering(OK) as server:
        assert (await call_heartbeat(receiver("heartbeat", server.url(), authorization=BEARER))).ok
    (request,) = server.requests
    assert request.line == f"GET {PATH}?{QUERY} HTTP/1.1"
    assert request.headers["authorization"] == BEARER
    async with answering(http("404 Gone")) as server:
        delivery = without_secrets(await call_heartbeat(receiver("heartbeat", server.url())))
    assert (delivery.ok, delivery.retry) == (False, True)


@pytest.mark.parametrize("bad", ["Bearer x\r\nInjected: 1", "Bearer \x00"])
async def test_a_header_that_can_not_be_sent(bad: str) -> None:
    """A secret with a line break is reported without showing it, and injects no header."""
    async with answering(OK) as server:
        delivery = await attempt(receiver(HOOK, server.url(), authorization=bad))
    assert all("injected" not in one.headers for one in server.requests)
    assert delivery.ok is False
    assert "Injected" not in delivery.why


@given(
    token=st.text("abcdefXYZ0123456789-_%", min_size=8, max_size=40),
    around=st.text(max_size=30),
    password=st.text(min_size=8, max_size=30),
)
def test_no_secret_is_ever_quoted(token: str, around: str, password: str) -> None:
    """Secrets in a server's response are redacted, in any of their usual encodings."""
    login = f"Basic {base64.b64encode(f'user:{password}'.encode()).decode()}"
    transport = HttpTransport(
        urls=(f"https://hooks.example/services/{token}?sig={token}2",), authorization=login
    )
    to = Receiver(name="r", type=HOOK, transport=transport)
    for secret in (token, f"/services/{token}", f"sig={token}2", login, login.split()[1]):
        for text in (f"{around}{secret}{around}", f"{around} {urllib.parse.unquote(secret)}"):
            quoted = quote_answer(text.encode(), transport.echoes())
            assert secret not in quoted.replace(around, "") or secret in around
            assert quoted.isprintable()
    assert url_host_port(transport.urls[0]) == "hooks.example:443"
    assert token not in repr(to)
    assert login not in repr(to)
    assert set(transport.echoes()) >= {token, password, login}


async def test_an_invalid_url_is_reported() -> None:
    """An invalid URL is reported without showing it; what waits is sent once it is corrected."""
    for url in (f"http://[bad{PATH}", f"http://127.0.0.1:99999{PATH}", f"ftp://127.0.0.1{PATH}"):
        delivery = await attempt(receiver(HOOK, url))
        assert (delivery.ok, delivery.retry) == (False, True), url


async def test_nothing_is_logged(caplog: pytest.LogCaptureFixture, unused_tcp_port: int) -> None:
    """Neither a library nor the transport logs anything: the delivery store does, from `why`."""
    caplog.set_level(logging.DEBUG)
    async with answering(http("500 No", PATH.encode())) as server:
        await attempt(receiver(HOOK, server.url(), authorization=BEARER))
    await attempt(receiver(HOOK, f"https://127.0.0.1:{unused_tcp_port}{PATH}?{QUERY}", authorization=BEARER))
    for secret in SECRETS:
        assert secret not in caplog.text
