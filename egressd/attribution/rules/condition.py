"""Conditions that rules are composed of: in which phase and how a trail failed, and what ICMP reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.rules.clue import Clue
from egressd.model.observation import Failure, Observation, Phase

Condition = Callable[[TrailContext], bool]
PROHIBITED = {4: frozenset({9, 10, 13}), 6: frozenset({1, 5, 6})}
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}

_OBSERVED: Mapping[Phase, Callable[[TrailContext], Observation | None]] = {
    Phase.DNS: lambda context: context.dns,
    Phase.TCP: lambda context: context.tcp,
    Phase.PROXY: lambda context: context.tunnel,
    Phase.TLS: lambda context: context.tls,
    Phase.HTTP: lambda context: context.http,
    Phase.NTP: lambda context: context.ntp,
}


class NeedsClues(Struct, frozen=True):
    """A condition that can hold only for trails with certain clues."""

    holds: Condition
    any_of: tuple[frozenset[Clue], ...]
    """All the clues of one of these."""

    def __call__(self, context: TrailContext) -> bool:
        """Return whether it holds."""
        return self.holds(context)


def needs(*clues: Clue) -> Callable[[Condition], NeedsClues]:
    """Declare that a condition can't hold without all of these clues."""
    return lambda condition: NeedsClues(condition, (frozenset(clues),))


on_failure = needs(Clue.FAILURE)


def may_hold(condition: Condition, clues: frozenset[Clue]) -> bool:
    """Return whether a condition is worth asking for a trail with these clues."""
    return not isinstance(condition, NeedsClues) or any(one <= clues for one in condition.any_of)


def _alternatives(condition: Condition) -> tuple[frozenset[Clue], ...]:
    return condition.any_of if isinstance(condition, NeedsClues) else (frozenset(),)


def phase_failed(phase: Phase, *failures: Failure) -> Condition:
    """Hold where a phase failed in one of these ways; in any way if none is named."""
    observed = _OBSERVED[phase]
    wanted = frozenset(failures or Failure)
    return on_failure(lambda context: (one := observed(context)) is not None and one.failure in wanted)


def failed_in(*phases: Phase) -> Condition:
    """Hold where the trail's first failure is in one of the phases."""
    return on_failure(lambda context: context.failed_in in phases)


def both(one: Condition, other: Condition) -> Condition:
    """Hold where two conditions do."""

    def holds(context: TrailContext) -> bool:
        return one(context) and other(context)

    needed = tuple(own | more for own in _alternatives(one) for more in _alternatives(other))
    return NeedsClues(holds, needed)


def either(one: Condition, other: Condition) -> Condition:
    """Hold where one of two conditions does."""

    def holds(context: TrailContext) -> bool:
        return one(context) or other(context)

    return NeedsClues(holds, (*_alternatives(one), *_alternatives(other)))


def never(_: TrailContext) -> bool:
    """Hold nowhere."""
    return False


def is_prohibited(context: TrailContext) -> bool:
    """Hold where a router reported that a rule forbids the packet."""
    icmp = context.icmp
    if icmp is None or icmp.type != (3 if icmp.version == 4 else 1):
        return False
    return icmp.code in PROHIBITED[icmp.version]


def is_port_unreachable(context: TrailContext) -> bool:
    """Hold where a host reported that nothing listens on the port (or a firewall in its place)."""
    icmp = context.icmp
    return icmp is not None and (icmp.type, icmp.code) == PORT_UNREACHABLE[icmp.version]
