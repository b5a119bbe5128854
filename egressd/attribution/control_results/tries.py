"""How often a conversation was held at one address, and how each time ended.

A first trail, further attempts, repeats, and the rounds of a comparison are all tries of one conversation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import (
    Failure,
    HttpObservation,
    Observation,
    Phase,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import ControlKind
from egressd.model.recording import Trail

OWN_ROUNDS = (
    ControlKind.SNI_CONTRAST,
    ControlKind.PORT_CONTRAST,
    ControlKind.SMALL_MSS,
    ControlKind.SMALL_HELLO,
)
"""Controls that hold the conversation of their subject in turn with their own."""
MANY_LOST = 2
"""Packets of one connection that are lost in a row: no chance where other connections lose none."""
CUT = frozenset({Failure.RESET, Failure.CLOSED})


class ControlResult(StrEnum):
    """How a control ended, compared with what it was run for; None in its place: it did not run."""

    WORKED = "worked"
    FAILED_ALIKE = "failed alike"
    FAILED_OTHERWISE = "failed otherwise"


class Ending(Struct, frozen=True):
    """How a conversation failed, as far as two failures can be told apart."""

    phase: Phase
    failure: Failure
    """RST and FIN are one: which of them a client sees depends on who closes first."""
    alert: int | None = None


def trail_ending(trail: Trail) -> Ending | None:
    """Return how a trail failed; None where nothing failed."""
    first = next((one for one in trail.observations if one.failure is not None), None)
    return None if first is None else _ending(first)


def _ending(one: Observation) -> Ending | None:
    if one.failure is None:
        return None
    alert = one.alert.description if isinstance(one, TlsObservation) and one.alert is not None else None
    return Ending(one.phase, Failure.RESET if one.failure in CUT else one.failure, alert)


def control_result(trail: Trail, accused: Trail) -> ControlResult:
    """Return how a control's trail ended, compared with the trail it was run for.

    A ServerHello counts as an answer, whatever the certificate: that is no matter of name, size or address.
    """
    own = trail_ending(trail)
    if own is None or any(isinstance(one, TlsObservation) and one.server_hello for one in trail.observations):
        return ControlResult.WORKED
    return ControlResult.FAILED_ALIKE if own == trail_ending(accused) else ControlResult.FAILED_OTHERWISE


def all_tries(context: TrailContext) -> tuple[Trail, ...]:
    """Return every try of the conversation at its address, this trail and repeats included."""
    mine = context.trail
    own = (
        one
        for one in context.probe_trails
        if (one.family, one.address, one.resolver, one.path)
        == (mine.family, mine.address, mine.resolver, mine.path)
    )
    return (*own, *_repeats(context), *_rounds(context))


def _repeats(context: TrailContext) -> Iterator[Trail]:
    for control in context.controls(ControlKind.REPEAT):
        yield from control.trails


def _rounds(context: TrailContext) -> Iterator[Trail]:
    for kind in OWN_ROUNDS:
        for control in context.controls(kind):
            yield from control.subject_trails


def tries(context: TrailContext) -> int:
    """Return how often the same address was tried, repeats included."""
    return len(all_tries(context))


def worked(context: TrailContext, trail: Trail) -> bool:
    """Whether a try got through what the trail failed in; a repeat, through all of it."""
    return trail_ending(trail) is None and trail.seen(context.failed_in or context.last_phase) is not None


def works_sometimes(context: TrailContext) -> bool:
    """Whether a conversation that failed worked at the same address in another try."""
    return context.failing is not None and any(worked(context, trail) for trail in all_tries(context))


def always_fails(context: TrailContext) -> bool:
    """Whether every try failed in the same phase in the same way."""
    return len({trail_ending(trail) for trail in all_tries(context)}) == 1


def failures(context: TrailContext) -> Counter[Ending]:
    """Return how often the conversation failed in which way."""
    ends = (trail_ending(trail) for trail in all_tries(context))
    return Counter(one for one in ends if one is not None)


def is_packet_loss(context: TrailContext) -> bool:
    """Whether single packets were lost, as far as tries that failed and tries that worked show it.

    What is lost leaves no answer. A line that loses some packets does not lose all those of one connection
    and none of another: where that is seen, connections differ, not packets.
    """
    every = all_tries(context)
    if not all(one.failure is Failure.TIMEOUT for one in failures(context)):
        return False
    again = [(trail_ending(one) is None, _sent_again(one)) for one in every]
    if any(fine and number for fine, number in again):
        return True
    lost = [number for fine, number in again if not fine]
    return None in lost or max((number or 0 for number in lost), default=0) < MANY_LOST


def _sent_again(trail: Trail) -> int | None:
    """Return how often packets of a trail had to be sent again; None where the kernel does not know."""
    infos = [
        one.info
        for one in trail.observations
        if isinstance(one, TcpObservation | TlsObservation | HttpObservation) and one.info is not None
    ]
    return max((one.retransmits for one in infos), default=None)
