"""The floor: an asyncio client that sends what egressd sends for a healthy target, and looks at nothing.

`python bench/bare.py ROOT.pem URL...`: for each URL one DNS query, one connection, for https one verified
handshake and one HTTP/2 request, whose bytes are put together beforehand; 64 at a time. It fails unless all
answer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import sys
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection

PARALLEL, SECONDS = 64, 60.0
RESOLVER = ("127.0.0.1", 53)
ENDS_STREAM, DATA = 0x1, 0x0
HEADERS = (("user-agent", "bare/1"), ("accept", "*/*"), ("accept-encoding", "identity"))


class Answer(asyncio.DatagramProtocol):
    """The socket of one query."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Take the response."""
        self._answered.set_result(data)


async def resolve(host: str) -> str:
    """Return the address of the last record of the response."""
    loop = asyncio.get_running_loop()
    name = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
    query = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + name + b"\0\0\1\0\1"
    answered: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: Answer(answered), remote_addr=RESOLVER)
    try:
        transport.sendto(query)
        return socket.inet_ntoa((await answered)[-4:])
    finally:
        transport.close()


def http2_request(host: str) -> bytes:
    """Return the bytes of a connection that asks for `/`."""
    connection = H2Connection(H2Configuration(client_side=True))
    connection.initiate_connection()
    head = ((":method", "GET"), (":authority", host), (":scheme", "https"), (":path", "/"), *HEADERS)
    connection.send_headers(1, head, end_stream=True)
    return connection.data_to_send()


def http1_request(host: str) -> bytes:
    """Return the bytes of a request for `/`."""
    head = "".join(
        f"{name}: {value}\r\n" for name, value in (("host", host), *HEADERS, ("connection", "close"))
    )
    return f"GET / HTTP/1.1\r\n{head}\r\n".encode()


async def until_end_of_stream(reader: asyncio.StreamReader) -> bool:
    """Read frames until the body has ended; return whether there was one."""
    while True:
        head = await reader.readexactly(9)
        await reader.readexactly(int.from_bytes(head[:3], "big"))
        if head[3] == DATA and head[4] & ENDS_STREAM:
            return True


async def probe(url: str, request: bytes, context: ssl.SSLContext, limit: asyncio.Semaphore) -> bool:
    """Probe one URL; return whether it answered."""
    async with limit:
        parts = urlsplit(url)
        host, tls = str(parts.hostname), parts.scheme == "https"
        address = await resolve(host)
        if tls:
            reader, writer = await asyncio.open_connection(address, 443, ssl=context, server_hostname=host)
        else:
            reader, writer = await asyncio.open_connection(address, 80)
        writer.write(request)
        answered = await until_end_of_stream(reader) if tls else b" 200 " in await reader.read()
        writer.close()
        return answered


async def main() -> int:
    """Probe all."""
    context = ssl.create_default_context(cafile=sys.argv[1])
    context.set_alpn_protocols(["h2"])
    limit = asyncio.Semaphore(PARALLEL)
    requests = {
        url: (http2_request if url.startswith("https:") else http1_request)(str(urlsplit(url).hostname))
        for url in sys.argv[2:]
    }
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
        probes = [group.create_task(probe(url, request, context, limit)) for url, request in requests.items()]
    return 0 if all(one.result() for one in probes) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
