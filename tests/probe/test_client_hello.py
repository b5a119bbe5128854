"""ClientHello controls on loopback: what is lost is sent in turn with what is not, also by a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from egressd.model.endpoint import Protocol
from egressd.model.observation import Phase, TlsObservation
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control, Trail
from egressd.probe.controls import run_control
from tests.probe.test_via_proxy import context_of, probe_of

SERVER_HELLO = bytes.fromhex("160303003a020000360303")
ONE_SEGMENT = 1400

Answers = Callable[[int, int], bool]
"""Whether a ClientHello of some size is answered, and the how many-th connection it is."""


@asynccontextmanager
async def server(answers: Answers, *, tunnel: bool) -> AsyncIterator[tuple[int, list[int]]]:
    """Serve TLS, behind CONNECT or not; yield the port and the sizes of the ClientHellos received."""
    sizes: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tunnel:
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"CONNECT far.invalid:443 ")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        header = await reader.readexactly(5)
        await reader.readexactly(int.from_bytes(header[3:], "big"))
        sizes.append(5 + int.from_bytes(header[3:], "big"))
        if answers(sizes[-1], len(sizes)):
            writer.write(SERVER_HELLO)
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1], sizes


async def compare(answers: Answers, *, tunnel: bool, kind: ControlKind) -> tuple[Control, list[int]]:
    """Run a control; return it and the sizes of what was sent."""
    async with server(answers, tunnel=tunnel) as (port, sizes):
        context = context_of(probe_of(Protocol.HTTPS, 443), port)
        plan = ControlPlan(
            id="c",
            kind=kind,
            source="default",
            why="",
            subject="p",
            host="far.invalid",
            address="127.0.0.1",
            port=443 if tunnel else port,
            protocol=Protocol.TLS,
            tunnel="far.invalid:443" if tunnel else "",
            tries=2,
        )
        return await run_control(plan, context, gap=0.05), sizes


@pytest.mark.parametrize("tunnel", [False, True], ids=["direct", "proxied"])
async def test_a_loss_is_shown_by_turns(tunnel: bool) -> None:
    """Large, small, large, small: each on its own connection, and along the path of the probe."""
    control, sizes = await compare(
        lambda size, _: size < ONE_SEGMENT, tunnel=tunnel, kind=ControlKind.LARGE_HELLO
    )
    assert sorted(size > ONE_SEGMENT for size in sizes) == [False, False, True, True]
    assert [answered(one) for one in control.trails] == [False, False]
    assert [answered(one) for one in control.subject_trails] == [True, True]
    for one in (*control.trails, *control.subject_trails):
        assert (one.path == "direct") is not tunnel
        assert (one.seen(Phase.PROXY) is not None) is tunnel


def answered(trail: Trail) -> bool:
    return isinstance(trail.last, TlsObservation) and trail.last.server_hello


@pytest.mark.parametrize("kind", [ControlKind.LARGE_HELLO, ControlKind.SNI_LAST, ControlKind.NO_SNI])
async def test_an_answer_needs_no_comparison(kind: ControlKind) -> None:
    """One connection is all that a healthy place sees."""
    control, sizes = await compare(lambda *_: True, tunnel=True, kind=kind)
    assert len(sizes) == len(control.trails) == 1
    assert control.subject_trails == ()
