"""Compare a trail with one that differs in one thing: name, port, segment size.

A comparison counts by its rounds: this one fails, the other works, this one fails again. What sometimes works
decides nothing, on either side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum

from egressd.attribution.control_results.tries import (
    ControlResult,
    all_tries,
    control_result,
    works_sometimes,
)
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext, hello_arrived
from egressd.model.observation import Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail

ROUNDS = 3
"""Rounds after which a comparison is as sure as it gets."""


class Contrast(StrEnum):
    """What a comparison with one variable changed showed."""

    NONE = "none"
    """It was not made."""
    PASSED = "passed"
    """The other one worked in one round."""
    AGAIN = "again"
    """The other one worked in two rounds, and this one failed in both."""
    FLIP = "flip"
    """The other one worked in three rounds or more, and this one failed in all of them."""
    FAILED = "failed"
    """The other one failed alike."""
    OTHERWISE = "otherwise"
    """The other one failed too, in another way: a fact of its own, which tells nothing apart."""

    @property
    def separates(self) -> bool:
        """Whether the other one worked, every time it was tried."""
        return self in (Contrast.PASSED, Contrast.AGAIN, Contrast.FLIP)


def passed_if(worked: object) -> Contrast:
    """Return PASSED where the other one worked; that it did not says nothing."""
    return Contrast.PASSED if worked else Contrast.NONE


def http1_contrast(context: TrailContext) -> Contrast:
    """Compare with the same request over HTTP/1.1: is it answered?"""
    return _contrast(
        context, (one for control in context.controls(ControlKind.HTTP1) for one in control.trails)
    )


def by_rounds(rounds: int) -> Contrast:
    """Return what so many rounds show in which this one failed and the other one worked."""
    if rounds < 1:
        return Contrast.NONE
    return {1: Contrast.PASSED, 2: Contrast.AGAIN}.get(rounds, Contrast.FLIP)


def _contrast(context: TrailContext, trails: Iterable[Trail], *, known: int = 0) -> Contrast:
    """Compare with trails of the other one; `known`: how often it worked elsewhere in the sweep."""
    results = [control_result(one, context.trail) for one in trails]
    if works_sometimes(context):
        return Contrast.NONE
    if ControlResult.WORKED in results or (known and not results):
        rounds = min(len(all_tries(context)), len(results) + known)
        return by_rounds(rounds) if set(results) <= {ControlResult.WORKED} else Contrast.NONE
    if not results:
        return Contrast.NONE
    return Contrast.FAILED if set(results) == {ControlResult.FAILED_ALIKE} else Contrast.OTHERWISE


def sni_contrast(context: TrailContext) -> Contrast:
    """Compare with another server name at the same address: does TLS answer?"""
    own = context.tls.sni.lower() if context.tls is not None else ""
    answered = context.index.answered_sni.get((context.source, *context.dialled), frozenset())
    others = len(answered) - (own in answered)
    return _contrast(context, _trails(context, ControlKind.SNI_CONTRAST), known=others)


def answered_elsewhere(context: TrailContext) -> bool:
    """Whether the same name worked at another address of the same family, so that no rule names it."""
    if context.proxied:
        return False
    return any(
        one.family is context.trail.family and one.address != context.trail.address and _got_tls(one)
        for one in context.probe_trails
    )


def _got_tls(trail: Trail) -> bool:
    tls = trail.seen(Phase.TLS)
    return tls is not None and tls.failure is None


def _trails(context: TrailContext, kind: ControlKind) -> tuple[Trail, ...]:
    return tuple(trail for control in context.controls(kind) for trail in control.trails)


def other_sni_acknowledged(context: TrailContext) -> bool:
    """Whether a ClientHello with another name was acknowledged at the same address, answered or not."""
    shown = context.control_results(ControlKind.SNI_CONTRAST, TlsObservation)
    return any(hello_arrived(one) for one in shown)


def mss_contrast(context: TrailContext) -> Contrast:
    """Compare with smaller segments: does TLS answer to those of one size?"""
    found = {_contrast(context, control.trails) for control in context.controls(ControlKind.SMALL_MSS)}
    return next((one for one in SEPARATING if one in found), _same(found))


SEPARATING = (Contrast.FLIP, Contrast.AGAIN, Contrast.PASSED)


def _same(found: set[Contrast]) -> Contrast:
    return next(iter(found)) if len(found) == 1 else Contrast.NONE


def segments_tried(context: TrailContext) -> frozenset[int]:
    """Return the segment sizes that were tried."""
    dials = context.control_results(ControlKind.SMALL_MSS, TcpObservation)
    return frozenset(one.max_segment or 0 for one in dials)


def port_contrast(context: TrailContext) -> Contrast:
    """Compare with another port of the same address: does it accept connections?"""
    if context.trail.redirected:
        return Contrast.NONE
    address, port = context.dialled
    others = context.index.once(_open_ports).get((context.source, address), set()) - {port}
    return _contrast(context, _trails(context, ControlKind.PORT_CONTRAST), known=len(others))


def _open_ports(index: SweepIndex) -> Mapping[tuple[str, str], AbstractSet[int]]:
    """Return the ports that accepted a connection, by source and address."""
    found: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for source, endpoints in index.reached.items():
        for address, port in endpoints:
            found[source, address].add(port)
    return found
