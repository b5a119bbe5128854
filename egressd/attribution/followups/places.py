"""Places at which ClientHellos of other sizes and forms are compared, and which of them are due."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import ip_network

from msgspec import Struct

from egressd.attribution.control_results.client_hello import ONE_SEGMENT, hello_lost
from egressd.attribution.facts.address import parse_ip
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.followups.control import probe_contexts
from egressd.model.observation import TcpObservation
from egressd.model.plan import ControlKind, Probe
from egressd.model.recording import Control

FRESH_SECONDS = 600.0
"""For how long a result at a place is not renewed."""
MOST_PLACES = 200
"""Per source and sweep, where all places are due."""
OPERATOR_PREFIX = {4: 16, 6: 32}
"""Bits of an address that one operator's front ends usually share."""


class HelloPlace(Struct, frozen=True, kw_only=True):
    """An address, or a name behind a proxy, where TLS answered a small ClientHello."""

    context: TrailContext

    @property
    def key(self) -> tuple[str, str, int]:
        """Path, address or name, and port."""
        probe, path = self.context.probe, self.context.trail.path
        return (path, probe.host, probe.port) if self.context.proxied else (path, *self.context.dialled)

    @property
    def operator(self) -> tuple[str, str]:
        """Path, and the network of the address or the domain of the name."""
        path, where, _ = self.key
        address = parse_ip(where)
        if address is None:
            return path, ".".join(where.lower().split(".")[-2:])
        return path, str(ip_network((address, OPERATOR_PREFIX[address.version]), strict=False))

    def newest(self, kind: ControlKind, *, max_segment: int | None = None) -> Control | None:
        """Return the newest control of a kind at this place; None: there is none."""
        found = (one for one in self.context.controls(kind) if _max_segment(one) == max_segment)
        return max(found, key=_started, default=None)

    def lost(self, kind: ControlKind) -> bool:
        """Whether a ClientHello of a kind is lost here, chance excluded."""
        return hello_lost(self.context, kind)

    def age(self, kind: ControlKind, *, since: str, max_segment: int | None = None) -> float | None:
        """Return the age of the newest result in seconds at a time; negative: newer; None: there is none."""
        newest = self.newest(kind, max_segment=max_segment)
        if newest is None:
            return None
        began = datetime.fromisoformat(_started(newest))
        return (datetime.fromisoformat(since) - began).total_seconds()


def hello_places(index: SweepIndex, source: str) -> tuple[HelloPlace, ...]:
    """Return the places of a source, one of each operator in turn: a few of them then stand for many."""
    turns: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str, int], tuple[int, HelloPlace]] = {}
    for probe in index.recording.plan.probes:
        if probe.source != source or probe.contrast or probe.siblings:
            continue
        for place in _answered(index, probe):
            if place.key not in found:
                turn = turns[place.operator] = turns.get(place.operator, -1) + 1
                found[place.key] = turn, place
    return tuple(place for _, place in sorted(found.values(), key=lambda one: one[0]))


def _answered(index: SweepIndex, probe: Probe) -> Iterator[HelloPlace]:
    for context in probe_contexts(index, probe):
        tls = context.tls
        if tls is not None and tls.server_hello and tls.hello_bytes <= ONE_SEGMENT:
            yield HelloPlace(context=context)


def places_due(
    places: Sequence[HelloPlace], kind: ControlKind, *, since: str, samples: int | None
) -> tuple[HelloPlace, ...]:
    """Return the places where a control is due in the sweep that began `since`: those never tried first.

    `samples` bounds what one sweep tries, over all calls; None: every place that has no fresh result.
    """
    ages = {one.key: one.age(kind, since=since) for one in places}
    due = [one for one in places if (age := ages[one.key]) is None or age >= FRESH_SECONDS]
    due.sort(key=lambda one: (not one.lost(kind), ages[one.key] is not None, -(ages[one.key] or 0.0)))
    if samples is None:
        return tuple(due[:MOST_PLACES])
    tried = sum(age is not None and age <= 0 for age in ages.values())
    return tuple(due[: max(0, samples - tried)])


def _started(control: Control) -> str:
    first = next((one for trail in control.trails for one in trail.observations), None)
    return first.started if first is not None else ""


def _max_segment(control: Control) -> int | None:
    first = next((one for trail in control.trails for one in trail.observations), None)
    return first.max_segment if isinstance(first, TcpObservation) else None
