"""Probes through a proxy on loopback: all its addresses, all attempts, credentials on every request."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from msgspec.structs import replace

from egressd.model.endpoint import Protocol
from egressd.model.observation import Failure, HttpObservation, Phase, ProxyObservation, TcpObservation
from egressd.model.plan import Plan, Probe
from egressd.model.recording import Trail
from egressd.model.settings import Family, Limits, ProbeRoute, Proxy, Resolver, Source, Trust
from egressd.net.trust import load_trust
from egressd.net.tunnel import proxy_secrets
from egressd.probe.budget import Deadline
from egressd.probe.candidates import Candidate
from egressd.probe.context import ProbeContext
from egressd.probe.run import run_probe
from egressd.probe.via_proxy import run_probe_via_proxy

PASSWORD = "c4n4ry-P4ssw0rd"
PAIR = base64.b64encode(f"svc:{PASSWORD}".encode()).decode()


@asynccontextmanager
async def scripted_proxy(*answers: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Run a proxy that gives each connection the next answer, and then repeats the last one."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[min(len(received), len(answers)) - 1])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], received


def context_of(probe: Probe, port: int, **limits: object) -> ProbeContext:
    """Return a context whose plan goes through a proxy on loopback, with credentials."""
    proxy = Proxy(url=f"http://127.0.0.1:{port}", username="svc", password=PASSWORD)
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
        trust=Trust(),
        limits=replace(Limits(families=(Family.IPV4,), connect_timeout=1.0, deadline=4.0), **limits),
        proxy=proxy,
    )
    resolvers = (Resolver(name="system"),)
    return ProbeContext(
        plan=plan, store=load_trust(Trust()), resolvers=resolvers, secrets=proxy_secrets(proxy)
    )


def probe_of(protocol: Protocol, port: int) -> Probe:
    """Return a probe of a host that only a proxy can resolve."""
    return Probe(
        id="p",
        host="far.invalid",
        port=port,
        protocol=protocol,
        source="default",
        targets=(),
        url_path="/crl?x=1",
        via_proxy=True,
    )


async def test_forwarded_request() -> None:
    """The proxy gets the absolute URL and the credentials; the observation only has that they were sent."""
    probe = probe_of(Protocol.HTTP, 80)
    async with scripted_proxy(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (port, received):
        (trail,) = (await run_probe(probe, context_of(probe, port))).trails
    assert received[0].startswith(b"GET http://far.invalid/crl?x=1 HTTP/1.1\r\nhost: far.invalid\r\n")
    assert f"proxy-authorization: Basic {PAIR}".encode() in received[0]
    seen = trail.seen(Phase.HTTP)
    assert isinstance(seen, HttpObservation)
    assert (seen.status, seen.credentials_sent) == (200, True)
    assert trail.path == f"http://127.0.0.1:{port}"
    assert PAIR not in repr(trail)


@pytest.mark.parametrize("protocol", [Protocol.HTTP, Protocol.HTTPS])
async def test_echoed_credentials_are_redacted(protocol: Protocol) -> None:
    """In headers, body, title and first bytes; whole, and cut off at the end."""
    page = f"<title>{PAIR}</title>{'x' * (512 - 7 - len(PAIR) - 8 - 9)} {PASSWORD}{PASSWORD}".encode()
    head = f"HTTP/1.1 407 {PAIR}\r\nServer: {PASSWORD}\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    probe = probe_of(protocol, 443)
    async with scripted_proxy(head + page) as (port, _):
        (trail,) = (await run_probe(probe, context_of(probe, port))).trails
    shown = repr(trail)
    assert "***" in shown
    for word in (PAIR, PASSWORD):
        for text in (word, word.encode().hex()):
            assert text not in shown
            assert text[: len(text) // 2] not in shown


def candidate(address: str) -> Candidate:
    """Return a candidate for an address of the proxy."""
    return Candidate(family=Family.IPV4, address=address, dial_address=address, dial_port=0, names=())


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the proxy's name have two addresses; nothing listens at the first."""

    async def found(*_: object, **__: object) -> tuple[tuple[Candidate, ...], tuple[Trail, ...]]:
        return (candidate("127.0.0.2"), candidate("127.0.0.1")), ()

    monkeypatch.setattr("egressd.probe.via_proxy.find_proxy_candidates", found)


async def _run(probe: Probe, context: ProbeContext) -> tuple[Trail, ...]:
    source = context.plan.sources[0]
    return await run_probe_via_proxy(probe, context, source=source, deadline=Deadline.after(4.0))


@pytest.mark.usefixtures("two_addresses")
async def test_the_next_address_of_the_proxy_is_tried() -> None:
    """As clients do; the dead one leaves a trail of its own."""
    probe = probe_of(Protocol.HTTPS, 443)
    async with scripted_proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as (port, received):
        dead, alive = await _run(probe, context_of(probe, port))
    assert isinstance(dead.last, TcpObservation)
    assert dead.last.failure is Failure.REFUSED
    assert isinstance(alive.last, ProxyObservation)
    assert (alive.last.status, len(received)) == (403, 1)


async def test_every_attempt_is_made() -> None:
    """Each leaves a trail with its number, also after one that succeeded."""
    probe = probe_of(Protocol.HTTP, 80)
    bad, good = b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with scripted_proxy(bad, good, bad) as (port, received):
        trails = await _run(probe, context_of(probe, port, attempts=3))
    assert [one.attempt for one in trails] == [1, 2, 3]
    assert [one.last is not None and one.last.failure for one in trails] == [
        Failure.NOT_HTTP,
        None,
        Failure.NOT_HTTP,
    ]
    assert len(received) == 3


async def test_ipv6_targets_are_bracketed() -> None:
    """CONNECT and the absolute URL write IPv6 as URLs do."""
    answer = b"HTTP/1.1 403 no\r\nContent-Length: 0\r\n\r\n"
    async with AsyncExitStack() as stack:
        port, received = await stack.enter_async_context(scripted_proxy(answer))
        for protocol, number in ((Protocol.HTTPS, 443), (Protocol.HTTP, 8080)):
            probe = replace(probe_of(protocol, number), host="fd00::1")
            await run_probe(probe, context_of(probe, port))
    assert received[0].startswith(b"CONNECT [fd00::1]:443 HTTP/1.1\r\n")
    assert received[1].startswith(b"GET http://[fd00::1]:8080/crl?x=1 HTTP/1.1\r\nhost: [fd00::1]:8080\r\n")


async def test_a_route_has_a_proxy_of_its_own() -> None:
    """It gets the request and its own credentials; the configured proxy gets neither."""
    probe = replace(probe_of(Protocol.HTTPS, 443), route="packages")
    denied = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    async with scripted_proxy(denied) as (usual, idle), scripted_proxy(denied) as (own, received):
        context = context_of(probe, usual)
        proxy = Proxy(url=f"http://127.0.0.1:{own}", username="apt", password="other")
        route = ProbeRoute(name="packages", proxy=proxy, why="as apt is configured")
        context = replace(context, plan=replace(context.plan, routes=(route,)))
        (trail,) = (await run_probe(probe, context)).trails
    assert trail.path == proxy.url
    assert base64.b64encode(b"apt:other") in received[0]
    assert not idle
