"""Whether a host has public DNS at all: without it, everything else in a report follows from that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from egressd.model.observation import DnsObservation, Failure
from egressd.model.plan import Target
from egressd.model.recording import Recording, Trail
from egressd.wording import count

LEAST_NAMES = 3
"""Fewer names without an address may all be one filter's doing."""
LEAST_DOMAINS = 2
"""Nor do names of one domain tell anything about others."""
_KINDS = {Failure.NXDOMAIN: "NXDOMAIN", Failure.NODATA: "no address", Failure.TIMEOUT: "no answer"}


class NoPublicDns(Struct, frozen=True, kw_only=True):
    """The sources from which no public name has an address, and what was asked in vain."""

    sources: tuple[str, ...]
    every_source: bool
    resolvers: tuple[str, ...]
    endings: tuple[tuple[str, int], ...]
    """How the lookups ended, with the number of names of each, the most frequent first."""

    @property
    def names(self) -> int:
        """How many public names were asked for."""
        return sum(number for _, number in self.endings)

    @property
    def short(self) -> str:
        """The fact, for a headline."""
        where = "this host" if self.every_source else f"source {', '.join(self.sources)}"
        return f"{where} has no public DNS: none of {count(self.names, 'public name')} has an address"

    @property
    def text(self) -> str:
        """The fact with its evidence, and what to do first."""
        how = ", ".join(f"{number} {what}" for what, number in self.endings)
        asked = ", ".join(self.resolvers) or "the resolvers of this host"
        return (
            f"{self.short[:1].upper()}{self.short[1:]} ({asked}: {how}). Mend this first: what failed in DNS "
            "says nothing about single names. Give a resolver that answers public names (resolvers), or, "
            "where only a proxy looks names up, that proxy (--proxy)."
        )


def without_public_dns(recording: Recording) -> NoPublicDns | None:
    """Return the sources that have no public DNS; None: each has, or too little was asked to say so."""
    endings: dict[str, dict[str, str]] = {}
    asked_of: dict[str, None] = {}
    answered: set[str] = set()
    for source, one in _lookups(recording):
        if one.answers:
            answered.add(source)
            continue
        endings.setdefault(source, {}).setdefault(one.name, _ending(one))
        asked_of[one.resolver] = None
    found = tuple(name for name, some in endings.items() if name not in answered and _are_enough(some))
    if not found:
        return None
    merged = {name: how for source in found for name, how in endings[source].items()}
    return NoPublicDns(
        sources=found,
        every_source=found == tuple(one.name for one in recording.plan.sources) or len(endings) == len(found),
        resolvers=recording.vantage.resolvers or tuple(asked_of),
        endings=tuple(Counter(merged.values()).most_common()),
    )


def _lookups(recording: Recording) -> Iterator[tuple[str, DnsObservation]]:
    """Yield what was looked up of public names that exist, and what any control was answered."""
    public = {one.id for one in recording.plan.targets if _is_public(one)}
    records = {one.probe: one.trails for one in recording.records}
    for probe in recording.plan.probes:
        if public.issuperset(probe.targets):
            yield from ((probe.source, one) for one in _queries(records.get(probe.id, ())))
    for control in recording.controls:
        yield from ((control.source, one) for one in _queries(control.trails) if one.answers)


def _is_public(target: Target) -> bool:
    return target.is_proof and not target.is_own and not target.internal


def _queries(trails: Iterable[Trail]) -> Iterator[DnsObservation]:
    for trail in trails:
        yield from (one for one in trail.observations if isinstance(one, DnsObservation))


def _ending(one: DnsObservation) -> str:
    if one.failure is None:
        return "no address"
    return _KINDS.get(one.failure) or one.rcode or str(one.failure).replace("_", " ")


def _are_enough(names: Iterable[str]) -> bool:
    names = tuple(names)
    domains = {".".join(one.rstrip(".").split(".")[-2:]) for one in names}
    return len(names) >= LEAST_NAMES and len(domains) >= LEAST_DOMAINS
