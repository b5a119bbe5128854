"""The latest result of each target and source, in numbers: for metrics and alerting rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial

from msgspec import Struct

from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.observation import (
    DnsObservation,
    HttpObservation,
    Observation,
    ProxyObservation,
    TcpObservation,
    TlsObservation,
)
from egressd.model.recording import Recording, Trail
from egressd.model.verdict import Sweep, Verdict

INTERCEPTED = "tls_mitm_"
"""Prefix of the reason codes of TLS inspection."""
_DEPTHS = {DnsObservation: 1, TcpObservation: 2, ProxyObservation: 3, TlsObservation: 4, HttpObservation: 5}


class TargetResult(Struct, frozen=True, kw_only=True):
    """The verdict of one target and source, and what was measured."""

    target: str
    source: str
    verdict: Verdict
    durations: Mapping[str, float]
    """Seconds by phase, of the trail that got furthest."""
    chain_expiry: float | None
    """Unix time at which the path of the chain ends; None: there is none, or an end can't be read."""
    expires_first: str | None
    """The name of the certificate that ends it."""
    intercepted: bool | None
    """None: no certificate was seen."""
    throughput: float | None
    """Bytes per second."""


class _LastResults(Struct):
    """The results that were made last. One reference is replaced, so that threads may ask at once."""

    made: tuple[Sweep, tuple[TargetResult, ...]] | None = None


_LAST = _LastResults()


def results_of(sweep: Sweep, *, on_bug: OnBug = raise_bug) -> tuple[TargetResult, ...]:
    """Return the results in the order of the plan's targets.

    Alerts, metrics and pages ask for those of the same sweep again and again: they are made once. `on_bug` is
    called with what keeps a result from being measured: it has its verdict only.
    """
    last = _LAST.made
    if last is None or last[0] is not sweep:
        last = _LAST.made = (sweep, tuple(_results(sweep, on_bug)))
    return last[1]


def _results(sweep: Sweep, on_bug: OnBug) -> Iterator[TargetResult]:
    trails = _trails(sweep.recording)
    for judged in sweep.verdicts:
        for one in judged.by_source:
            seen = trails.get((judged.target, one.source), ())
            yield isolate(
                Part.JUDGEMENT,
                on_bug,
                partial(_result, judged.target, one.source, one.verdict, seen),
                partial(_unmeasured, judged.target, one.source, one.verdict),
            )


def _unmeasured(target: str, source: str, verdict: Verdict, _why: str) -> TargetResult:
    return TargetResult(
        target=target,
        source=source,
        verdict=verdict,
        durations={},
        chain_expiry=None,
        expires_first=None,
        intercepted=None,
        throughput=None,
    )


def _trails(recording: Recording) -> dict[tuple[str, str], tuple[Trail, ...]]:
    """Return the trails by target and source."""
    records = {one.probe: one.trails for one in recording.records}
    found: dict[tuple[str, str], tuple[Trail, ...]] = {}
    for probe in recording.plan.probes:
        if probe.contrast:  # probed another way, for comparison
            continue
        for target in probe.targets:
            key = (target, probe.source)
            found[key] = found.get(key, ()) + records.get(probe.id, ())
    return found


def _result(target: str, source: str, verdict: Verdict, trails: tuple[Trail, ...]) -> TargetResult:
    seen = [one for trail in trails for one in trail.observations]
    handshakes = [one for trail in trails for one in trail.handshakes]
    expiry, certificate = min(_expiries(handshakes), default=(None, None))
    return TargetResult(
        target=target,
        source=source,
        verdict=verdict,
        durations=_durations(trails),
        chain_expiry=expiry,
        expires_first=certificate,
        intercepted=_intercepted(verdict) if any(one.chain for one in handshakes) else None,
        throughput=max(_throughputs(seen), default=None),
    )


def _durations(trails: Iterable[Trail]) -> dict[str, float]:
    best = max(trails, key=_reach, default=None)
    if best is None:
        return {}
    return {one.phase.value: round(one.elapsed_ms / 1000, 6) for one in best.observations}


def _reach(trail: Trail) -> tuple[bool, int]:
    """Order trails by how far they got; a successful one is the furthest."""
    last = trail.last
    return last is not None and last.failure is None, _DEPTHS.get(type(last), 0) if last else 0


def _expiries(handshakes: Iterable[TlsObservation]) -> Iterator[tuple[float, str]]:
    """Yield when a path ends, and the name of the certificate that ends it."""
    for one in handshakes:
        first = one.first_to_end
        if first is not None and first.not_after is not None:
            yield unix(first.not_after), first.subject or "without a name"


def _throughputs(seen: Iterable[Observation]) -> Iterator[float]:
    for one in seen:
        if isinstance(one, HttpObservation) and one.throughput is not None:
            yield one.throughput


def _intercepted(verdict: Verdict) -> bool:
    return any(code.startswith(INTERCEPTED) for code in (verdict.reason or "", *verdict.also))


def unix(timestamp: str) -> float:
    """Return the Unix time of an RFC 3339 timestamp."""
    return datetime.fromisoformat(timestamp).timestamp()
