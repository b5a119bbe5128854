"""Snapshots with any number of targets and sources, and their outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from egressd.alerting import advance_alerts
from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.observation import (
    Certificate,
    Failure,
    HttpObservation,
    Phase,
    TcpObservation,
    TlsObservation,
)
from egressd.model.plan import Plan, Probe, Target, Unsampled
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage
from egressd.model.settings import Family, Limits, Resolver, Settings, Source, Trust
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Belief, FindingStanding, Lifecycle, Standing, Standings
from egressd.model.verdict import (
    Blame,
    Confidence,
    Outcome,
    SourceVerdict,
    Sweep,
    TargetVerdict,
    Verdict,
)
from egressd.standing.onset import FAILURES

NOW = "2026-11-20T03:10:04.120Z"
EXPIRY = "2026-12-01T00:00:00.000Z"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A target and how it ended, from every source."""

    host: str = "mcr.microsoft.com"
    pattern: str = ""
    outcome: Outcome = Outcome.OK
    reason: str = "tls_reset_after_hello"
    need: Need = Need.REQUIRED
    profiles: tuple[str, ...] = ("resource-bridge",)
    throughput: float | None = None
    sample: SampleKind = SampleKind.EXACT
    expiry: str | None = EXPIRY
    """When the certificate ends; None: it can't be read."""

    @property
    def verdict(self) -> Verdict:
        if self.outcome is Outcome.OK:
            return Verdict(outcome=Outcome.OK)
        return Verdict(
            outcome=self.outcome,
            phase=Phase.TLS,
            reason=self.reason,
            blame=Blame.FIREWALL_L7,
            blame_confidence=Confidence.MEDIUM,
            evidence=("10.0.0.5:40000 -> 203.0.113.9:443: RST after 517 bytes",),
            advice="Allow the name.",
        )

    def target(self, number: int) -> Target:
        return Target(
            id=f"row-{number}/{self.host}:443",
            endpoint=f"row-{number}",
            profiles=self.profiles,
            service='A "service"\\ of two\nlines',
            pattern=self.pattern or self.host,
            sample=self.sample,
            host=self.host,
            port=443,
            protocol=Protocol.HTTPS,
            need=self.need,
        )

    def trail(self, source: str) -> Trail:
        certificate = Certificate(
            subject="CN=x",
            issuer="CN=y",
            san=(),
            serial="1",
            not_before=NOW,
            not_after=self.expiry,
            sha256="0" * 64,
            key="rsa2048",
            signature="sha256",
            self_signed=False,
        )
        failed = not self.outcome.reachable
        seen: tuple[TcpObservation | TlsObservation | HttpObservation, ...] = (
            TcpObservation(started=NOW, elapsed_ms=12.5, remote_address="203.0.113.9", remote_port=443),
            TlsObservation(
                started=NOW,
                elapsed_ms=30.0,
                sni=self.host,
                alpn_offered=(),
                hello_bytes=517,
                bytes_sent=517,
                bytes_received=0,
                records_sent=1,
                records_received=0,
                failure=Failure.RESET if failed else None,
                chain=() if failed else (certificate,),
            ),
        )
        if not failed:
            answer = HttpObservation(
                started=NOW,
                elapsed_ms=55.0,
                method="GET",
                host=self.host,
                url_path="/",
                version="1.1",
                status=200,
                throughput=self.throughput,
            )
            seen = (*seen, answer)
        return Trail(
            source=source, family=Family.IPV4, address="203.0.113.9", path="direct", observations=seen
        )


def make_sweep(*rows: Row, sources: int = 1, unsampled: tuple[Unsampled, ...] = ()) -> Sweep:
    names = tuple(f"source-{number}" for number in range(sources))
    targets = tuple(row.target(number) for number, row in enumerate(rows))
    pairs = [
        (
            Probe(
                id=f"{target.id}@{name}",
                host=target.host,
                port=443,
                protocol=Protocol.HTTPS,
                source=name,
                targets=(target.id,),
            ),
            row,
        )
        for target, row in zip(targets, rows, strict=True)
        for name in names
    ]
    plan = Plan(
        region="westeurope",
        cloud="public",
        catalog_revision="2026-11-20",
        catalog_digest="c" * 64,
        config_digest="d" * 64,
        targets=targets,
        probes=tuple(probe for probe, _ in pairs),
        controls=(),
        sources=tuple(Source(name=name) for name in names),
        resolvers=(Resolver(name="system"),),
        trust=Trust(),
        limits=Limits(),
        unsampled=unsampled,
    )
    vantage = Vantage(
        host="arc-01",
        sources=(),
        resolvers=(),
        proxy=None,
        families=(Family.IPV4,),
        trust=(),
        clock_offset_seconds=0.25,
    )
    recording = Recording(
        id="r1",
        started=NOW,
        finished=NOW,
        interrupted=False,
        plan=plan,
        vantage=vantage,
        records=tuple(ProbeRecord(probe=probe.id, trails=(row.trail(probe.source),)) for probe, row in pairs),
    )
    verdicts = tuple(
        TargetVerdict(
            target=target.id,
            verdict=row.verdict,
            by_source=tuple(SourceVerdict(source=name, verdict=row.verdict) for name in names),
        )
        for target, row in zip(targets, rows, strict=True)
    )
    return Sweep(recording=recording, verdicts=verdicts, findings=())


def believed(sweep: Sweep) -> tuple[Standing, ...]:
    return tuple(
        Standing(
            target=judged.target,
            source=one.source,
            state=Lifecycle.OK if one.verdict.outcome.reachable else Lifecycle.FAILING,
            belief=Belief(
                outcome=one.verdict.outcome,
                phase=one.verdict.phase,
                reason=one.verdict.reason,
                blame=one.verdict.blame,
                evidence=one.verdict.evidence,
                advice=one.verdict.advice,
            ),
            since=NOW,
            last_changed=NOW,
            last_success=NOW if one.verdict.outcome.reachable else None,
            failing_since=NOW if one.verdict.outcome in FAILURES else None,
        )
        for judged in sweep.verdicts
        for one in judged.by_source
    )


def finding(*targets: str, reason: str = "site_port80_blocked", opened: bool = True) -> FindingStanding:
    return FindingStanding(
        id=reason,
        reason=reason,
        blame=Blame.FIREWALL_L3L4,
        blame_confidence=Confidence.LOW,
        confidence=Confidence.HIGH,
        title="Port 80 is closed, 443 is open",
        targets=targets,
        evidence=("2 targets from source source-0",),
        advice="Allow tcp/80.",
        since=NOW,
        opened=opened,
    )


def make_snapshot(
    sweep: Sweep | None = None,
    *,
    findings: tuple[FindingStanding, ...] = (),
    counters: Counters | None = None,
    problems: tuple[str, ...] = (),
) -> Snapshot:
    made = Snapshot(
        settings=Settings(interval=60.0),
        config=ConfigStatus(digest="d", since=NOW, problems=problems),
        started=NOW,
        plan=sweep.recording.plan if sweep else None,
        sweep=sweep,
        standings=Standings(targets=believed(sweep) if sweep else (), findings=findings),
        counters=counters or Counters(),
    )
    alerts, _ = advance_alerts(made, (), now=datetime.fromisoformat(NOW))
    return replace(made, alerts=alerts)
