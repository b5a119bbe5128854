"""Statistics of the whole sweep: what each resolver answered, and how each source's dials ended."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from egressd.attribution.facts.address import Networks, is_ordinary
from egressd.model.observation import (
    DnsObservation,
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
PROMPT_MS = 1000.0
"""A resolver that takes longer is waiting for others."""
ANSWERS = frozenset({None, Failure.NXDOMAIN, Failure.NODATA})
"""DNS results that prove the resolver works: addresses, or the knowledge that there are none."""
MESSAGES = ANSWERS | {Failure.RCODE, Failure.TRUNCATED}
"""DNS results of a query for which a message came back."""

Seen = TypeVar(
    "Seen", DnsObservation, TcpObservation, ProxyObservation, TlsObservation, HttpObservation, NtpObservation
)
Endpoint = tuple[str, int]
"""Address and port."""


class ResolverStats(Struct, frozen=True, kw_only=True):
    """How one DNS resolver served one source."""

    answered: frozenset[str]
    """Names it answered, with an address or with NXDOMAIN or NODATA."""
    lossy: frozenset[str] = frozenset()
    """Those of them for which a datagram was lost and a retry was answered."""
    prompt: frozenset[str] = frozenset()
    """Names it answered at once: to the first datagram, within `PROMPT_MS`."""
    edns: bool = False
    """Whether it ever answered a datagram with EDNS."""
    datagrams: bool = False
    """Whether it ever answered a datagram."""


class DialStats(Struct, frozen=True, kw_only=True):
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


def answered_tls(one: TlsObservation) -> bool:
    """Whether bytes came back that a filter would not send: a ServerHello or a TLS alert."""
    return one.server_hello or one.alert is not None


def failed_locally(one: TcpObservation) -> bool:
    """Whether a dial ended inside this host, before a packet could leave."""
    if one.failure is Failure.INVALID_SOURCE:
        return True
    return one.failure is Failure.UNREACHABLE and one.icmp is None and one.errno in _NO_ROUTE


_NO_ROUTE = frozenset({None, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def count_resolvers(trails: Iterable[Trail]) -> dict[tuple[str, str], ResolverStats]:
    """Return the statistics by source and resolver."""
    asked: dict[tuple[str, str], list[DnsObservation]] = {}
    for trail, one in observations(trails, DnsObservation):
        asked.setdefault((trail.source, one.resolver), []).append(one)
    return {key: _resolver_stats(seen) for key, seen in asked.items()}


def _resolver_stats(seen: Iterable[DnsObservation]) -> ResolverStats:
    seen = tuple(seen)
    answered = [one for one in seen if one.failure in ANSWERS]
    datagrams = [
        query
        for one in seen
        for query in one.queries
        if query.transport == "udp" and query.failure in MESSAGES
    ]
    return ResolverStats(
        answered=_names(answered),
        lossy=_names(one for one in answered if _retried(one)),
        prompt=_names(one for one in answered if _is_prompt(one)),
        edns=any(query.edns and query.failure in ANSWERS for query in datagrams),
        datagrams=bool(datagrams),
    )


def _names(seen: Iterable[DnsObservation]) -> frozenset[str]:
    return frozenset(one.name.lower() for one in seen)


def _is_prompt(one: DnsObservation) -> bool:
    first = one.queries[0] if one.queries else None
    return first is not None and first.failure in ANSWERS and first.elapsed_ms <= PROMPT_MS


def _retried(one: DnsObservation) -> bool:
    """Whether a datagram was lost and a retry was answered at once; a late answer is no loss."""
    udp = [query for query in one.queries if query.transport == "udp"]
    lost = any(query.failure is Failure.TIMEOUT for query in udp)
    return lost and any(query.failure is None and query.elapsed_ms <= PROMPT_MS for query in udp)


def count_dials(trails: Iterable[Trail], public: Networks = ()) -> dict[tuple[str, Family], DialStats]:
    """Return the statistics by source and family; dials of proxies or with a small MSS are left out."""
    results: dict[tuple[str, Family], dict[str, set[Endpoint]]] = {}
    for trail, one in observations(trails, TcpObservation):
        if trail.path != DIRECT or one.max_segment is not None:
            continue
        family = Family.IPV6 if ":" in one.remote_address else Family.IPV4
        by_result = results.setdefault((trail.source, family), {})
        by_result.setdefault(_dial_result(one), set()).add((one.remote_address, one.remote_port))
    return {key: _dial_stats(by_result, public) for key, by_result in results.items()}


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


def _dial_stats(by_result: Mapping[str, set[Endpoint]], networks: Networks) -> DialStats:
    connected = frozenset(by_result.get("connected", ()))
    silent = frozenset(by_result.get("silent", ())) - connected
    rejected = frozenset(by_result.get("rejected", ())) - connected
    unroutable = frozenset(by_result.get("unroutable", ()))
    return DialStats(
        connected=connected,
        silent=silent,
        rejected=rejected,
        unroutable=unroutable,
        all_silent=not unroutable and _none_answers(silent, connected | rejected, networks),
    )


def _none_answers(silent: frozenset[Endpoint], answered: frozenset[Endpoint], networks: Networks) -> bool:
    """Judge by the public addresses; by all of them where there are none."""
    quiet = {address for address, _ in silent}
    answering = {address for address, _ in answered}
    public = {address for address in quiet | answering if is_ordinary(address, networks)}
    if public:
        quiet, answering = quiet & public, answering & public
    return len(quiet) > 1 and not answering


def _dial_result(one: TcpObservation) -> str:
    if one.failure is None:
        return "connected"
    if one.failure is Failure.TIMEOUT:
        return "silent"
    return "unroutable" if failed_locally(one) else "rejected"


def seen_since(trails: Iterable[Trail], since: str | None) -> bool:
    """Whether what a probe showed is evidence about others: it was not seen too long before."""
    began = (datetime.fromisoformat(one.observations[0].started) for one in trails if one.observations)
    return since is None or any(one >= datetime.fromisoformat(since) for one in began)
