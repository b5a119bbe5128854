"""A request that the server did not process is sent again on a new connection, once, as clients do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from h2.errors import ErrorCodes

from egressd.lab.authority import CertificateAuthority
from egressd.lab.leaf import LeafKind
from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation, Phase
from egressd.model.plan import Plan, Probe
from egressd.model.settings import Limits, Source, Trust
from egressd.net.trust import load_trust
from egressd.probe.budget import Deadline
from egressd.probe.context import ProbeContext
from egressd.probe.conversation import Conversation, run_conversation

HOST = "again.test"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[h2.connection.H2Connection, int], None]


def answer(server: h2.connection.H2Connection, stream: int) -> None:
    """Answer over HTTP/2."""
    server.send_headers(stream, [(":status", "204")], end_stream=True)


@asynccontextmanager
async def server(directory: Path, *answers: Answer) -> AsyncIterator[tuple[int, list[str]]]:
    """Serve TLS; each HTTP/2 connection gets the next answer. Yield the port and the protocols chosen."""
    authority = CertificateAuthority(directory)
    context = authority.context(HOST, LeafKind.GOOD)
    chosen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = writer.get_extra_info("ssl_object").selected_alpn_protocol()
        chosen.append(protocol)
        with suppress(OSError, EOFError):
            if protocol == "h2":
                await _serve_h2(reader, writer, answers[min(len(chosen), len(answers)) - 1])
            else:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(PAGE)
                await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield listener.sockets[0].getsockname()[1], chosen


async def _serve_h2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, say: Answer) -> None:
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                say(connection, event.stream_id or 0)
        writer.write(connection.data_to_send())


async def trail_of(directory: Path, *answers: Answer) -> tuple[list[HttpObservation], list[Phase], list[str]]:
    """Run one conversation; return its HTTP observations, its phases, and the protocols chosen."""
    async with server(directory, *answers) as (port, chosen):
        probe = Probe(id="p", host=HOST, port=port, protocol=Protocol.HTTPS, source="default", targets=())
        plan = Plan(
            region=None,
            cloud="public",
            catalog_revision="",
            catalog_digest="",
            config_digest="",
            targets=(),
            probes=(probe,),
            controls=(),
            sources=(Source(name="default"),),
            resolvers=(),
            trust=Trust(store=str(directory / "trust-store.pem")),
            limits=Limits(),
        )
        context = ProbeContext(plan=plan, store=load_trust(plan.trust), resolvers=())
        conversation = Conversation(probe=probe, context=context, deadline=Deadline.after(10))
        await run_conversation(conversation, "127.0.0.1", port)
    seen = conversation.seen
    return [one for one in seen if isinstance(one, HttpObservation)], [one.phase for one in seen], chosen


def refuse(code: ErrorCodes) -> Answer:
    """Refuse the stream with a code."""
    return lambda connection, stream: connection.reset_stream(stream, code)


def drain(connection: h2.connection.H2Connection, _: int) -> None:
    """Say that the connection takes no more requests, this one included."""
    connection.close_connection(ErrorCodes.NO_ERROR, last_stream_id=0)


async def test_http11_is_used_where_the_server_requires_it(tmp_path: Path) -> None:
    """On a new connection that offers nothing else; the first exchange stays in the trail, as no failure."""
    (first, second), phases, chosen = await trail_of(tmp_path, refuse(ErrorCodes.HTTP_1_1_REQUIRED))
    assert chosen == ["h2", "http/1.1"]
    assert (first.version, first.failure, first.status, first.retry_version) == ("2", None, None, "1.1")
    assert "HTTP_1_1_REQUIRED" in first.detail
    assert (second.version, second.failure, second.status, second.retry_version) == ("1.1", None, 200, None)
    assert phases == [Phase.TCP, Phase.TLS, Phase.HTTP] * 2


@pytest.mark.parametrize("refusal", [refuse(ErrorCodes.REFUSED_STREAM), drain])
async def test_refused_streams_are_sent_again(tmp_path: Path, refusal: Answer) -> None:
    """On a new connection, in the same version."""
    (first, second), _, chosen = await trail_of(tmp_path, refusal, answer)
    assert chosen == ["h2", "h2"]
    assert (first.failure, first.retry_version) == (None, "2")
    assert (second.failure, second.status) == (None, 204)


async def test_a_server_that_refuses_again_has_failed(tmp_path: Path) -> None:
    """There is no third connection."""
    (_, second), _, chosen = await trail_of(tmp_path, drain)
    assert chosen == ["h2", "h2"]
    assert (second.failure, second.retry_version) == (Failure.HTTP2_ERROR, None)


async def test_other_errors_are_not_sent_again(tmp_path: Path) -> None:
    """INTERNAL_ERROR does not say that the request was not processed."""
    (only,), _, chosen = await trail_of(tmp_path, refuse(ErrorCodes.INTERNAL_ERROR))
    assert chosen == ["h2"]
    assert only.failure is Failure.HTTP2_ERROR
