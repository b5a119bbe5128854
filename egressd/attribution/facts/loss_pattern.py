"""Dials that were lost although nothing blocks them: by chance, by a rate limit, or by a connection limit?

Nothing blocks what answered when it was repeated, nor what another dial reached at the same address and
port. Random loss hits any dial, and established connections too. A rate limit on new connections hits the
dials that start late in a burst; a device out of ports or sessions hits those that start while many
connections are open.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from math import comb

from msgspec import Struct

from egressd.attribution.facts.stats import DIRECT, Endpoint
from egressd.model.observation import Failure, HttpObservation, Phase, TcpObservation, TlsObservation
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, Trail
from egressd.model.settings import Family

PROMPT_MS = 900.0
"""A connect that took longer needed a second SYN."""
LEAST = 3
"""How many dials make a pattern."""
CHANCE = 50
"""How unlikely an order must be if it were chance: one in so many."""
AGREEMENT = 0.9
"""The share of pairs that must be in the order a pattern claims."""
EVEN = 0.5
"""The share of pairs that speaks against no order, and of connections that lose nothing on a sound line."""
SHARE = 0.25
"""Where established connections lose nothing, so many lost dials are no chance, whatever their order."""


class LossPattern(StrEnum):
    """What lost dials have in common."""

    RATE = "rate"
    """They began after those that were answered at once."""
    CONCURRENCY = "concurrency"
    """They began while more connections were open than where an answer came at once."""


class Dial(Struct, frozen=True, kw_only=True):
    """The first dial of a candidate address."""

    endpoint: Endpoint
    address: str
    """As DNS gave it."""
    began: float
    ended: float
    """When the conversation was over."""
    lost: bool = False
    """Whether its first SYN got no answer although nothing blocks it."""
    connected: bool = False
    prompt: bool = False
    """Whether the first SYN was answered."""
    clean: bool | None = None
    """Whether nothing was lost once it was established; None: unknown."""


class LossPatterns(Struct, frozen=True, kw_only=True):
    """The patterns of a sweep."""

    by_source: Mapping[tuple[str, Family], LossPattern]
    """By source and family."""
    overloaded: frozenset[tuple[str, Endpoint]]
    """By source: addresses and ports where dials are lost while others are open there."""

    @classmethod
    def build(
        cls, trails: Mapping[str, tuple[Trail, ...]], controls: Mapping[str, tuple[Control, ...]]
    ) -> LossPatterns:
        """Return what the lost dials of each source have in common; `trails` and `controls` by probe."""
        if not any(_may_be_lost(trail) for some in trails.values() for trail in some):
            return NO_LOSSES
        groups: dict[tuple[str, Family], list[Dial]] = {}
        reached = {key for some in trails.values() for trail in some for key in _reached(trail)}
        for probe, some in trails.items():
            again = {endpoint for control in controls.get(probe, ()) for endpoint in _repeated(control)}
            for trail in some:
                dial = _dial(trail, again, reached)
                if dial is not None:
                    groups.setdefault((trail.source, trail.family), []).append(dial)
        return cls(
            by_source={key: found for key, group in groups.items() if (found := _pattern(group)) is not None},
            overloaded=frozenset(
                (source, endpoint) for (source, _), group in groups.items() for endpoint in _overloaded(group)
            ),
        )

    def of(self, source: str, family: Family, endpoint: Endpoint) -> LossPattern | None:
        """Return the pattern that a lost dial belongs to."""
        if (source, endpoint) in self.overloaded:
            return LossPattern.CONCURRENCY
        return self.by_source.get((source, family))


NO_LOSSES = LossPatterns(by_source={}, overloaded=frozenset())


def _may_be_lost(trail: Trail) -> bool:
    """Whether the first SYN of a dial was not answered at once."""
    one = _tcp(trail)
    return one is not None and (one.failure is Failure.TIMEOUT or one.elapsed_ms >= PROMPT_MS)


def _pattern(group: list[Dial]) -> LossPattern | None:
    lost, prompt = [one for one in group if one.lost], [one for one in group if one.prompt]
    if len({one.address for one in lost}) < LEAST or not prompt or _loses_packets(group):
        return None
    ordered = comb(len(lost) + len(prompt), len(lost)) >= CHANCE
    late = _share(lost, prompt, lambda one: one.began)
    if ordered and late >= AGREEMENT:
        return LossPattern.RATE
    if ordered and _share(lost, prompt, _open_connections(group)) >= AGREEMENT:
        return LossPattern.CONCURRENCY
    return LossPattern.RATE if _many(lost, group) and late >= EVEN else None


def _many(lost: list[Dial], group: list[Dial]) -> bool:
    """Whether more is lost than a line can lose whose established connections lose nothing."""
    return any(one.clean for one in group) and len(lost) >= SHARE * len(group)


def _overloaded(group: list[Dial]) -> Iterator[Endpoint]:
    """Yield where dials are lost while more connections are open to the same endpoint."""
    if _loses_packets(group):
        return
    by_endpoint: dict[Endpoint, list[Dial]] = {}
    for one in group:
        by_endpoint.setdefault(one.endpoint, []).append(one)
    for endpoint, there in sorted(by_endpoint.items(), key=lambda one: one[0]):
        lost, prompt = [one for one in there if one.lost], [one for one in there if one.prompt]
        if len(lost) < LEAST or len(prompt) < LEAST - 1:
            continue
        if _share(lost, prompt, _open_connections(there)) >= (EVEN if _many(lost, there) else AGREEMENT):
            yield endpoint


def _loses_packets(group: Iterable[Dial]) -> bool:
    """Whether established connections lose packets as well."""
    known = [one.clean for one in group if one.clean is not None]
    return sum(known) < EVEN * len(known)


def _share(lost: list[Dial], prompt: list[Dial], rank: Callable[[Dial], float]) -> float:
    """Return the share of pairs in which the lost one ranks higher; a tie counts half."""
    ranks = sorted(rank(one) for one in prompt)
    halves = sum(bisect_left(ranks, rank(one)) + bisect_right(ranks, rank(one)) for one in lost)
    return halves / (2 * len(lost) * len(prompt))


def _open_connections(group: Iterable[Dial]) -> Callable[[Dial], float]:
    """Return how many connections were open when a dial began."""
    connected = [one for one in group if one.connected]
    starts, ends = sorted(one.began for one in connected), sorted(one.ended for one in connected)
    return lambda dial: bisect_left(starts, dial.began) - bisect_right(ends, dial.began)


def _dial(trail: Trail, again: Iterable[Endpoint], reached: Iterable[tuple[str, Endpoint]]) -> Dial | None:
    one, last = _tcp(trail), trail.last
    if one is None or last is None or trail.path != DIRECT or trail.attempt != 1:
        return None
    began, ended = _seconds(one.started), _seconds(last.started, after=last.elapsed_ms)
    if began is None or ended is None:
        return None
    endpoint = (one.remote_address, one.remote_port)
    allowed = endpoint in again or (trail.source, endpoint) in reached
    late = one.failure is None and one.elapsed_ms >= PROMPT_MS
    return Dial(
        endpoint=endpoint,
        address=trail.address or one.remote_address,
        began=began,
        ended=max(began, ended),
        lost=late or (one.failure is Failure.TIMEOUT and allowed),
        connected=one.failure is None,
        prompt=one.failure is None and not late,
        clean=_clean(trail, one),
    )


def _clean(trail: Trail, one: TcpObservation) -> bool | None:
    """Whether nothing was retransmitted after the SYN."""
    later = [seen for seen in trail.observations if isinstance(seen, TlsObservation | HttpObservation)]
    info = next((seen.info for seen in reversed(later) if seen.info is not None), None)
    if one.info is None or info is None or one.failure is not None:
        return None
    return info.retransmits <= one.info.retransmits


def _reached(trail: Trail) -> Iterator[tuple[str, Endpoint]]:
    one = _tcp(trail)
    if one is not None and one.failure is None and trail.path == DIRECT:
        yield trail.source, (one.remote_address, one.remote_port)


def _repeated(control: Control) -> Iterator[Endpoint]:
    """Yield what connected when it was repeated."""
    if control.kind is ControlKind.REPEAT:
        for trail in control.trails:
            yield from (endpoint for _, endpoint in _reached(trail))


def _tcp(trail: Trail) -> TcpObservation | None:
    one = trail.seen(Phase.TCP)
    return one if isinstance(one, TcpObservation) else None


def _seconds(text: str, *, after: float = 0.0) -> float | None:
    """Read a timestamp; None for what a hand-edited report file may hold instead."""
    try:
        return (datetime.fromisoformat(text) + timedelta(milliseconds=after)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
