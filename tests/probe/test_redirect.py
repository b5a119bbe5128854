"""Redirects are followed hop by hop, a few hops at most, and every hop leaves a trail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation
from egressd.model.plan import ControlKind, ControlPlan, Plan
from egressd.model.recording import Trail
from egressd.model.settings import ConnectTo, Family, Limits, Resolver, Source, Trust
from egressd.net.trust import load_trust
from egressd.probe.context import ProbeContext
from egressd.probe.controls import run_control
from egressd.probe.controls.redirect import MAX_HOPS
from tests import ports


@asynccontextmanager
async def web_server(answers: dict[str, str]) -> AsyncIterator[tuple[int, list[str]]]:
    """Redirect paths to locations, and answer others with 200; yield the port and the paths asked for."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ")[1].decode()
        asked.append(path)
        place = answers.get(path)
        head = f"302 Found\r\nLocation: {place}" if place is not None else "200 OK"
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


HOST = "192.0.2.1"
"""A literal, so that nothing is looked up; `connect_to` leads to the server of the test."""


async def follow(port: int, path: str, *, host: str = HOST) -> tuple[Trail, ...]:
    """Run the control that follows a redirect."""
    plan = Plan(
        region=None,
        cloud="public",
        catalog_revision="",
        catalog_digest="",
        config_digest="",
        targets=(),
        probes=(),
        controls=(),
        sources=(Source(name="default"),),
        resolvers=(),
        trust=Trust(public_networks=("192.0.2.0/24",)),
        limits=Limits(families=(Family.IPV4,)),
    )
    context = ProbeContext(plan=plan, store=load_trust(Trust()), resolvers=(Resolver(name="system"),))
    control = ControlPlan(
        id="redirect",
        kind=ControlKind.REDIRECT,
        source="default",
        why="",
        subject="p",
        host=host,
        port=80,
        protocol=Protocol.HTTP,
        url=f"http://{host}{path}",
        connect_to=ConnectTo(match="*:80", address="127.0.0.1", port=port),
    )
    return (await run_control(control, context)).trails


def last(trail: Trail) -> HttpObservation:
    """Return the HTTP observation that a trail ends with."""
    assert isinstance(trail.last, HttpObservation)
    return trail.last


async def test_every_hop_leaves_a_trail() -> None:
    """Relative and absolute locations are followed; the query, which may hold secrets, is not sent."""
    async with web_server({"/a": "b?token=1", "/b": f"http://{HOST}:80/c?x=1#y"}) as (port, asked):
        trails = await follow(port, "/a")
    assert [last(one).status for one in trails] == [302, 302, 200]
    assert last(trails[1]).redirect == f"http://{HOST}:80/c"
    assert asked == ["/a", "/b", "/c"]


async def test_a_circle_ends() -> None:
    """A URL that was fetched already is not fetched again, however it is written."""
    async with web_server({"/a": "/b", "/b": f"http://{HOST}:80/a"}) as (port, asked):
        trails = await follow(port, "/a")
    assert asked == ["/a", "/b"]
    assert last(trails[-1]).redirect == f"http://{HOST}:80/a"


async def test_hops_are_bounded() -> None:
    """A chain without end is left after some hops."""
    async with web_server({f"/{n}": f"/{n + 1}" for n in range(50)}) as (port, asked):
        await follow(port, "/0")
    assert len(asked) == MAX_HOPS


async def test_a_dead_target_ends_the_chain() -> None:
    """The last trail says how."""
    with ports.closed_port() as closed:
        trails = await follow(closed, "/a")
    assert trails[-1].last is not None
    assert trails[-1].last.failure is Failure.REFUSED


@pytest.mark.parametrize("location", ["mailto:a@b.test", "https://[::1", "http://a b/", "javascript:1"])
async def test_locations_that_lead_to_no_web_host(location: str) -> None:
    """They end the chain."""
    async with web_server({"/a": location}) as (port, asked):
        trails = await follow(port, "/a")
    assert asked == ["/a"]
    assert last(trails[-1]).redirect is None


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.1/", "http://169.254.169.254/", "http://10.0.0.1/", "http://192.0.2.2/", ":81/"],
)
async def test_locations_that_are_not_followed(location: str) -> None:
    """Neither places inside nor, where `connect_to` leads elsewhere, another host than it was meant for."""
    place = f"http://{HOST}{location}" if location.startswith(":") else location
    async with web_server({"/a": place}) as (port, asked):
        trails = await follow(port, "/a")
    assert asked == ["/a"]
    assert (len(trails), last(trails[0]).redirect) == (1, place)


async def test_a_first_url_inside_is_not_fetched() -> None:
    """Whoever planned it."""
    async with web_server({}) as (port, asked):
        assert await follow(port, "/", host="127.0.0.1") == ()
    assert asked == []
