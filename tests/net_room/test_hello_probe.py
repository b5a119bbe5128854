"""Self-made ClientHellos: a real server answers every shape, and other answers are classified."""

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


def sni_seen_by_openssl(hello: bytes) -> str | None:
    """Return the server name that OpenSSL reads in a ClientHello."""
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
    """OpenSSL finds the name at the front or at the end, or finds none."""
    assert sni_seen_by_openssl(build_client_hello(NAME, shape)) == (
        None if shape is ClientHelloShape.NO_SNI else NAME
    )


@pytest.mark.parametrize("host", ["a.example", NAME, "x" * 60 + ".example.com"])
def test_client_hello_sizes(host: str) -> None:
    """A small ClientHello fits one segment; a large one needs two, whatever the name."""
    assert len(build_client_hello(host, ClientHelloShape.SMALL)) < ONE_SEGMENT
    assert len(build_client_hello(host, ClientHelloShape.NO_SNI)) < ONE_SEGMENT
    assert (
        len(build_client_hello(host, ClientHelloShape.LARGE))
        == len(build_client_hello(host, ClientHelloShape.SNI_LAST))
        == LARGE
    )


def test_position_of_the_server_name() -> None:
    """In the first few hundred bytes, or beyond the first kilobyte."""
    name = NAME.encode()
    assert build_client_hello(NAME, ClientHelloShape.LARGE).index(name) < 256
    assert build_client_hello(NAME, ClientHelloShape.SNI_LAST).index(name) > 1024


def test_client_hellos_are_unique() -> None:
    """Two ClientHellos share neither random nor key."""
    assert build_client_hello(NAME, ClientHelloShape.SMALL) != build_client_hello(
        NAME, ClientHelloShape.SMALL
    )


async def send_to(
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
    """OpenSSL answers each shape with a ServerHello, in TLS 1.2 and 1.3; a few bytes are enough."""
    context, here = pki.server(pki.issue("web", issuer=pki.root, names=(NAME,))), Source(name="here")
    context.minimum_version = context.maximum_version = version
    port = await serve(lambda peer: speak_tls(peer, context))
    seen = await send_to(here, port, shape)
    assert (seen.failure, seen.server_hello) == (None, True)
    assert seen.sni == ("" if shape is ClientHelloShape.NO_SNI else NAME)
    assert seen.bytes_received >= 7


async def test_split_client_hello(serve: Serve, here: Source) -> None:
    """The two parts arrive separately, and make up the whole."""
    parts: list[bytes] = []

    async def listen(peer: Any) -> None:
        while data := await peer.receive():
            parts.append(data)

    port = await serve(listen)
    seen = await send_to(here, port, split=True, timeout=0.3)
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
    """Each kind of answer that is no ServerHello has its failure."""

    async def reply(peer: Any) -> None:
        await peer.receive()
        if answer:
            await peer.send(answer)

    seen = await send_to(here, await serve(reply))
    assert (seen.failure, seen.alert, seen.server_hello) == (failure, alert, False)


async def test_reset(serve: Serve, here: Source) -> None:
    """A RST after the ClientHello is RESET."""

    async def cut(peer: Any) -> None:
        await peer.receive()
        peer.reset()

    assert (await send_to(here, await serve(cut))).failure is Failure.RESET
