"""The connection that a verdict is based on, to find its entry in a firewall's log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from egressd.model.observation import DnsObservation, NtpObservation, Phase, TcpObservation, TlsObservation
from egressd.model.recording import Trail
from egressd.model.verdict import SourceVerdict, Sweep, Verdict

T = TypeVar("T")
Trails = dict[tuple[str, str, str], tuple[Trail, ...]]
"""By target, source and path."""


class Connection(Struct, frozen=True, kw_only=True):
    """One connection with the fields of a log entry; empty or None where there was none."""

    time: str = ""
    """When it began, RFC 3339 in UTC."""
    transport: str = ""
    """`TCP`, `UDP`, or `DNS` for a query to a resolver."""
    local_address: str = ""
    local_port: int | None = None
    remote_address: str = ""
    """For a DNS query the resolver, as `address:port` or `system`."""
    remote_port: int | None = None
    sni: str = ""
    bytes_sent: int | None = None
    """In the TLS handshake."""
    bytes_received: int | None = None
    latency: tuple[tuple[Phase, float], ...] = ()
    """Milliseconds of each phase, in order; the last is that of the failure, if there was one."""

    @property
    def latency_text(self) -> str:
        """Milliseconds by phase in words: `dns 2 ms, tcp 12 ms`."""
        return ", ".join(f"{phase} {spent:.0f} ms" for phase, spent in self.latency)


NO_CONNECTION = Connection()


def trails_of(sweep: Sweep) -> Trails:
    """Collect the trails of every target, source and path."""
    left = {one.probe: one.trails for one in sweep.recording.records}
    found: Trails = {}
    for probe in sweep.recording.plan.probes:
        for target in probe.targets:
            key = (target, probe.source, sweep.recording.plan.path_of(probe))
            found[key] = (*found.get(key, ()), *left.get(probe.id, ()))
    return found


def connection_of(target: str, judged: SourceVerdict, trails: Trails) -> Connection:
    """Return the connection that decided the verdict of a target from a source along a path."""
    trail = deciding_trail(target, judged, trails)
    return _connection(trail) if trail is not None else NO_CONNECTION


def deciding_trail(target: str, judged: SourceVerdict, trails: Trails) -> Trail | None:
    """Return the trail that decided it; None: it was not probed."""
    own = trails.get((target, judged.source, judged.path), ())
    return max(own, key=lambda one: _weight(judged.verdict, one), default=None)


def latency_of(trail: Trail) -> tuple[tuple[Phase, float], ...]:
    """Return the milliseconds that each phase of a trail took, in order."""
    spent: dict[Phase, float] = {}
    for one in trail.observations:
        spent[one.phase] = spent.get(one.phase, 0.0) + one.elapsed_ms
    return tuple(spent.items())


def milliseconds(target: str, judged: SourceVerdict, trails: Trails) -> float:
    """Return the duration of a target's longest trail, from a source along a path."""
    own = trails.get((target, judged.source, judged.path), ())
    return max((sum(one.elapsed_ms for one in trail.observations) for trail in own), default=0.0)


def _weight(verdict: Verdict, trail: Trail) -> tuple[bool, bool]:
    """Rank highest the failed trail that ended in the verdict's phase; for a good verdict, a complete one."""
    last = trail.last
    if last is None:
        return False, False
    if verdict.phase is None:
        return last.failure is None and last.phase is not Phase.DNS, False
    return last.phase is verdict.phase, last.failure is not None


def _connection(trail: Trail) -> Connection:
    dial = _first(trail.observations, TcpObservation) or _first(trail.observations, NtpObservation)
    if dial is None:
        return _query(trail)
    hello = _first(trail.observations, TlsObservation)
    return Connection(
        time=dial.started,
        transport="TCP" if isinstance(dial, TcpObservation) else "UDP",
        local_address=dial.local_address or "",
        local_port=dial.local_port,
        remote_address=dial.remote_address,
        remote_port=dial.remote_port,
        sni=hello.sni if hello else "",
        bytes_sent=hello.bytes_sent if hello else None,
        bytes_received=hello.bytes_received if hello else None,
        latency=latency_of(trail),
    )


def _query(trail: Trail) -> Connection:
    """Return the query to a resolver that a trail ended with."""
    query = _first(trail.observations, DnsObservation)
    if query is None:
        return NO_CONNECTION
    return Connection(
        time=query.started, transport="DNS", remote_address=query.resolver, latency=latency_of(trail)
    )


def _first(observations: Iterable[object], kind: type[T]) -> T | None:
    return next((one for one in observations if isinstance(one, kind)), None)
