"""One connection: TCP connect, proxy tunnel, TLS handshake, one HTTP request, on the same stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.endpoint import Protocol
from egressd.model.observation import Observation
from egressd.model.plan import Probe
from egressd.model.settings import Proxy
from egressd.net.dial import dial
from egressd.net.exchange import Request, exchange
from egressd.net.handshake import handshake
from egressd.net.scrub import redact
from egressd.net.stream import ByteStream
from egressd.net.tls.client_hello import ClientHelloShape
from egressd.net.tls.hello_probe import send_client_hello
from egressd.net.trust import TrustStore
from egressd.net.tunnel import open_tunnel
from egressd.probe.budget import Deadline
from egressd.probe.context import ProbeContext
from egressd.wording import bracketed, host_port

ALPN = ("h2", "http/1.1")
ALPN_HTTP1 = ("http/1.1",)
"""For the WebSocket upgrade as well: it exists in HTTP/1.1 only (RFC 6455)."""
Connect = Callable[[], Awaitable[bool]]


class Conversation(Struct, kw_only=True):
    """One connection and its observations so far. Streams nest; closing the innermost closes all."""

    probe: Probe
    context: ProbeContext
    deadline: Deadline
    seen: list[Observation] = field(default_factory=list)
    store: TrustStore | None = None
    """Verifies the target's chain; None: the store of the context."""
    stream: ByteStream | None = None
    first_alpn: tuple[str, ...] = ALPN
    """The protocols to offer on the first connection."""
    alpn: str | None = None
    repeat_alpn: tuple[str, ...] | None = None
    """The protocols to offer on a new connection, as the server did not process the request."""

    async def dial(self, address: str, port: int, *, max_segment: int | None = None) -> bool:
        """Connect; return whether that succeeded."""
        observation, stream = await dial(
            address,
            port,
            source=self.context.source(self.probe.source),
            timeout=self.deadline.left(self.context.limits.connect_timeout),
            max_segment=max_segment,
        )
        return self._record(observation, stream)

    async def tunnel(self, proxy: Proxy, *, authority: str = "") -> bool:
        """Open a tunnel to `authority`, by default the target; return whether that succeeded."""
        stream = self._open_stream()
        observation = await open_tunnel(
            stream,
            proxy,
            authority or host_port(self.probe.host, self.probe.port),
            timeout=self.deadline.left(self.context.limits.tls_timeout),
        )
        return self._record(observation, stream if observation.failure is None else None)

    async def start_tls(self, host: str, *, alpn: tuple[str, ...], store: TrustStore | None = None) -> bool:
        """Do the TLS handshake with a server name; return whether it succeeded."""
        observation, stream = await handshake(
            self._open_stream(),
            host,
            store=store or self.store or self.context.store,
            alpn=alpn,
            timeout=self.deadline.left(self.context.limits.tls_timeout),
        )
        self.alpn = observation.alpn
        return self._record(observation, stream)

    async def hello(self, host: str, shape: ClientHelloShape, *, split: bool) -> bool:
        """Send a ClientHello of some shape; return whether a ServerHello answered."""
        observation = await send_client_hello(
            self._open_stream(),
            host,
            shape,
            timeout=self.deadline.left(self.context.limits.tls_timeout),
            split=split,
        )
        return self._record(observation, None)

    async def request(self, request: Request) -> bool:
        """Send the request; return whether it was answered.

        Where the server says that it did not process it, that is no failure the first time, and
        `repeat_alpn` says what to offer on a new connection.
        """
        observation = await exchange(
            self._open_stream(),
            request,
            alpn=self.alpn,
            timeout=self.deadline.left(self.context.limits.http_timeout),
        )
        first = self.repeat_alpn is None and self.deadline.left(1.0) > 0.0
        if observation.retry_version is None:
            return self._record(observation, self.stream)
        if not first:
            return self._record(replace(observation, retry_version=None), self.stream)
        self.repeat_alpn = ALPN_HTTP1 if observation.retry_version == "1.1" else ALPN
        self._record(replace(observation, failure=None), self.stream)
        return False

    def close(self) -> None:
        """Close the connection, if one is open."""
        if self.stream is not None:
            self.stream.close()

    def _open_stream(self) -> ByteStream:
        if self.stream is None:
            raise RuntimeError("a phase was started without an open connection")
        return self.stream

    def _record(self, observation: Observation, stream: ByteStream | None) -> bool:
        self.seen.append(redact(observation, self.context.secrets))
        if stream is not None:
            self.stream = stream
        return observation.failure is None


async def run_conversation(
    conversation: Conversation, address: str, port: int, *, max_segment: int | None = None
) -> None:
    """Run the phases of the probe's protocol until one fails, then close the connection."""
    probe = conversation.probe

    async def connect() -> bool:
        return await conversation.dial(address, port, max_segment=max_segment)

    try:
        if await connect():
            await tls_and_http(conversation, build_request(probe), reconnect=connect)
    finally:
        conversation.close()


async def tls_and_http(conversation: Conversation, request: Request, *, reconnect: Connect) -> None:
    """Run the phases after the TCP connect, or after the tunnel: TLS, then one HTTP request.

    A request that the server says it did not process is sent again, once, on a new connection, as clients do.
    """
    alpn = ALPN_HTTP1 if conversation.probe.protocol is Protocol.WSS else conversation.first_alpn
    await _tls_and_http(conversation, request, alpn=alpn)
    if conversation.repeat_alpn is None:
        return
    conversation.close()
    if await reconnect():
        await _tls_and_http(conversation, request, alpn=conversation.repeat_alpn)


async def _tls_and_http(conversation: Conversation, request: Request, *, alpn: tuple[str, ...]) -> None:
    probe = conversation.probe
    if probe.protocol.encrypted and not await conversation.start_tls(probe.host, alpn=alpn):
        return
    if probe.protocol.speaks_http:
        await conversation.request(request)


def build_request(probe: Probe, *, absolute: bool = False) -> Request:
    """Return the HTTP request of a probe; in absolute form for a proxy that forwards plain HTTP."""
    authority = bracketed(probe.host) if probe.port in (80, 443) else host_port(probe.host, probe.port)
    return Request(
        method="GET",
        host=authority,
        url_path=f"http://{authority}{probe.url_path}" if absolute else probe.url_path,
        upgrade=probe.protocol is Protocol.WSS,
        range_bytes=probe.expect.min_bytes,
        want_sha256=probe.expect.sha256 is not None,
    )
