"""Comparisons of a case with what differs from it in one thing: a voice, a name, a port, a size, a try."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from egressd.attribution.facts.sweep_index import answered_tls
from egressd.attribution.facts.trail_context import TrailContext, hello_arrived
from egressd.model.observation import (
    DnsObservation,
    Failure,
    Observation,
    Phase,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail
from egressd.model.settings import SYSTEM_RESOLVER


class Contrast(StrEnum):
    """What a comparison with one variable changed showed."""

    NONE = "none"
    """It was not made."""
    PASSED = "passed"
    """The other one worked."""
    FLIP = "flip"
    """The other one worked, and this one failed every time of two or more."""
    FAILED = "failed"
    """The other one failed as well."""


def other_resolver_answers(context: TrailContext) -> tuple[DnsObservation, ...]:
    """What other voices said to the same question; the system's own voice aside."""
    own = context.dns
    if own is None:
        return ()
    answers = (one for trail in context.probe_trails for one in trail.observations)
    return tuple(
        one
        for one in (*answers, *_other_resolver_controls(context))
        if isinstance(one, DnsObservation)
        and one.resolver not in (own.resolver, SYSTEM_RESOLVER)
        and (one.name.lower(), one.type) == (own.name.lower(), own.type)
    )


def answered_by_other_resolver(context: TrailContext) -> bool:
    """Whether another resolver answered the same question with addresses."""
    return any(one.answers for one in other_resolver_answers(context))


def _other_resolver_controls(context: TrailContext) -> Iterable[Observation]:
    trails = (trail for control in context.controls(ControlKind.OTHER_RESOLVER) for trail in control.trails)
    return (one for trail in trails for one in trail.observations)


def tries(context: TrailContext) -> int:
    """How often the same address was tried, repeats included."""
    return len(_alike(context))


def always_fails(context: TrailContext) -> bool:
    """Whether every try failed in the same phase in the same way."""
    ends = {_ending(trail) for trail in _alike(context)}
    return len(ends) == 1


def _alike(context: TrailContext) -> tuple[Trail, ...]:
    address = context.dialled[0]
    own = tuple(
        one
        for one in context.probe_trails
        if (one.family, one.address, one.resolver)
        == (context.trail.family, context.trail.address, context.trail.resolver)
    )
    repeats = (
        trail
        for control in context.controls(ControlKind.REPEAT)
        if control.address == address
        for trail in control.trails
    )
    return (*own, *repeats)


def repeat_succeeded(context: TrailContext) -> bool:
    """Whether the same conversation, held once more, went well."""
    trails = (trail for control in context.controls(ControlKind.REPEAT) for trail in control.trails)
    return any(
        trail.seen(context.last_phase) is not None and all(one.failure is None for one in trail.observations)
        for trail in trails
    )


def sni_contrast(context: TrailContext) -> Contrast:
    """Whether another server name gets a TLS answer at the same address."""
    shown = [one for control in context.controls(ControlKind.SNI_CONTRAST) for one in _tls(control)]
    key = (context.source, *context.dialled)
    mine = context.tls.sni.lower() if context.tls is not None else ""
    others = context.index.answered_sni.get(key, frozenset()) - {mine}
    if others or any(answered_tls(one) for one in shown):
        return Contrast.FLIP if tries(context) > 1 and always_fails(context) else Contrast.PASSED
    return Contrast.FAILED if shown else Contrast.NONE


def other_sni_acknowledged(context: TrailContext) -> bool:
    """Whether a hello with another server name was acknowledged at the same address, answered or not."""
    return any(
        hello_arrived(one) for control in context.controls(ControlKind.SNI_CONTRAST) for one in _tls(control)
    )


def mss_contrast(context: TrailContext) -> Contrast:
    """Whether smaller segments get a TLS answer."""
    shown = [one for control in context.controls(ControlKind.SMALL_MSS) for one in _tls(control)]
    if any(one.server_hello for one in shown):
        return Contrast.FLIP
    return Contrast.FAILED if shown else Contrast.NONE


def segments_tried(context: TrailContext) -> frozenset[int]:
    """Return the segment sizes that were tried."""
    dials = (
        one
        for control in context.controls(ControlKind.SMALL_MSS)
        for trail in control.trails
        for one in trail.observations
    )
    return frozenset(one.max_segment or 0 for one in dials if isinstance(one, TcpObservation))


def port_contrast(context: TrailContext) -> Contrast:
    """Whether the same address can be connected to on another port."""
    if context.trail.redirected:
        return Contrast.NONE
    address, port = context.dialled
    if any(one == address and other != port for one, other in context.index.connected(context.source)):
        return Contrast.PASSED
    return Contrast.FAILED if context.controls(ControlKind.PORT_CONTRAST) else Contrast.NONE


def _tls(control: Control) -> Iterable[TlsObservation]:
    seen = (one for trail in control.trails for one in trail.observations)
    return (one for one in seen if isinstance(one, TlsObservation))


def _ending(trail: Trail) -> tuple[Phase | None, Failure | None]:
    last = next((one for one in trail.observations if one.failure is not None), None)
    return (None, None) if last is None else (last.phase, last.failure)
