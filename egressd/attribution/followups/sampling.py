"""Controls without a failure: agents send a larger ClientHello than egressd does, and check revocation.

A sweep samples that: a few ClientHellos per source, and the URLs in the chains it received.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from egressd.attribution.control_results.client_hello import ONE_SEGMENT
from egressd.attribution.facts.certificate import certificate_urls
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.followups.control import hello_control
from egressd.attribution.followups.places import FRESH_SECONDS, HelloPlace, hello_places, places_due
from egressd.model.endpoint import Protocol
from egressd.model.plan import ControlKind, ControlPlan

SAMPLES = 2
"""Places per source and sweep at which ClientHellos are compared, where a plan has many."""
FEW_PROBES = 24
"""A source with no more probes than this is compared at all of their places."""
MOST_URLS = 20
"""Per source."""
PER_HOST = 2


def hello_controls(index: SweepIndex, probed: AbstractSet[str] | None = None) -> Iterator[ControlPlan]:
    """Yield ClientHellos of other size and form for places that answered the usual one, now if `probed`.

    A small plan is compared at all of its places, a large one at a few in each sweep: those never tried come
    first. What is lost at one place is tried at all of them: the same device may stand before each.
    """
    since = index.recording.started
    for source in index.recording.plan.sources:
        places = hello_places(index, source.name)
        few = sum(one.source == source.name for one in index.recording.plan.probes) <= FEW_PROBES
        lost = [one for one in places if one.lost(ControlKind.LARGE_HELLO)]
        here = [one for one in places if probed is None or one.context.probe.id in probed]
        large = places_due(
            here, ControlKind.LARGE_HELLO, since=since, samples=None if few or lost else SAMPLES
        )
        for place in large:
            yield _compare(place, ControlKind.LARGE_HELLO, "agents send a ClientHello of two segments")
        for place in (*lost, *large) if lost else ():
            yield from _for_large_hello(place, since=since)
        compared = [one for one in here if one in large or one.newest(ControlKind.LARGE_HELLO) is not None]
        yield from _forms(compared, since=since, few=few)


def _forms(places: Sequence[HelloPlace], *, since: str, few: bool) -> Iterator[ControlPlan]:
    """Yield ClientHellos of other forms for places where the usual form is tried in both sizes."""
    everywhere = few or any(one.lost(ControlKind.SNI_LAST) for one in places)
    for place in places_due(places, ControlKind.SNI_LAST, since=since, samples=None if everywhere else 1):
        yield _compare(place, ControlKind.SNI_LAST, "some devices find the name at the front only")
    for place in places_due(places, ControlKind.NO_SNI, since=since, samples=1):
        yield _compare(place, ControlKind.NO_SNI, "some devices require a server name")


def _for_large_hello(place: HelloPlace, *, since: str) -> Iterator[ControlPlan]:
    """Find out why a large ClientHello is lost: the size of its packets, or that it comes in two.

    Behind a proxy the packets of our own connection say nothing about those that the proxy sends.
    """
    kind = ControlKind.LARGE_HELLO
    age = place.age(kind, since=since, max_segment=ONE_SEGMENT)
    if place.context.proxied or (age is not None and age < FRESH_SECONDS):
        return
    why = "smaller segments tell a small MTU from a device that cannot reassemble a ClientHello"
    yield _compare(place, kind, why, max_segment=ONE_SEGMENT)
    if place.context.index.recording.plan.limits.split_hello:
        split = "a small ClientHello in two parts shows whether devices reassemble"
        yield _compare(place, ControlKind.SPLIT_HELLO, split)


def _compare(
    place: HelloPlace, kind: ControlKind, why: str, *, max_segment: int | None = None
) -> ControlPlan:
    return hello_control(place.context, kind, why, max_segment=max_segment)


def revocation_controls(index: SweepIndex, probed: AbstractSet[str] | None = None) -> Iterator[ControlPlan]:
    """Yield one fetch for each URL in the verified public chains of a source, up to a bound.

    `probed` are the probes of the running pass, if not all are: a fetch is about one of them, or it would be
    as old as an hourly row.
    """
    for source in index.recording.plan.sources:
        hosts: dict[str, int] = {}
        for link in certificate_urls(index, source.name, probed=probed):
            host = link.at.host
            if sum(hosts.values()) >= MOST_URLS or hosts.get(host, 0) >= PER_HOST:
                continue
            hosts[host] = hosts.get(host, 0) + 1
            yield ControlPlan(
                id=f"{ControlKind.REVOCATION.value}:{source.name}|{link.at.url}",
                kind=ControlKind.REVOCATION,
                source=source.name,
                subject=link.probe,
                why=f"certificates received here name it for {link.kind}",
                host=host,
                port=link.at.port,
                protocol=Protocol.HTTP,
                url=link.at.path,
                private=link.private,
            )
