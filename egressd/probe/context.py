"""The state that all probes of a sweep share: trust stores, resolvers, sources and DNS answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.clock import monotonic
from egressd.model.observation import DnsObservation
from egressd.model.plan import Plan
from egressd.model.settings import Family, Limits, Proxy, Resolver, Source
from egressd.net import resolve
from egressd.net.dns.message import RecordType
from egressd.net.trust import TrustStore
from egressd.probe.control_cache import ControlCache
from egressd.probe.pauses import Pauses

RECORD_TYPES: dict[Family, RecordType] = {Family.IPV4: "A", Family.IPV6: "AAAA"}
_Asked = tuple[str, str, Family, str, int]
"""Resolver, name, family, source and attempt."""


def expand_resolvers(resolvers: Iterable[Resolver]) -> tuple[Resolver, ...]:
    """Return the resolvers to query; `system` adds the nameservers of resolv.conf.

    A nameserver that is configured twice is queried once. getaddrinfo comes last: DNS messages say more.
    """
    expanded: dict[str, Resolver] = {}
    system: list[Resolver] = []
    for one in resolvers:
        if one.is_system:
            system.append(one)
            expanded.update({found.name: found for found in resolve.system_nameservers()})
        else:
            expanded[one.name] = one
    return (*expanded.values(), *system[:1])


class ProbeContext(Struct, kw_only=True):
    """The shared state of one sweep. A name is looked up once per resolver, type and source."""

    plan: Plan
    store: TrustStore
    resolvers: tuple[Resolver, ...]
    proxy_stores: Mapping[str, TrustStore] = field(default_factory=dict)
    """By CA file: verify the TLS proxies that have a CA of their own."""
    secrets: tuple[str, ...] = ()
    """Texts to redact in observations: a peer may echo them."""
    control_cache: ControlCache = field(default_factory=ControlCache)
    """Control results that are reused by later sweeps."""
    pauses: Pauses = field(default_factory=Pauses)
    """When this host did not run, during one sweep."""
    _answers: dict[_Asked, DnsObservation] = field(default_factory=dict)
    _locks: dict[_Asked, asyncio.Lock] = field(default_factory=dict)

    def fresh(self, plan: Plan, resolvers: tuple[Resolver, ...]) -> ProbeContext:
        """Return the context of a new sweep: names are looked up again, everything else is shared."""
        return replace(self, plan=plan, resolvers=resolvers, pauses=Pauses(), _answers={}, _locks={})

    @property
    def limits(self) -> Limits:
        """The limits of the plan."""
        return self.plan.limits

    def source(self, name: str) -> Source:
        """Return a source of the plan by its name."""
        return next(one for one in self.plan.sources if one.name == name)

    def store_of(self, proxy: Proxy) -> TrustStore:
        """Return what verifies a TLS proxy."""
        return self.store if proxy.ca_file is None else self.proxy_stores[proxy.ca_file]

    async def look_up(
        self,
        name: str,
        family: Family,
        *,
        resolver: Resolver,
        source: Source,
        timeout: float,
        attempt: int = 1,
    ) -> DnsObservation:
        """Look a name up, or return the answer that this sweep has already for the attempt.

        If the probe that queries is cancelled, the next one that waits queries again; so does one whose
        answer came while this host paused.
        """
        key = (resolver.name, name.lower(), family, source.name, attempt)
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if key in self._answers:
                return self._answers[key]
            begun = monotonic()
            answer = await resolve.look_up(
                name, RECORD_TYPES[family], resolver=resolver, source=source, timeout=timeout
            )
            if not self.pauses.since(begun):
                self._answers[key] = answer
        return answer
