"""Statistics of the whole sweep: what each resolver answered, and how each source's dials ended."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from egressd.attribution.facts.address import is_ordinary
from egressd.model.observation import (
    DnsObservation,
    DnsQuery,
    Failure,
    HttpObservation,
    NtpObservation,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.recording import Trail
from egressd.model.settings import Family

DIRECT = "direct"
ANSWERS = frozenset({None, Failure.NXDOMAIN, Failure.NODATA})
"""DNS results that prove the resolver works: addresses, or the knowledge that there are none."""

Seen = TypeVar(
    "Seen", DnsObservation, TcpObservation, ProxyObservation, TlsObservation, HttpObservation, NtpObservation
)
Endpoint = tuple[str, int]
"""Address and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverStats:
    """How one DNS resolver served one source."""

    answered: frozenset[str]
    """Names it answered, with an address or with NXDOMAIN or NODATA."""
    lossy: frozenset[str] = frozenset()
    """Those of them for which a datagram was lost and a retry was answered."""
    edns: bool = False
    """Whether it ever answered a datagram with EDNS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialStats:
    """How the dials of one source and family ended, by address and port."""

    connected: frozenset[Endpoint]
    silent: frozenset[Endpoint]
    rejected: frozenset[Endpoint]
    """Refused, reset or reported by ICMP."""
    unroutable: frozenset[Endpoint]
    """Failed inside this host: no route, or no source address of the family."""
    all_silent: bool = False
    """Whether at least two destinations were dialled and none ever answered."""

    @property
    def lacks_family(self) -> bool:
        """Whether the host does not have the family at all."""
        return bool(self.unroutable) and not (self.connected or self.silent or self.rejected)


NO_RESOLVER_STATS = ResolverStats(answered=frozenset())
NO_DIAL_STATS = DialStats(
    connected=frozenset(), silent=frozenset(), rejected=frozenset(), unroutable=frozenset()
)


def observations(trails: Iterable[Trail], phase: type[Seen]) -> Iterator[tuple[Trail, Seen]]:
    """Yield the observations of one phase with their trails."""
    return ((trail, one) for trail in trails for one in trail.observations if isinstance(one, phase))


def failed_locally(one: TcpObservation) -> bool:
    """Whether a dial ended inside this host, before a packet could leave."""
    if one.failure is Failure.INVALID_SOURCE:
        return True
    return one.failure is Failure.UNREACHABLE and one.icmp is None and one.errno in _NO_ROUTE


_NO_ROUTE = frozenset({None, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def count_resolvers(trails: Iterable[Trail]) -> dict[tuple[str, str], ResolverStats]:
    """Return the statistics by source and resolver."""
    answered: dict[tuple[str, str], set[str]] = {}
    lossy: dict[tuple[str, str], set[str]] = {}
    edns: set[tuple[str, str]] = set()
    for trail, one in observations(trails, DnsObservation):
        key = (trail.source, one.resolver)
        if any(_with_edns(query) for query in one.queries):
            edns.add(key)
        if one.failure in ANSWERS:
            answered.setdefault(key, set()).add(one.name.lower())
        if one.failure in ANSWERS and _retried(one):
            lossy.setdefault(key, set()).add(one.name.lower())
    return {
        key: ResolverStats(answered=frozenset(names), lossy=frozenset(lossy.get(key, ())), edns=key in edns)
        for key, names in answered.items()
    }


def _with_edns(query: DnsQuery) -> bool:
    return query.edns and query.transport == "udp" and query.failure in ANSWERS


def _retried(one: DnsObservation) -> bool:
    """Whether a datagram was lost and a retry was answered."""
    udp = [query.failure for query in one.queries if query.transport == "udp"]
    return Failure.TIMEOUT in udp and None in udp


def count_dials(trails: Iterable[Trail]) -> dict[tuple[str, Family], DialStats]:
    """Return the statistics by source and family; dials of proxies or with a small MSS are left out."""
    results: dict[tuple[str, Family], dict[str, set[Endpoint]]] = {}
    for trail, one in observations(trails, TcpObservation):
        if trail.path != DIRECT or one.max_segment is not None:
            continue
        family = Family.IPV6 if ":" in one.remote_address else Family.IPV4
        by_result = results.setdefault((trail.source, family), {})
        by_result.setdefault(_dial_result(one), set()).add((one.remote_address, one.remote_port))
    return {key: _dial_stats(by_result) for key, by_result in results.items()}


def source_addresses(trails: Iterable[Trail]) -> dict[str, tuple[str, ...]]:
    """Return the local addresses each source dialled from, the most used first."""
    used: dict[str, Counter[str]] = {}
    for trail, one in observations(trails, TcpObservation):
        if one.local_address:
            used.setdefault(trail.source, Counter())[one.local_address] += 1
    return {source: tuple(address for address, _ in seen.most_common()) for source, seen in used.items()}


def connected_by_source(dials: Mapping[tuple[str, Family], DialStats]) -> dict[str, frozenset[Endpoint]]:
    """Return what each source connected to, whatever the family."""
    found: dict[str, frozenset[Endpoint]] = {}
    for (source, _), one in dials.items():
        found[source] = found.get(source, frozenset()) | one.connected
    return found


def _dial_stats(by_result: Mapping[str, set[Endpoint]]) -> DialStats:
    connected = frozenset(by_result.get("connected", ()))
    silent = frozenset(by_result.get("silent", ())) - connected
    rejected = frozenset(by_result.get("rejected", ())) - connected
    unroutable = frozenset(by_result.get("unroutable", ()))
    return DialStats(
        connected=connected,
        silent=silent,
        rejected=rejected,
        unroutable=unroutable,
        all_silent=not unroutable and _none_answers(silent, connected | rejected),
    )


def _none_answers(silent: frozenset[Endpoint], answered: frozenset[Endpoint]) -> bool:
    """Judge by the public addresses; by all of them where there are none."""
    quiet = {address for address, _ in silent}
    answering = {address for address, _ in answered}
    public = {address for address in quiet | answering if is_ordinary(address)}
    if public:
        quiet, answering = quiet & public, answering & public
    return len(quiet) > 1 and not answering


def _dial_result(one: TcpObservation) -> str:
    if one.failure is None:
        return "connected"
    if one.failure is Failure.TIMEOUT:
        return "silent"
    return "unroutable" if failed_locally(one) else "rejected"
