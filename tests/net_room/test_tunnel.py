"""CONNECT: a tunnel, or the failure."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.model.observation import Failure
from egressd.model.settings import Proxy
from egressd.net.tunnel import open_tunnel

PROXY = Proxy(url="http://proxy.test:3128")
SECRET = Proxy(url="http://proxy.test:3128", username="user", password="pa:ss-wörd")


def scripted_proxy(said: bytes, received: list[bytes]) -> Any:
    """Return a proxy's script; it echoes in the tunnel."""

    async def script(peer: Any) -> None:
        received.append(await peer.reader.readuntil(b"\r\n\r\n"))
        await peer.send(said)
        await peer.send(await peer.receive())

    return script


async def test_tunnel(serve: Any, connect: Any) -> None:
    """After 200 the stream is the target's, and only CONNECT was sent."""
    received: list[bytes] = []
    said = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 squid\r\n\r\n"
    stream = await connect(await serve(scripted_proxy(said, received)))
    seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=2)
    assert (seen.failure, seen.status, seen.credentials_sent) == (None, 200, False)
    assert (seen.proxy, seen.authority) == ("http://proxy.test:3128", "web.test:443")
    assert seen.headers == (("via", "1.1 squid"),)
    await stream.write(b"ping")
    assert await stream.read(10) == b"ping"
    stream.close()
    assert received[0].startswith(b"CONNECT web.test:443 HTTP/1.1\r\n")
    assert b"authorization" not in received[0].lower()


async def test_bytes_after_the_response_belong_to_the_tunnel(serve: Any, connect: Any) -> None:
    """The first bytes of a server that speaks first are kept."""
    said = b"HTTP/1.1 200 OK\r\n\r\nSSH-2.0-first"
    stream = await connect(await serve(scripted_proxy(said, [])))
    seen = await open_tunnel(stream, PROXY, "web.test:22", timeout=2)
    assert seen.failure is None
    assert await stream.read(100) == b"SSH-2.0-first"
    stream.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 Connection established\r\nX-Policy : corp\r\n",
        b"HTTP/1.1 200 Connection established\r\nvia/proxy: corp\r\n",
        b"HTTP/1.0 200\r\nno colon\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n",
    ],
)
async def test_odd_heads_open_the_tunnel(serve: Any, connect: Any, head: bytes) -> None:
    """A CONNECT that is granted with headers that break the rules is granted; what follows is the tunnel."""
    stream = await connect(await serve(scripted_proxy(head + b"\r\nfirst", [])))
    seen = await open_tunnel(stream, PROXY, "web.test:22", timeout=2)
    assert (seen.failure, seen.status) == (None, 200)
    assert await stream.read(100) == b"first"
    stream.close()


async def test_credentials_are_not_recorded(serve: Any, connect: Any) -> None:
    """Basic, in UTF-8; the observation has neither them nor the proxy's userinfo."""
    received: list[bytes] = []
    said = (
        b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n"
        b'Proxy-Authenticate: Basic realm="corp"\r\nX-Squid-Error: ERR_CACHE_ACCESS_DENIED 0\r\n'
        b"Content-Length: 20\r\n\r\n<title>denied</title"
    )
    stream = await connect(await serve(scripted_proxy(said, received)))
    seen = await open_tunnel(stream, SECRET, "web.test:443", timeout=2)
    stream.close()
    secret = base64.b64encode("user:pa:ss-wörd".encode()).decode()
    assert f"proxy-authorization: basic {secret}".lower() in received[0].decode().lower()
    assert (seen.failure, seen.status, seen.credentials_sent) == (Failure.PROXY_STATUS, 407, True)
    assert ("proxy-authenticate", "Negotiate") in seen.headers
    assert ("x-squid-error", "ERR_CACHE_ACCESS_DENIED 0") in seen.headers
    assert seen.body == "<title>denied</title"
    assert secret not in repr(seen)
    assert "wörd" not in repr(seen)


async def test_userinfo_is_removed(memory_stream: Any) -> None:
    """A proxy URL with credentials is recorded without them."""
    proxy = Proxy(url="http://user:secret@proxy.test:3128/x")
    seen = await open_tunnel(memory_stream(), proxy, "web.test:443", timeout=1)
    assert seen.proxy == "http://proxy.test:3128"


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (b"", Failure.CLOSED),
        (b"SSH-2.0-x\r\n", Failure.NOT_HTTP),
        (b"\x05\xff", Failure.NOT_HTTP),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\nshort", Failure.PROXY_STATUS),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Failure.PROXY_STATUS),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Failure.PROXY_STATUS),
        (b"HTTP/1.1 302 Found\r\nLocation: http://portal.test/?u=1\r\n\r\n", Failure.PROXY_STATUS),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2_000_000, Failure.TOO_LARGE),
    ],
)
async def test_refusals(memory_stream: Any, said: bytes, failure: Failure) -> None:
    """Each kind has its failure, and the first bytes are kept."""
    seen = await open_tunnel(
        memory_stream(said) if said else memory_stream(), PROXY, "web.test:443", timeout=1
    )
    assert seen.failure is failure
    assert seen.first_bytes == said[:64].hex()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/html\r\nContent-Length: 53\r\n\r\n",
        b"Content-Type: text/html\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n35\r\n",
    ],
    ids=["length", "type", "chunked"],
)
async def test_a_page_is_no_tunnel(memory_stream: Any, head: bytes) -> None:
    """A 2xx that announces a body and sends one has no tunnel; the page is kept."""
    page = b"<html><title>Web policy</title>Not allowed.</html>\r\n"
    stream = memory_stream(b"HTTP/1.1 200 OK\r\n" + head + page)
    seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=1)
    assert (seen.failure, seen.status, seen.title) == (Failure.PROXY_PAGE, 200, "Web policy")
    assert "Not allowed." in seen.body


async def test_a_page_may_come_after_its_head(serve: Any, connect: Any) -> None:
    """An announced body is waited for."""

    async def late(peer: Any) -> None:
        await peer.receive()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n")
        await asyncio.sleep(0.1)
        await peer.send(b"<p>sign in</p>")

    stream = await connect(await serve(late))
    seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=5)
    stream.close()
    assert (seen.failure, seen.body) == (Failure.PROXY_PAGE, "<p>sign in</p>")


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Type: text/html\r\n"],
    ids=["nothing", "never sent", "type"],
)
async def test_an_announced_body_that_never_comes_is_a_tunnel(serve: Any, connect: Any, head: bytes) -> None:
    """Clients ignore it in a 2xx answer to CONNECT (RFC 9110 section 9.3.6)."""
    stream = await connect(await serve(scripted_proxy(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", [])))
    seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=5)
    assert seen.failure is None
    await stream.write(b"ping")
    assert await stream.read(10) == b"ping"
    stream.close()


async def test_the_title_of_a_refusal_is_kept(memory_stream: Any) -> None:
    """It often names the product and the policy."""
    page = b"<html><head><title>Access Denied (policy_denied)</title></head></html>"
    said = b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n" % len(page) + page
    seen = await open_tunnel(memory_stream(said), PROXY, "web.test:443", timeout=1)
    assert seen.title == "Access Denied (policy_denied)"


async def test_reset_and_timeout(serve: Any, connect: Any) -> None:
    """RESET and TIMEOUT, as for every phase."""

    async def reset(peer: Any) -> None:
        await peer.receive()
        peer.reset()

    async def idle(peer: Any) -> None:
        await peer.idle()

    for script, failure in ((reset, Failure.RESET), (idle, Failure.TIMEOUT)):
        stream = await connect(await serve(script))
        seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=0.4)
        stream.close()
        assert (seen.failure, seen.status) == (failure, None)


async def test_endless_error_page(serve: Any, connect: Any) -> None:
    """The status is enough."""

    async def drip(peer: Any) -> None:
        await peer.receive()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\n\r\n<h1>")
        await peer.idle()

    stream = await connect(await serve(drip))
    seen = await open_tunnel(stream, PROXY, "web.test:443", timeout=20)
    stream.close()
    assert (seen.failure, seen.status, seen.body) == (Failure.PROXY_STATUS, 403, "<h1>")
    assert seen.elapsed_ms < 2000


async def test_invalid_target(memory_stream: Any) -> None:
    """Nothing is sent."""
    stream = memory_stream()
    seen = await open_tunnel(stream, PROXY, "web.test:443\r\nEvil: 1", timeout=1)
    assert (seen.failure, stream.written) == (Failure.NAME_INVALID, b"")


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes(memory_stream: Any, pieces: list[bytes]) -> None:
    """No bytes of a proxy raise or hang."""
    stream = memory_stream(*(piece for piece in pieces if piece))
    asyncio.run(open_tunnel(stream, PROXY, "web.test:443", timeout=2))
