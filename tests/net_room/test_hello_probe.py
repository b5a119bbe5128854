"""Hellos made by hand: a real server answers every shape, and what comes back is told apart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import pytest

from egressd.model.observation import Failure, TlsAlert, TlsObservation
from egressd.model.settings import Source
from egressd.net.dial import dial
from egressd.net.tls.client_hello import LARGE, ClientHelloShape, build_client_hello
from egressd.net.tls.hello_probe import send_client_hello

NAME = "gbl.his.arc.azure.com"
ONE_SEGMENT = 1000
VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

Serve = Callable[..., Awaitable[int]]


def named_by(hello: bytes) -> str | None:
    """Return the server name OpenSSL reads in a hello."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: names.append(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(hello)
    with pytest.raises(ssl.SSLError):  # without a certificate no server goes on; the name is read before
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    return names[0]


@pytest.mark.parametrize("shape", ClientHelloShape)
def test_openssl_reads_the_name(shape: ClientHelloShape) -> None:
    """The name is where a server finds it, at the front or at the end, or it is not there."""
    assert named_by(build_client_hello(NAME, shape)) == (None if shape is ClientHelloShape.NO_SNI else NAME)


@pytest.mark.parametrize("host", ["a.example", NAME, "x" * 60 + ".example.com"])
def test_sizes(host: str) -> None:
    """A small hello fits one segment; a large one is as large whatever the name, and fits none."""
    assert len(build_client_hello(host, ClientHelloShape.SMALL)) < ONE_SEGMENT
    assert len(build_client_hello(host, ClientHelloShape.NO_SNI)) < ONE_SEGMENT
    assert (
        len(build_client_hello(host, ClientHelloShape.LARGE))
        == len(build_client_hello(host, ClientHelloShape.SNI_LAST))
        == LARGE
    )


def test_the_name_stands_where_it_is_said_to() -> None:
    """First within the first few hundred bytes, last beyond any single segment's first kilobyte."""
    name = NAME.encode()
    assert build_client_hello(NAME, ClientHelloShape.LARGE).index(name) < 256
    assert build_client_hello(NAME, ClientHelloShape.SNI_LAST).index(name) > 1024


def test_hellos_differ() -> None:
    """Nothing secret is reused: two hellos share neither random nor key."""
    assert build_client_hello(NAME, ClientHelloShape.SMALL) != build_client_hello(
        NAME, ClientHelloShape.SMALL
    )


async def say_hello(
    here: Source, port: int, shape: ClientHelloShape = ClientHelloShape.SMALL, **more: Any
) -> TlsObservation:
    _, stream = await dial("127.0.0.1", port, source=here, timeout=2.0)
    assert stream is not None
    try:
        return await send_client_hello(stream, NAME, shape, timeout=more.pop("timeout", 2.0), **more)
    finally:
        stream.close()


@pytest.mark.parametrize(("shape", "version"), list(product(ClientHelloShape, VERSIONS)))
async def test_a_server_answers(
    serve: Serve, pki: Any, speak_tls: Any, shape: ClientHelloShape, version: ssl.TLSVersion
) -> None:
    """OpenSSL answers each shape with a ServerHello, in TLS 1.2 as in 1.3; six bytes are enough to see it."""
    context, here = pki.server(pki.issue("web", issuer=pki.root, names=(NAME,))), Source(name="here")
    context.minimum_version = context.maximum_version = version
    port = await serve(lambda peer: speak_tls(peer, context))
    seen = await say_hello(here, port, shape)
    assert (seen.failure, seen.server_hello) == (None, True)
    assert seen.sni == ("" if shape is ClientHelloShape.NO_SNI else NAME)
    assert seen.bytes_received >= 7


async def test_a_split_hello_is_two_writes(serve: Serve, here: Source) -> None:
    """The two parts arrive apart, and together they are the whole hello."""
    parts: list[bytes] = []

    async def listen(peer: Any) -> None:
        while data := await peer.hear():
            parts.append(data)

    port = await serve(listen)
    seen = await say_hello(here, port, split=True, timeout=0.3)
    await asyncio.sleep(0.05)
    assert len(parts) == 2
    assert sum(len(one) for one in parts) == seen.hello_bytes
    assert (seen.failure, seen.server_hello) == (Failure.TIMEOUT, False)


@pytest.mark.parametrize(
    ("answer", "failure", "alert"),
    [
        (b"", Failure.CLOSED, None),
        (b"\x15\x03\x03\x00\x02\x02\x28", Failure.ALERT, TlsAlert(level=2, description=40)),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", Failure.NOT_TLS, None),
        (b"\x16\x03\x03\x00\x20\x0b\x00", Failure.MALFORMED, None),
    ],
    ids=["fin", "alert", "page", "no hello"],
)
async def test_other_answers(
    serve: Serve, here: Source, answer: bytes, failure: Failure, alert: TlsAlert | None
) -> None:
    """What is no ServerHello is named for what it is."""

    async def reply(peer: Any) -> None:
        await peer.hear()
        if answer:
            await peer.say(answer)

    seen = await say_hello(here, await serve(reply))
    assert (seen.failure, seen.alert, seen.server_hello) == (failure, alert, False)


async def test_a_reset(serve: Serve, here: Source) -> None:
    """A RST after the hello is a reset."""

    async def cut(peer: Any) -> None:
        await peer.hear()
        peer.reset()

    assert (await say_hello(here, await serve(cut))).failure is Failure.RESET
