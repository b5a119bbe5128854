"""The lab's TLS servers: the ClientHello is read, then the fault or the handshake follows."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.lab import Lab
from egressd.lab.sockets import LOOPBACK
from egressd.lab.tls import GARBAGE, MAX_HELLO, SSH_BANNER, client_hello_body, server_name
from egressd.model.catalog import Catalog

HOST = "mcr.microsoft.com"


def client_hello(host: str | None = HOST, *, alpn: tuple[str, ...] = ("h2", "http/1.1")) -> bytes:
    """Return the ClientHello that OpenSSL sends."""
    context = ssl.create_default_context()
    context.check_hostname = host is not None
    context.set_alpn_protocols(list(alpn))
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def trusting(lab: Lab, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(lab.authority.trust_store))
    context.set_alpn_protocols(list(alpn))
    return context


async def close(writer: asyncio.StreamWriter) -> None:
    """Close; data that the server still sends is an error to asyncio."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def first_byte(lab: Lab, host: str) -> int:
    """Send a ClientHello; return the type of the first record of the answer."""
    reader, writer = await asyncio.open_connection(LOOPBACK, lab.ports.served[443])
    writer.write(client_hello(host))
    try:
        return (await reader.readexactly(1))[0]
    finally:
        writer.close()


async def answer_to_client_hello(lab: Lab, *, data: bytes | None = None) -> bytes:
    """Send a ClientHello; return everything up to FIN."""
    reader, writer = await asyncio.open_connection(LOOPBACK, lab.ports.served[443])
    try:
        writer.write(client_hello() if data is None else data)
        async with asyncio.timeout(2.0):
            return await reader.read()
    finally:
        writer.close()


async def test_each_name_has_its_own_certificate(catalog: Catalog) -> None:
    """Two names on one port are verified, with h2 and TLS 1.3."""
    async with Lab(catalog=catalog) as lab:
        for host in (HOST, "egressd-probe-0.his.arc.azure.com"):
            _, writer = await asyncio.open_connection(
                LOOPBACK, lab.ports.served[443], ssl=trusting(lab, "h2", "http/1.1"), server_hostname=host
            )
            tls = writer.get_extra_info("ssl_object")
            assert tls.version() == "TLSv1.3"
            assert tls.selected_alpn_protocol() == "h2"
            assert ("DNS", host) in tls.getpeercert()["subjectAltName"]
            await close(writer)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("tls_alert_handshake_failure", bytes.fromhex("15030300020228")),
        ("tls_alert_access_denied", bytes.fromhex("15030300020231")),
        ("tls_alert_protocol_version", bytes.fromhex("15030300020246")),
        ("tls_alert_insufficient_security", bytes.fromhex("15030300020247")),
        ("tls_alert_internal_error", bytes.fromhex("15030300020250")),
        ("tls_alert_unrecognized_name", bytes.fromhex("15030300020270")),
        ("tls_alert_close_notify", bytes.fromhex("15030300020200")),
        ("tls_alert_unknown", bytes.fromhex("150303000202c8")),
        ("tls_ssh", SSH_BANNER),
        ("tls_garbage", GARBAGE),
        ("tls_fin", b""),
    ],
)
async def test_raw_answers(catalog: Catalog, fault: str, said: bytes) -> None:
    """The client reads exactly these bytes, then FIN; another name is served normally."""
    async with Lab(catalog=catalog, faults=(f"{fault}={HOST}",)) as lab:
        assert await answer_to_client_hello(lab) == said
        assert await first_byte(lab, "gcr.io") == 0x16


async def test_cleartext_block_page(catalog: Catalog) -> None:
    """A complete HTTP response in place of TLS."""
    async with Lab(catalog=catalog, faults=(f"tls_block_page={HOST}",)) as lab:
        head, _, body = (await answer_to_client_hello(lab)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
        assert f"Content-Length: {len(body)}".encode() in head


async def test_reset_after_client_hello(catalog: Catalog) -> None:
    """RST, after the ClientHello was read."""
    async with Lab(catalog=catalog, faults=(f"tls_reset={HOST}",)) as lab:
        with pytest.raises(ConnectionResetError):
            await answer_to_client_hello(lab)


@pytest.mark.parametrize("fault", ["tls_silence", "tls_partial_silence"])
async def test_no_answer(catalog: Catalog, fault: str) -> None:
    """The connection stays open, and no (more) data comes."""
    async with Lab(catalog=catalog, faults=(f"{fault}={HOST}",)) as lab:
        reader, writer = await asyncio.open_connection(LOOPBACK, lab.ports.served[443])
        writer.write(client_hello())
        received, ended = b"", False
        with suppress(TimeoutError):
            async with asyncio.timeout(0.4):
                while data := await reader.read(4096):
                    received += data
                ended = True
        assert not ended
        assert received[:1] == (b"\x16" if fault == "tls_partial_silence" else b"")
        writer.close()


@pytest.mark.parametrize("ending", ["fin", "reset"])
async def test_partial_flight(catalog: Catalog, ending: str) -> None:
    """A ServerHello comes, the rest of the flight does not."""
    async with Lab(catalog=catalog, faults=(f"tls_partial_{ending}={HOST}",)) as lab:
        reader, writer = await asyncio.open_connection(LOOPBACK, lab.ports.served[443])
        writer.write(client_hello())
        received = await reader.read(4096)
        assert (received[0], received[5]) == (0x16, 2)
        if ending == "fin":
            assert await reader.read() == b""
        else:
            with pytest.raises(ConnectionResetError):
                await reader.read()
        writer.close()


async def test_negotiation_faults(catalog: Catalog) -> None:
    """h2 not offered; TLS 1.2 at most; each for one name only."""
    faults = ("tls_http1_only=a.example", "tls_12_only=b.example")
    async with Lab(catalog=catalog, faults=faults) as lab:
        for host, alpn, version in (
            ("a.example", "http/1.1", "TLSv1.3"),
            ("b.example", "h2", "TLSv1.2"),
            ("c.example", "h2", "TLSv1.3"),
        ):
            _, writer = await asyncio.open_connection(
                LOOPBACK, lab.ports.served[443], ssl=trusting(lab, "h2", "http/1.1"), server_hostname=host
            )
            tls = writer.get_extra_info("ssl_object")
            assert (tls.selected_alpn_protocol(), tls.version()) == (alpn, version)
            await close(writer)


async def test_client_certificate_request(catalog: Catalog) -> None:
    """TLS 1.3 completes for the client, whose first read gets alert 116."""
    async with Lab(catalog=catalog, faults=(f"tls_client_certificate={HOST}",)) as lab:
        reader, writer = await asyncio.open_connection(
            LOOPBACK, lab.ports.served[443], ssl=trusting(lab), server_hostname=HOST
        )
        with pytest.raises(ssl.SSLError) as caught:
            await reader.read()
        assert caught.value.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        writer.close()


async def test_faults_change_at_run_time(catalog: Catalog) -> None:
    """The next connection gets the new fault."""
    async with Lab(catalog=catalog) as lab:
        assert await first_byte(lab, HOST) == 0x16
        lab.apply(f"on tls_ssh={HOST}")
        assert await answer_to_client_hello(lab) == SSH_BANNER
        lab.apply("off")
        assert await first_byte(lab, HOST) == 0x16


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 100, b"\x16\x03\x01\x00\x00" * 5000],
)
async def test_invalid_client_hello(catalog: Catalog, data: bytes) -> None:
    """What is no ClientHello, or an endless one, gets FIN and no byte."""
    async with Lab(catalog=catalog) as lab:
        assert await answer_to_client_hello(lab, data=data) == b""


def test_fragmented_client_hello() -> None:
    """However records cut it, the body and its name are the same."""
    hello = client_hello()
    body = client_hello_body(hello)
    assert body
    handshake = hello[5:]
    cut = b"".join(
        b"\x16\x03\x01" + len(handshake[at : at + 50]).to_bytes(2) + handshake[at : at + 50]
        for at in range(0, len(handshake), 50)
    )
    assert client_hello_body(cut) == body
    assert client_hello_body(cut[:-1]) == b""
    assert client_hello_body(hello + b"\x14\x03\x03\x00\x01\x01") == body
    assert server_name(body) == HOST


def test_client_hello_without_sni() -> None:
    """The name is None."""
    body = client_hello_body(client_hello(None))
    assert body
    assert server_name(body) is None


@given(st.binary(max_size=2000))
def test_any_bytes(data: bytes) -> None:
    """Nothing raises, and a body is within bounds."""
    for start in (b"", b"\x16\x03\x01\x02\x00\x01\x00"):
        body = client_hello_body(start + data)
        assert body is None or len(body) <= MAX_HELLO
    name = server_name(data)
    assert name is None or name.isascii()
