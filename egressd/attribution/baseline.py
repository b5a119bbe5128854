"""Extract a baseline from a judged sweep, for a later sweep to be compared with."""

from __future__ import annotations

from collections.abc import Iterable

from egressd.attribution.advice.ask import ABOUT_INSPECTION
from egressd.attribution.facts.baseline_entries import addresses_of_host
from egressd.attribution.facts.stats import answered_tls, observations
from egressd.model.endpoint import SampleKind
from egressd.model.observation import TlsObservation
from egressd.model.plan import Target
from egressd.model.recording import Baseline, BaselineEntry, Trail
from egressd.model.verdict import SourceVerdict, Sweep


def baseline_of(sweep: Sweep) -> Baseline:
    """Return the entries of a judged sweep, in its order."""
    recording = sweep.recording
    inspected = {
        one.source
        for judged in sweep.verdicts
        for one in judged.by_source
        if (one.verdict.reason or "").startswith(ABOUT_INSPECTION)
    }
    targets = {one.id: one for one in recording.plan.targets}
    trails = _trails(sweep)
    return Baseline(
        run=recording.id,
        started=recording.started,
        marks=tuple(
            _entry(
                targets[judged.target],
                one,
                trails.get((judged.target, one.source), ()),
                inspected=one.source in inspected,
            )
            for judged in sweep.verdicts
            for one in judged.by_source
        ),
        findings=tuple((one.id, one.title) for one in sweep.findings),
        host=recording.vantage.host,
        site=recording.vantage.site,
        addresses=addresses_of_host(recording),
    )


def _trails(sweep: Sweep) -> dict[tuple[str, str], tuple[Trail, ...]]:
    left = {one.probe: one.trails for one in sweep.recording.records}
    found: dict[tuple[str, str], tuple[Trail, ...]] = {}
    for probe in (one for one in sweep.recording.plan.probes if not one.contrast):
        for target in probe.targets:
            key = (target, probe.source)
            found[key] = (*found.get(key, ()), *left.get(probe.id, ()))
    return found


def _entry(
    target: Target, judged: SourceVerdict, trails: Iterable[Trail], *, inspected: bool
) -> BaselineEntry:
    """Return the entry of a target from a source; with `inspected` a device on the way may answer for it."""
    tls = _handshake(trails)
    return BaselineEntry(
        target=target.id,
        source=judged.source,
        outcome=judged.verdict.outcome.value,
        reason=judged.verdict.reason,
        random=target.sample is SampleKind.RANDOM,
        answered=_answered(tls, inspected=inspected) if tls is not None else None,
        ending=ending_of(tls) if tls is not None else "",
        alpn=tls.alpn if tls is not None else None,
        version=tls.version if tls is not None else None,
        public=tls.facts.publicly_anchored if tls is not None and tls.facts is not None else None,
    )


def _answered(tls: TlsObservation, *, inspected: bool) -> bool | None:
    """Return whether the far end answered; None where it may have been a device on the way."""
    if not answered_tls(tls):
        return False
    if tls.facts is not None:
        return True if tls.facts.publicly_anchored else None
    return None if inspected else True


def _handshake(trails: Iterable[Trail]) -> TlsObservation | None:
    """Return the handshake that got furthest."""
    seen = [one for _, one in observations(trails, TlsObservation)]
    return min(seen, key=lambda one: (one.failure is not None, not answered_tls(one)), default=None)


def ending_of(tls: TlsObservation) -> str:
    """Return how a handshake failed, as a text to compare with another one's; empty: it did not fail."""
    if tls.failure is None:
        return ""
    return f"alert {tls.alert.description}" if tls.alert is not None else tls.failure.value
