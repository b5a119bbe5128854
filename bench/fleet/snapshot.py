"""A site as egressd holds it: the real plan of a catalog, its results, and what fails there since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from msgspec.structs import replace

from egressd import wording
from egressd.alerting import advance_alerts
from egressd.catalog import load_catalog
from egressd.config import Flags, load_settings
from egressd.model.endpoint import Protocol
from egressd.model.observation import DnsObservation, Observation, Phase
from egressd.model.plan import Plan, Target
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage
from egressd.model.settings import Family, Settings
from egressd.model.snapshot import BUCKETS, ConfigStatus, Counters, Histogram, Snapshot
from egressd.model.standing import Belief, FindingStanding, Lifecycle, Standing, Standings
from egressd.model.verdict import Blame, Confidence, Outcome, SourceVerdict, Sweep, TargetVerdict, Verdict
from egressd.planning import make_plan
from tests.metrics.snapshots import Row

PROFILES = ("resource-bridge", "connected-machine", "scvmm", "machine-configuration", "defender")
"""What a site with a private cloud runs: more than 150 targets."""
REGION = "westeurope"
SITE = "@site@"
"""Stands for the site's name until a page is served."""
OUTAGE = 20
"""Failing targets of one reason from which egressd finds one cause over them."""
_OK = Verdict(outcome=Outcome.OK)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What fails at a target."""

    reason: str
    phase: Phase
    blame: Blame
    since: float
    """Unix seconds."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of a site by itself: what is sure is what failed, not who did it."""
        return Verdict(
            outcome=Outcome.BLOCKED if self.blame is not Blame.AZURE_SERVICE else Outcome.DOWN,
            phase=self.phase,
            reason=self.reason,
            confidence=Confidence.HIGH,
            blame=self.blame,
            blame_confidence=Confidence.LOW,
            evidence=("10.0.0.5:40000 -> 203.0.113.9:443",),
            advice="Allow the name.",
        )


Faults = Mapping[str, Fault]
"""What fails at a site, by the id of the target; what is not in it works."""


@cache
def site_plan(targets: int, sources: int = 1) -> Plan:
    """Return the catalog's plan of a site, of so many targets and sources; as many as there are, at most."""
    flags = Flags(
        region=REGION,
        profiles=PROFILES,
        sources=tuple(f"appliance-{number}=10.0.0.{number}" for number in range(1, sources + 1)),
    )
    whole = make_plan(load_catalog(), load_settings(None, flags), label="egressd-probe-0badcafe")
    chosen = whole.targets[:targets]
    ids = {one.id for one in chosen}
    probes = [
        replace(one, targets=tuple(each for each in one.targets if each in ids)) for one in whole.probes
    ]
    return replace(whole, targets=chosen, probes=tuple(one for one in probes if one.targets), controls=())


def site_snapshot(plan: Plan, faults: Faults, *, now: float) -> Snapshot:
    """Return what a site's daemon holds at a time in Unix seconds, after a thousand sweeps."""
    sweep = _sweep(plan, faults, now=now)
    made = Snapshot(
        settings=Settings(site=SITE, interval=60.0),
        config=ConfigStatus(digest=plan.config_digest, since=stamp(now - 86_400)),
        started=stamp(now - 60_000),
        plan=plan,
        sweep=sweep,
        standings=Standings(
            targets=tuple(_standings(sweep, faults, now=now)), findings=tuple(_findings(plan, faults))
        ),
        counters=_counters(sweep, now=now),
    )
    alerts, _ = advance_alerts(made, (), now=datetime.fromtimestamp(now, UTC))
    return replace(made, alerts=alerts)


def stamp(seconds: float) -> str:
    """Return Unix seconds as egressd writes a moment."""
    return wording.stamp(datetime.fromtimestamp(seconds, UTC))


def _sweep(plan: Plan, faults: Faults, *, now: float) -> Sweep:
    by_id = {one.id: one for one in plan.targets}
    vantage = Vantage(
        host=SITE,
        site=SITE,
        sources=(),
        resolvers=(),
        proxy=None,
        families=(Family.IPV4,),
        trust=(),
        clock_offset_seconds=0.25,
    )
    recording = Recording(
        id="bench",
        started=stamp(now - 10),
        finished=stamp(now),
        interrupted=False,
        plan=plan,
        vantage=vantage,
        records=tuple(
            ProbeRecord(probe=one.id, trails=(_trail(by_id[one.targets[0]], faults, one.source),))
            for one in plan.probes
        ),
    )
    verdicts = tuple(_judged(one, plan, faults) for one in plan.targets)
    return Sweep(recording=recording, verdicts=verdicts, findings=())


def _judged(target: Target, plan: Plan, faults: Faults) -> TargetVerdict:
    fault = faults.get(target.id)
    verdict = _OK if fault is None else fault.verdict
    sources = dict.fromkeys(one.source for one in plan.probes if target.id in one.targets)
    return TargetVerdict(
        target=target.id,
        verdict=verdict,
        by_source=tuple(SourceVerdict(source=name, verdict=verdict) for name in sources),
    )


def _trail(target: Target, faults: Faults, source: str) -> Trail:
    """Make the observations of a probe: every phase up to the one that failed."""
    trail = Row(host=target.host, expiry="2027-12-01T00:00:00.000Z").trail(source)
    looked_up = DnsObservation(
        started=stamp(0), elapsed_ms=3.2, name=target.host, type="A", resolver="system", queries=()
    )
    seen: tuple[Observation, ...] = (looked_up, *trail.observations)
    if target.protocol is Protocol.HTTP:
        seen = tuple(one for one in seen if one.phase is not Phase.TLS)
    fault = faults.get(target.id)
    if fault is not None:
        order = [one.phase for one in seen]
        seen = seen[: order.index(fault.phase) + 1] if fault.phase in order else seen[:1]
    return replace(trail, observations=seen)


def _standings(sweep: Sweep, faults: Faults, *, now: float) -> Iterator[Standing]:
    for judged in sweep.verdicts:
        fault = faults.get(judged.target)
        since = fault.since if fault else now - 60_000
        for one in judged.by_source:
            verdict = one.verdict
            yield Standing(
                target=judged.target,
                source=one.source,
                state=Lifecycle.FAILING if fault else Lifecycle.OK,
                belief=Belief(
                    outcome=verdict.outcome,
                    phase=verdict.phase,
                    reason=verdict.reason,
                    blame=verdict.blame,
                    confidence=verdict.confidence,
                    blame_confidence=verdict.blame_confidence,
                ),
                since=stamp(since),
                last_changed=stamp(since),
                last_success=stamp(since - 60 if fault else now),
                failing_since=stamp(since) if fault else None,
            )


def _findings(plan: Plan, faults: Faults) -> Iterator[FindingStanding]:
    """Yield the cause that egressd finds where many targets fail alike."""
    reasons = dict.fromkeys(one.reason for one in faults.values())
    for reason in reasons:
        alike = {name: one for name, one in faults.items() if one.reason == reason}
        if len(alike) >= min(OUTAGE, len(plan.targets)):
            first = next(iter(alike.values()))
            yield FindingStanding(
                id=reason,
                reason=reason,
                blame=first.blame,
                blame_confidence=Confidence.MEDIUM,
                confidence=Confidence.HIGH,
                title="Nothing is reached",
                targets=tuple(alike),
                evidence=(f"{len(alike)} targets",),
                advice="Ask for it.",
                since=stamp(first.since),
                opened=True,
            )


def _counters(sweep: Sweep, *, now: float) -> Counters:
    probes = {(judged.target, one.source): 1000 for judged in sweep.verdicts for one in judged.by_source}
    histogram = Histogram(counts=tuple(range(100, 100 * (len(BUCKETS) + 2), 100)), seconds=1234.5)
    phases = (Phase.DNS, Phase.TCP, Phase.TLS, Phase.HTTP)
    return Counters(
        probes=probes,
        failures={
            (judged.target, one.source, one.verdict.reason or ""): 5
            for judged in sweep.verdicts
            for one in judged.by_source
            if not one.verdict.outcome.reachable
        },
        latency=dict.fromkeys(phases, histogram),
        sweeps=1000,
        sweep_seconds=11.5,
        completed=stamp(now),
        profiles=dict.fromkeys(PROFILES, stamp(now)),
    )
