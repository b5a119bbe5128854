"""What fails at which site, and since when: an hour as any other, and three in which something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bench.fleet.pages import Moment, last_sweep
from bench.fleet.snapshot import Fault, Faults
from egressd.model.observation import Phase
from egressd.model.verdict import Blame

LASTING = 50
"""One site of so many has a rule too few for one target, since long ago."""
CHANCE = 70
"""At one site of so many a target fails in one sweep by chance, another one each time."""
LONG_AGO = 3 * 86_400.0
ROLLED_OUT = 40
"""Sites that a rollout has reached before it is looked at, over the last hours."""
PAUSE_BEFORE, PAUSE = 300.0, 20.0
"""Seconds between the sites of a rollout, before that and since."""
LONELY = 5
"""The site that has an outage of its own."""


Targets = tuple[tuple[str, str, int], ...]
"""Id, host and port of each target of a site."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happens to a fleet at a moment, in Unix seconds."""

    name: str
    at: float
    targets: tuple[str, ...]
    """The ids of the targets that fail."""
    reason: str
    phase: Phase
    blame: Blame
    begins: Callable[[int], float | None]
    """When it reaches a site, in seconds after `at`; None: never."""

    def onset(self, site: int) -> float | None:
        """Return when the first sweep of a site showed it; None: none does."""
        after = self.begins(site)
        if after is None:
            return None
        first = last_sweep(site, self.at + after)
        return Moment(site, first.sweep + 1).completed


class FleetState:
    """What fails at each site, by chance, for long, and by what happens."""

    def __init__(
        self, targets: tuple[tuple[str, str, int], ...], *, start: float, event: Event | None
    ) -> None:
        self._ids = tuple(name for name, _, _ in targets)
        self._start = start
        self._event = event

    def faults(self, at: Moment) -> Faults:
        """Return what failed in a sweep."""
        return {**dict(self._lasting(at.site)), **dict(self._by_chance(at)), **dict(self._by_event(at))}

    def _lasting(self, site: int) -> Iterator[tuple[str, Fault]]:
        if site % LASTING == 7:
            yield (
                self._ids[site * 13 % len(self._ids)],
                Fault(
                    reason="tls_sni_reset",
                    phase=Phase.TLS,
                    blame=Blame.FIREWALL_L7,
                    since=self._start - LONG_AGO,
                ),
            )

    def _by_chance(self, at: Moment) -> Iterator[tuple[str, Fault]]:
        number = (at.site * 2_654_435_761 + at.sweep * 40_503) % 1_000_003
        if number % CHANCE == 0:
            yield (
                self._ids[number % len(self._ids)],
                Fault(
                    reason="tcp_ip_blocked_silent",
                    phase=Phase.TCP,
                    blame=Blame.FIREWALL_L3L4,
                    since=at.completed,
                ),
            )

    def _by_event(self, at: Moment) -> Iterator[tuple[str, Fault]]:
        event = self._event
        since = event.onset(at.site) if event else None
        if event is None or since is None or since > at.completed:
            return
        for name in event.targets:
            yield name, Fault(reason=event.reason, phase=event.phase, blame=event.blame, since=since)


def _service(at: float, targets: Targets) -> Event:
    """A service goes down for all: it answers no ClientHello."""
    return Event(
        name="service outage",
        at=at,
        targets=_of_host(targets),
        reason="tls_stall_after_hello",
        phase=Phase.TLS,
        blame=Blame.FIREWALL_L7,
        begins=lambda _site: 0.0,
    )


def _site(at: float, targets: Targets) -> Event:
    """One site loses its resolver."""
    return Event(
        name="site outage",
        at=at,
        targets=tuple(name for name, _, _ in targets),
        reason="dns_resolver_unreachable",
        phase=Phase.DNS,
        blame=Blame.DNS_RESOLVER,
        begins=lambda site: 0.0 if site == LONELY else None,
    )


def _rollout(at: float, targets: Targets) -> Event:
    """A rule closes one name, site by site."""

    def begins(site: int) -> float:
        return (site - ROLLED_OUT) * (PAUSE_BEFORE if site < ROLLED_OUT else PAUSE)

    return Event(
        name="rollout",
        at=at,
        targets=_of_host(targets),
        reason="tls_sni_reset",
        phase=Phase.TLS,
        blame=Blame.FIREWALL_L7,
        begins=begins,
    )


def _of_host(targets: Targets) -> tuple[str, ...]:
    """Return the targets of the host that most of them are of."""
    places = [(host, port) for _, host, port in targets if port == 443]
    busiest = max(places, key=places.count)
    return tuple(name for name, host, port in targets if (host, port) == busiest)


EVENTS: Mapping[str, Callable[[float, Targets], Event] | None] = {
    "normal hour": None,
    "service outage": _service,
    "site outage": _site,
    "rollout": _rollout,
}
"""What may happen, by name."""
