"""Clues: what a trail shows at a glance, and without which a rule can't hold. Most trails show none."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from egressd.attribution.control_results.resolvers import given_address
from egressd.attribution.facts.address import AddressKind, is_nat64
from egressd.attribution.facts.trail_context import TrailContext
from egressd.model.observation import DnsObservation, DnsQuery


class Clue(Enum):
    """A reason to ask the rules that need it."""

    FAILURE = auto()
    """Something failed."""
    UNFINISHED = auto()
    """The conversation did not come to its end at the address that DNS gave."""
    CONTROLS = auto()
    """Controls ran for the probe."""
    BASELINE = auto()
    """There is an earlier sweep to compare with."""
    SCOPE = auto()
    """The configuration says whether a private link scope is in use."""
    LOOKUP = auto()
    """The lookup took more than one datagram and its answer."""
    OTHER_LOOKUPS = auto()
    """The name was looked up more than once."""
    ADDRESS = auto()
    """The address is none that a public server would have, or was made by DNS64."""
    PRIVATE_CHAIN = auto()
    """The chain received leads to no public root."""


def clues_of(context: TrailContext) -> frozenset[Clue]:
    """Return what a trail shows."""
    return frozenset((*_of_sweep(context), *_of_trail(context), *_of_lookup(context)))


def _of_sweep(context: TrailContext) -> Iterator[Clue]:
    recording = context.index.recording
    if recording.baseline is not None:
        yield Clue.BASELINE
    if recording.plan.private_link is not None:
        yield Clue.SCOPE
    if context.probe.id in context.index.controls:
        yield Clue.CONTROLS


def _of_trail(context: TrailContext) -> Iterator[Clue]:
    if context.failing is not None:
        yield Clue.FAILURE
    if not context.complete or context.trail.redirected:
        yield Clue.UNFINISHED
    tls = context.tls
    if tls is not None and tls.facts is not None and tls.facts.publicly_anchored is False:
        yield Clue.PRIVATE_CHAIN


def _of_lookup(context: TrailContext) -> Iterator[Clue]:
    own = context.dns
    if own is not None and (len(own.queries) != 1 or not _is_plain(own.queries[0])):
        yield Clue.LOOKUP
    address = given_address(context)
    if context.index.kind_of_address(address) is not AddressKind.ORDINARY or is_nat64(address):
        yield Clue.ADDRESS
    if _looked_up_again(context):
        yield Clue.OTHER_LOOKUPS


def _is_plain(one: DnsQuery) -> bool:
    """Whether a query was one datagram, and was answered."""
    return one.transport == "udp" and one.failure is None and one.errno is None


def _looked_up_again(context: TrailContext) -> bool:
    own = context.dns
    return context.probe.id in context.index.controls or any(
        one is not own
        for trail in context.probe_trails
        for one in trail.observations
        if isinstance(one, DnsObservation)
    )
