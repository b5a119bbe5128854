"""Looking a name up with one resolver: a resolver asked by message, or the host itself.

Every question that was sent leaves a fact. A fallback (EDNS dropped, UDP dropped, answer truncated) is
never silent: it is what tells a filtered port from a filtered name.
"""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

from egressd.clock import monotonic
from egressd.model.observation import DnsObservation, DnsQuery, Failure
from egressd.model.settings import Resolver, Source
from egressd.net.dns import system
from egressd.net.dns.message import RecordType, ResponseMessage, parse_name
from egressd.net.dns.query import DnsQuerySession, QueryResult
from egressd.net.scrub import scrub
from egressd.net.sockets.errors import PhaseError
from egressd.net.stopwatch import Stopwatch
from egressd.wording import host_port

FAMILIES = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
LITERAL = "literal"
"""The resolver of a host that is an address already: nobody was asked."""


async def look_up(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float
) -> DnsObservation:
    """Ask a resolver by message; all fallbacks together end within `timeout` seconds."""
    if resolver.address is None:
        return await look_up_system(name, rtype, timeout=timeout)
    return await _by_message(name, rtype, resolver=resolver, source=source, timeout=timeout, udp=True)


async def look_up_tcp(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float
) -> DnsObservation:
    """Ask a resolver by message over TCP only."""
    return await _by_message(name, rtype, resolver=resolver, source=source, timeout=timeout, udp=False)


async def _by_message(
    name: str, rtype: RecordType, *, resolver: Resolver, source: Source, timeout: float, udp: bool
) -> DnsObservation:
    watch = Stopwatch()
    known = literal_address(name, rtype, watch)
    if known is not None:
        return known
    asked = host_port(resolver.address or "", resolver.port)
    try:
        question = parse_name(name)
    except PhaseError as trouble:
        return _invalid(name, rtype, asked, watch, trouble)
    inquiry = DnsQuerySession(
        question,
        rtype,
        address=resolver.address or "",
        port=resolver.port,
        source=source,
        end=monotonic() + timeout,
    )
    last = await (inquiry.run() if udp else inquiry.run_tcp())
    return _observe(name, rtype, asked, watch, queries=tuple(inquiry.queries), last=last)


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
        failure=last.fact.failure,
        detail=last.fact.detail,
        rcode=last.fact.rcode,
        answers=last.fact.answers if last.fact.failure is None else (),
        cnames=answer.cnames if answer else (),
        ttl=answer.ttl if answer else None,
    )


def literal_address(name: str, rtype: RecordType, watch: Stopwatch) -> DnsObservation | None:
    """Return the observation of a host that is an address already; None for a name."""
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
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


def _invalid(
    name: str, rtype: RecordType, resolver: str, watch: Stopwatch, trouble: PhaseError
) -> DnsObservation:
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=scrub(name, 300),
        type=rtype,
        resolver=resolver,
        queries=(),
        failure=trouble.failure,
        detail=trouble.detail,
    )


async def look_up_system(name: str, rtype: RecordType, *, timeout: float) -> DnsObservation:
    """Ask getaddrinfo, as applications on this host do."""
    watch = Stopwatch()
    known = literal_address(name, rtype, watch)
    if known is not None:
        return known
    try:
        host = parse_name(name).to_text(omit_final_dot=True)
    except PhaseError as trouble:
        return _invalid(name, rtype, "system", watch, trouble)
    try:
        found = await system.find(host.encode("ascii"), FAMILIES[rtype], timeout=timeout)
    except TimeoutError as error:
        fact = _system_fact(watch, failure=Failure.TIMEOUT, detail=str(error))
        return _system(name, rtype, watch, fact)
    canonical = found.canonical.rstrip(".")
    cnames = (scrub(canonical, 255),) if canonical and canonical.lower() != host.lower() else ()
    return _system(name, rtype, watch, _found_fact(watch, found), cnames=cnames)


def _found_fact(watch: Stopwatch, found: system.AddrInfo) -> DnsQuery:
    """Say what getaddrinfo's number means, and what it can't tell apart."""
    match found.error:
        case 0 if found.addresses:
            return _system_fact(watch, rcode="NOERROR", answers=found.addresses)
        case 0 | system.EAI_NODATA:
            return _system_fact(watch, failure=Failure.NODATA, detail="no address of this family")
        case socket.EAI_NONAME:
            detail = "EAI_NONAME: no such name, or no address of this family; getaddrinfo can't tell"
            return _system_fact(watch, failure=Failure.NXDOMAIN, detail=detail)
        case socket.EAI_AGAIN:
            detail = (
                "EAI_AGAIN: temporary failure; getaddrinfo can't tell SERVFAIL, REFUSED and silence apart"
            )
            return _system_fact(watch, failure=Failure.OS_ERROR, detail=detail, errno=found.error)
        case _:
            detail = scrub(f"getaddrinfo {found.error}: {found.message}", 200)
            return _system_fact(watch, failure=Failure.OS_ERROR, detail=detail, errno=found.error)


def _system_fact(
    watch: Stopwatch,
    *,
    failure: Failure | None = None,
    detail: str = "",
    rcode: str | None = None,
    answers: tuple[str, ...] = (),
    errno: int | None = None,
) -> DnsQuery:
    return DnsQuery(
        transport="getaddrinfo",
        edns=False,
        elapsed_ms=watch.elapsed_ms,
        failure=failure,
        detail=detail,
        rcode=rcode,
        answers=answers,
        errno=errno,
    )


def _system(
    name: str, rtype: RecordType, watch: Stopwatch, fact: DnsQuery, *, cnames: tuple[str, ...] = ()
) -> DnsObservation:
    return DnsObservation(
        started=watch.started,
        elapsed_ms=watch.elapsed_ms,
        name=name,
        type=rtype,
        resolver="system",
        queries=(fact,),
        failure=fact.failure,
        detail=fact.detail,
        rcode=fact.rcode,
        answers=fact.answers,
        cnames=cnames,
    )


def system_nameservers(
    conf: Path = system.RESOLV_CONF, stub_upstreams: Path = system.STUB_UPSTREAMS
) -> tuple[Resolver, ...]:
    """Return the nameservers this host is configured with; () where there is no resolv.conf."""
    return system.read_nameservers(conf, stub_upstreams)
