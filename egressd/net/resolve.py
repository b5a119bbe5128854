"""The DNS phase: one name looked up at one resolver, or by the host's own getaddrinfo.

Every query sent is recorded. A fallback (EDNS or UDP got no answer, answer truncated) is never silent: it
tells a filtered port from a filtered name.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path

from egressd.clock import monotonic
from egressd.model.observation import DnsObservation, DnsQuery, Failure
from egressd.model.settings import Resolver, Source
from egressd.net.dns import system
from egressd.net.dns.message import RecordType, ResponseMessage, parse_name
from egressd.net.dns.query import DnsQuerySession, QueryResult
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError, detail_of
from egressd.net.sockets.literal import parse_literal
from egressd.net.stopwatch import Stopwatch
from egressd.wording import host_port

FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
LITERAL = "literal"
"""The resolver of a host that is an address already: no query was sent."""


async def look_up(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float
) -> DnsObservation:
    """Query a resolver over UDP with its fallbacks, or getaddrinfo, all within `timeout` seconds."""
    if resolver.address is None:
        return await look_up_system(name, rtype, timeout=timeout)
    return await _query_resolver(
        name, rtype, _with_fallbacks, resolver=resolver, source=source, timeout=timeout
    )


async def look_up_tcp(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float
) -> DnsObservation:
    """Query a resolver over TCP only."""
    return await _query_resolver(name, rtype, _over_tcp, resolver=resolver, source=source, timeout=timeout)


async def look_up_both(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float
) -> DnsObservation:
    """Query a resolver over UDP and over TCP, each whatever the other gets; either answer is a success."""
    return await _query_resolver(name, rtype, _over_each, resolver=resolver, source=source, timeout=timeout)


Asked = tuple[tuple[DnsQuery, ...], QueryResult]
"""The queries sent, and the one that decides."""


async def _with_fallbacks(start: Callable[[], DnsQuerySession]) -> Asked:
    session = start()
    last = await session.run()
    return tuple(session.queries), last


async def _over_tcp(start: Callable[[], DnsQuerySession]) -> Asked:
    session = start()
    last = await session.run_tcp()
    return tuple(session.queries), last


async def _over_each(start: Callable[[], DnsQuerySession]) -> Asked:
    """Run both transports side by side; a complete answer decides, of UDP where both have one."""
    udp, tcp = start(), start()
    async with asyncio.TaskGroup() as group:
        by_udp, by_tcp = group.create_task(udp.run_udp()), group.create_task(tcp.run_tcp())
    over_udp, over_tcp = by_udp.result(), by_tcp.result()
    complete = over_udp.answer is not None and not over_udp.answer.truncated
    last = over_udp if complete or over_tcp.answer is None else over_tcp
    return (*udp.queries, *tcp.queries), last


async def _query_resolver(
    name: str,
    rtype: RecordType,
    ask: Callable[[Callable[[], DnsQuerySession]], Awaitable[Asked]],
    *,
    resolver: Resolver,
    source: Source,
    timeout: float,
) -> DnsObservation:
    watch = Stopwatch()
    literal = literal_address(name, rtype, watch)
    if literal is not None:
        return literal
    server = host_port(resolver.address or "", resolver.port)
    try:
        question = parse_name(name)
    except PhaseError as error:
        return _invalid_name(name, rtype, server, watch, error)
    start = partial(
        DnsQuerySession,
        question,
        rtype,
        address=resolver.address or "",
        port=resolver.port,
        source=source,
        end=monotonic() + timeout,
    )
    queries, last = await ask(start)
    return _observe(name, rtype, server, watch, queries=queries, last=last)


def _observe(
    name: str,
    rtype: RecordType,
    resolver: str,
    watch: Stopwatch,
    *,
    queries: tuple[DnsQuery, ...],
    last: QueryResult,
) -> DnsObservation:
    answer: ResponseMessage | None = last.answer
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=name,
        type=rtype,
        resolver=resolver,
        queries=queries,
        failure=last.query.failure,
        detail=last.query.detail,
        rcode=last.query.rcode,
        answers=last.query.answers if last.query.failure is None else (),
        cnames=answer.cnames if answer else (),
        ttl=answer.ttl if answer else None,
    )


def literal_address(name: str, rtype: RecordType, watch: Stopwatch) -> DnsObservation | None:
    """Return the observation of a host that is an IP address; None for a name."""
    address = parse_literal(name.removeprefix("[").removesuffix("]"))
    if address is None:
        return None
    fits = (address.version == 4) == (rtype == "A")
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=name,
        type=rtype,
        resolver=LITERAL,
        queries=(),
        failure=None if fits else Failure.NODATA,
        detail="" if fits else "the host is an address of the other family",
        answers=(str(address),) if fits else (),
    )


def _invalid_name(
    name: str, rtype: RecordType, resolver: str, watch: Stopwatch, error: PhaseError
) -> DnsObservation:
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=scrub(name, 300),
        type=rtype,
        resolver=resolver,
        queries=(),
        failure=error.failure,
        detail=error.detail,
    )


async def look_up_system(name: str, rtype: RecordType, *, timeout: float) -> DnsObservation:
    """Look a name up by getaddrinfo, as applications on this host do."""
    watch = Stopwatch()
    literal = literal_address(name, rtype, watch)
    if literal is not None:
        return literal
    try:
        host = parse_name(name).to_text(omit_final_dot=True)
    except PhaseError as error:
        return _invalid_name(name, rtype, "system", watch, error)
    try:
        result = await system.getaddrinfo(host.encode("ascii"), FAMILIES[rtype], timeout=timeout)
    except TimeoutError as error:
        query = _getaddrinfo_record(watch)(failure=Failure.TIMEOUT, detail=str(error))
        return _observe_system(name, rtype, watch, query)
    canonical = result.canonical.rstrip(".")
    cnames = (scrub(canonical, 255),) if canonical and canonical.lower() != host.lower() else ()
    return _observe_system(name, rtype, watch, _getaddrinfo_query(watch, result), cnames=cnames)


def _getaddrinfo_record(watch: Stopwatch) -> Callable[..., DnsQuery]:
    return partial(DnsQuery, transport="getaddrinfo", edns=False, elapsed_ms=watch.elapsed_ms)


def _getaddrinfo_query(watch: Stopwatch, result: system.AddrInfoResult) -> DnsQuery:
    """Map an EAI_* number to a failure; the detail says what getaddrinfo can't tell apart."""
    query = _getaddrinfo_record(watch)
    if result.shortage is not None:
        detail = detail_of(OSError(result.shortage, os.strerror(result.shortage)))
        return query(failure=Failure.NO_RESOURCES, detail=detail, errno=result.shortage)
    match result.error:
        case 0 if result.addresses:
            return query(rcode="NOERROR", answers=result.addresses)
        case 0 | system.EAI_NODATA:
            return query(failure=Failure.NODATA, detail="no address of this family")
        case socket.EAI_NONAME:
            detail = "EAI_NONAME: no such name, or no address of this family; getaddrinfo can't tell"
            return query(failure=Failure.NXDOMAIN, detail=detail)
        case socket.EAI_AGAIN:
            detail = (
                "EAI_AGAIN: temporary failure; getaddrinfo can't tell SERVFAIL, REFUSED and silence apart"
            )
        case _:
            detail = scrub(f"getaddrinfo {result.error}: {result.message}", 200)
    return query(failure=Failure.OS_ERROR, detail=detail, errno=result.error)


def _observe_system(
    name: str, rtype: RecordType, watch: Stopwatch, query: DnsQuery, *, cnames: tuple[str, ...] = ()
) -> DnsObservation:
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=name,
        type=rtype,
        resolver="system",
        queries=(query,),
        failure=query.failure,
        detail=query.detail,
        rcode=query.rcode,
        answers=query.answers,
        cnames=cnames,
    )


async def addresses_of(names: Iterable[str], *, timeout: float) -> dict[str, tuple[str, ...]]:
    """Look names up by getaddrinfo, all at once; return the IPv4 addresses of those that have some."""
    async with asyncio.TaskGroup() as group:
        tasks = {name: group.create_task(look_up_system(name, "A", timeout=timeout)) for name in names}
    return {name: task.result().answers for name, task in tasks.items() if task.result().answers}


def system_nameservers(
    conf: Path = system.RESOLV_CONF, stub_upstreams: Path = system.STUB_UPSTREAMS
) -> tuple[Resolver, ...]:
    """Return the nameservers configured on this host; () where there is no resolv.conf."""
    return system.read_nameservers(conf, stub_upstreams)
