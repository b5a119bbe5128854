"""Compare a trail with one that differs in one thing: resolver, name, port, segment size, another try."""

from __future__ import annotations

from enum import StrEnum

from egressd.attribution.facts.stats import observations
from egressd.attribution.facts.sweep_index import answered_tls
from egressd.attribution.facts.trail_context import TrailContext, hello_arrived
from egressd.model.observation import DnsObservation, Failure, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail
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


def passed_if(worked: object) -> Contrast:
    """Return PASSED where the other one worked; that it did not says nothing."""
    return Contrast.PASSED if worked else Contrast.NONE


def passed_or_flip(context: TrailContext) -> Contrast:
    """Return FLIP for another one that worked, where the trail failed alike in every try of two or more."""
    return Contrast.FLIP if tries(context) > 1 and always_fails(context) else Contrast.PASSED


def other_resolver_answers(context: TrailContext) -> tuple[DnsObservation, ...]:
    """Return what other resolvers answered to the same question; getaddrinfo is left out."""
    own = context.dns
    if own is None:
        return ()
    answers = (one for _, one in observations(context.probe_trails, DnsObservation))
    return tuple(
        one
        for one in (*answers, *context.control_results(ControlKind.OTHER_RESOLVER, DnsObservation))
        if one.resolver not in (own.resolver, SYSTEM_RESOLVER)
        and (one.name.lower(), one.type) == (own.name.lower(), own.type)
    )


def answered_by_other_resolver(context: TrailContext) -> bool:
    """Whether another resolver answered the same question with addresses."""
    return any(one.answers for one in other_resolver_answers(context))


def tries(context: TrailContext) -> int:
    """Return how often the same address was tried, repeats included."""
    return len(_same_address(context))


def always_fails(context: TrailContext) -> bool:
    """Whether every try failed in the same phase in the same way."""
    return len({_failure(trail) for trail in _same_address(context)}) == 1


def _same_address(context: TrailContext) -> tuple[Trail, ...]:
    address, mine = context.dialled[0], context.trail
    own = tuple(
        one
        for one in context.probe_trails
        if (one.family, one.address, one.resolver) == (mine.family, mine.address, mine.resolver)
    )
    repeats = (one for one in context.controls(ControlKind.REPEAT) if one.address == address)
    return (*own, *(trail for control in repeats for trail in control.trails))


def repeat_succeeded(context: TrailContext) -> bool:
    """Whether the same conversation, repeated, was complete and without a failure."""
    trails = (trail for control in context.controls(ControlKind.REPEAT) for trail in control.trails)
    return any(
        trail.seen(context.last_phase) is not None and all(one.failure is None for one in trail.observations)
        for trail in trails
    )


def sni_contrast(context: TrailContext) -> Contrast:
    """Compare with another server name at the same address: does TLS answer?"""
    shown = [*context.control_results(ControlKind.SNI_CONTRAST, TlsObservation)]
    key = (context.source, *context.dialled)
    own = context.tls.sni.lower() if context.tls is not None else ""
    others = context.index.answered_sni.get(key, frozenset()) - {own}
    if others or any(answered_tls(one) for one in shown):
        return passed_or_flip(context)
    return Contrast.FAILED if shown else Contrast.NONE


def other_sni_acknowledged(context: TrailContext) -> bool:
    """Whether a ClientHello with another name was acknowledged at the same address, answered or not."""
    shown = context.control_results(ControlKind.SNI_CONTRAST, TlsObservation)
    return any(hello_arrived(one) for one in shown)


def mss_contrast(context: TrailContext) -> Contrast:
    """Compare with smaller segments: does TLS answer?"""
    shown = [*context.control_results(ControlKind.SMALL_MSS, TlsObservation)]
    if any(one.server_hello for one in shown):
        return Contrast.FLIP
    return Contrast.FAILED if shown else Contrast.NONE


def segments_tried(context: TrailContext) -> frozenset[int]:
    """Return the segment sizes that were tried."""
    dials = context.control_results(ControlKind.SMALL_MSS, TcpObservation)
    return frozenset(one.max_segment or 0 for one in dials)


def port_contrast(context: TrailContext) -> Contrast:
    """Compare with another port of the same address: does it accept connections?"""
    if context.trail.redirected:
        return Contrast.NONE
    address, port = context.dialled
    if any(one == address and other != port for one, other in context.index.connected(context.source)):
        return Contrast.PASSED
    return Contrast.FAILED if context.controls(ControlKind.PORT_CONTRAST) else Contrast.NONE


def _failure(trail: Trail) -> tuple[Phase | None, Failure | None]:
    first = next((one for one in trail.observations if one.failure is not None), None)
    return (None, None) if first is None else (first.phase, first.failure)
