"""The lab's HTTP servers on real sockets: both versions, and every send mode."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import pytest

from egressd.lab import Lab
from egressd.lab.responses import IMAGE_BYTES
from egressd.lab.sockets import LOOPBACK
from egressd.model.catalog import Catalog

HOST = "mcr.microsoft.com"
IMAGES = "msk8s.b.tlu.dl.delivery.mp.microsoft.com"
Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(lab: Lab, *alpn: str, host: str = HOST) -> Pair:
    """Open TLS with an ALPN protocol, or plain HTTP without one."""
    if not alpn:
        return await asyncio.open_connection(LOOPBACK, lab.ports.served[80])
    context = ssl.create_default_context(cafile=str(lab.authority.trust_store))
    context.set_alpn_protocols(list(alpn))
    return await asyncio.open_connection(LOOPBACK, lab.ports.served[443], ssl=context, server_hostname=host)


async def get(pair: Pair, *, host: str = HOST, path: str = "/", extra: str = "") -> tuple[bytes, bytes]:
    """Send one request over HTTP/1.1; return the head and the body as announced."""
    reader, writer = pair
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head, await reader.readexactly(length)


async def close(pair: Pair) -> None:
    pair[1].close()
    with suppress(OSError):
        await pair[1].wait_closed()


class Client2:
    """A small HTTP/2 client."""

    def __init__(self, pair: Pair) -> None:
        self.reader, self.writer = pair
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()

    def ask(self, path: str = "/", host: str = HOST) -> int:
        stream: int = self.connection.get_next_available_stream_id()
        headers = [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", host)]
        self.connection.send_headers(stream, headers, end_stream=True)
        self.writer.write(self.connection.data_to_send())
        return stream

    async def events(self) -> list[h2.events.Event]:
        """Read until the stream or the connection ends."""
        seen: list[h2.events.Event] = []
        ends = (h2.events.StreamEnded, h2.events.ConnectionTerminated)
        while not any(isinstance(one, ends) for one in seen):
            data = await self.reader.read(65536)
            if not data:
                break
            for event in self.connection.receive_data(data):
                seen.append(event)
                if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                    self.connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id or 0
                    )
            self.writer.write(self.connection.data_to_send())
        return seen


async def test_http1_keep_alive(catalog: Catalog) -> None:
    """The connection is kept; each host has its own response; HEAD has no body."""
    async with Lab(catalog=catalog) as lab:
        pair = await connect(lab, "http/1.1")
        head, body = await get(pair)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body == b"{}"
        assert (await get(pair, path="/v2/"))[0].startswith(b"HTTP/1.1 200 ")
        pair[1].write(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await pair[0].read()).endswith(b"\r\n\r\n")
        await close(pair)


async def test_http2_streams(catalog: Catalog) -> None:
    """Two requests on one connection get their responses in order."""
    async with Lab(catalog=catalog) as lab:
        pair = await connect(lab, "h2")
        client = Client2(pair)
        for _ in range(2):
            stream = client.ask()
            events = await client.events()
            heads = [one for one in events if isinstance(one, h2.events.ResponseReceived)]
            assert [one.stream_id for one in heads] == [stream]
            assert (":status", "200") in [tuple(map(str, pair)) for pair in heads[0].headers or ()]
        await close(pair)


async def test_download_and_ranges(catalog: Catalog) -> None:
    """8 MiB of the announced type; a range of it is 206 and the same bytes."""
    async with Lab(catalog=catalog) as lab:
        pair = await connect(lab)
        head, whole = await get(pair, host=IMAGES)
        assert b"content-type: application/octet-stream\r\n" in head
        assert len(whole) == IMAGE_BYTES
        head, part = await get(pair, host=IMAGES, path="/x", extra="Range: bytes=70000-70099\r\n")
        assert head.startswith(b"HTTP/1.1 206 ")
        assert part == whole[70000:70100]
        await close(pair)


async def test_http2_flow_control(catalog: Catalog) -> None:
    """A body larger than the window arrives whole."""
    async with Lab(catalog=catalog, faults=(f"http_endless_body={HOST}",)) as lab:
        pair = await connect(lab, "h2")
        client = Client2(pair)
        client.ask()
        got = 0
        while got < 1_000_000:
            for event in client.connection.receive_data(await client.reader.read(65536)):
                if isinstance(event, h2.events.DataReceived):
                    got += len(event.data or b"")
                    client.connection.acknowledge_received_data(
                        event.flow_controlled_length or 0, event.stream_id or 0
                    )
            client.writer.write(client.connection.data_to_send())
        await close(pair)


async def test_websocket(catalog: Catalog) -> None:
    """101 with the right accept value, then nothing until the client closes."""
    host = "azgn-westeurope-public-1p-lab-vazr0001.servicebus.windows.net"
    extra = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    async with Lab(catalog=catalog) as lab:
        pair = await connect(lab, "http/1.1", host=host)
        head, _ = await get(pair, host=host, extra=extra)
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await pair[0].read(1)
        await close(pair)
        lab.apply(f"on http_websocket_blocked={host}")
        pair = await connect(lab, "http/1.1", host=host)
        assert (await get(pair, host=host, extra=extra))[0].startswith(b"HTTP/1.1 200 ")
        await close(pair)


async def test_http1_faults(catalog: Catalog) -> None:
    """No answer, FIN, RST, garbage, endless headers and half a body, as the client reads them."""
    async with Lab(catalog=catalog) as lab:

        async def received(fault: str) -> bytes:
            lab.set_faults((f"{fault}={IMAGES}",))
            reader, writer = await connect(lab)
            writer.write(f"GET / HTTP/1.1\r\nHost: {IMAGES}\r\n\r\n".encode())
            try:
                async with asyncio.timeout(0.5):
                    return await reader.read()
            finally:
                writer.close()

        with pytest.raises(TimeoutError):
            await received("http_silence")
        with pytest.raises(ConnectionResetError):
            await received("http_reset")
        assert await received("http_fin") == b""
        assert not (await received("http_garbage")).startswith(b"HTTP/")
        flood = await received("http_endless_headers")
        assert len(flood) > 1_000_000
        assert b"\r\n\r\n" not in flood
        head, _, body = (await received("http_truncated")).partition(b"\r\n\r\n")
        assert f"content-length: {IMAGE_BYTES}".encode() in head
        assert 0 < len(body) < IMAGE_BYTES


async def test_http2_faults(catalog: Catalog) -> None:
    """GOAWAY with an error, endless headers, and an early end of the body."""
    async with Lab(catalog=catalog) as lab:

        async def received(fault: str) -> list[h2.events.Event]:
            lab.set_faults((f"{fault}={HOST}",))
            pair = await connect(lab, "h2")
            client = Client2(pair)
            client.ask()
            try:
                return await client.events()
            finally:
                await close(pair)

        goaway = [
            one for one in await received("http_h2_goaway") if isinstance(one, h2.events.ConnectionTerminated)
        ]
        assert [one.error_code for one in goaway] == [h2.errors.ErrorCodes.INTERNAL_ERROR]
        for fault in ("http_endless_headers", "http_garbage"):
            with pytest.raises(h2.exceptions.ProtocolError):
                await received(fault)
        events = await received("http_truncated")
        assert any(isinstance(one, h2.events.ResponseReceived) for one in events)
        assert not any(isinstance(one, h2.events.StreamEnded) for one in events)


async def test_goaway_spares_http1(catalog: Catalog) -> None:
    """HTTP/1.1 works, which distinguishes broken HTTP/2."""
    async with Lab(catalog=catalog, faults=(f"http_h2_goaway={HOST}",)) as lab:
        pair = await connect(lab, "http/1.1")
        assert (await get(pair))[0].startswith(b"HTTP/1.1 200 ")
        await close(pair)


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
async def test_invalid_requests(catalog: Catalog, alpn: str) -> None:
    """They end their connection; the next one is served."""
    async with Lab(catalog=catalog) as lab:
        pair = await connect(lab, alpn)
        pair[1].write(b"\x00\xff" * 200 + b"\r\n\r\n")
        async with asyncio.timeout(2.0):
            await pair[0].read()
        await close(pair)
        pair = await connect(lab, "http/1.1")
        assert (await get(pair))[0].startswith(b"HTTP/1.1 200 ")
        await close(pair)


async def test_slow_body(catalog: Catalog) -> None:
    """Less than 64 KiB in a second."""
    async with Lab(catalog=catalog, faults=(f"http_slow={IMAGES}",)) as lab:
        reader, writer = await connect(lab)
        writer.write(f"GET / HTTP/1.1\r\nHost: {IMAGES}\r\n\r\n".encode())
        got = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while data := await reader.read(65536):
                    got += len(data)
        assert 0 < got < 65536
        writer.close()
