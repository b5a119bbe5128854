"""Sweeps built from rows with defaults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from egressd.model.endpoint import Need, Protocol, SampleKind
from egressd.model.observation import Failure, Phase, TcpObservation
from egressd.model.plan import Plan, Probe, Target, Unsampled
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage, VantageSource
from egressd.model.settings import Family, Limits, Proxy, Resolver, Source, Trust
from egressd.model.verdict import (
    Blame,
    Confidence,
    Finding,
    Outcome,
    RuledOut,
    SourceVerdict,
    Suspect,
    Sweep,
    TargetVerdict,
    Verdict,
)

NOW = "2026-11-20T03:10:04.120Z"
LOCAL = "10.0.0.5:40000"
LATER = "2026-11-20T03:10:16.420Z"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A target and how it ended."""

    host: str = "mcr.microsoft.com"
    outcome: Outcome = Outcome.OK
    reason: str = "tcp_ip_blocked_silent"
    need: Need = Need.REQUIRED
    profiles: tuple[str, ...] = ("resource-bridge",)
    confidence: Confidence = Confidence.HIGH
    evidence: tuple[str, ...] = ("10.0.0.5:40000 -> 203.0.113.9:443: nothing after 8 s",)
    advice: str = "Allow tcp/443."
    sure_of_blame: Confidence | None = Confidence.HIGH

    def verdict(self) -> Verdict:
        if self.outcome is Outcome.OK:
            return Verdict(outcome=Outcome.OK)
        return Verdict(
            outcome=self.outcome,
            phase=Phase.TCP,
            reason=self.reason,
            confidence=self.confidence,
            blame=Blame.FIREWALL_L3L4,
            blame_confidence=self.sure_of_blame,
            suspects=(
                Suspect(blame=Blame.FIREWALL_L3L4, decided_by=f"the log for {LOCAL}"),
                Suspect(blame=Blame.AZURE_SERVICE, decided_by="another network"),
            ),
            ruled_out=(RuledOut(blame=Blame.UPSTREAM_PATH, by="other sites are reached"),),
            evidence=self.evidence,
            advice=self.advice,
        )


def trail(*, failed: bool = False) -> Trail:
    dial = TcpObservation(
        started=NOW,
        elapsed_ms=12.5,
        remote_address="203.0.113.9",
        remote_port=443,
        local_address="10.0.0.5",
        local_port=40000,
        failure=Failure.TIMEOUT if failed else None,
    )
    return Trail(
        source="default", family=Family.IPV4, address="203.0.113.9", path="direct", observations=(dial,)
    )


def target(number: int, row: Row) -> Target:
    return Target(
        id=f"row-{number}/{row.host}:443",
        endpoint=f"row-{number}",
        profiles=row.profiles,
        service="A service",
        pattern=row.host,
        sample=SampleKind.EXACT,
        host=row.host,
        port=443,
        protocol=Protocol.HTTPS,
        need=row.need,
    )


def make_plan(
    targets: tuple[Target, ...], *, proxy: Proxy | None = None, unsampled: tuple[Unsampled, ...] = ()
) -> Plan:
    probes = tuple(
        Probe(
            id=f"p{number}",
            host=one.host,
            port=443,
            protocol=Protocol.HTTPS,
            source="default",
            targets=(one.id,),
        )
        for number, one in enumerate(targets)
    )
    return Plan(
        region="westeurope",
        cloud="public",
        catalog_revision="2026-11-20",
        catalog_digest="c" * 64,
        config_digest="d" * 64,
        targets=targets,
        probes=probes,
        controls=(),
        sources=(Source(name="default"),),
        resolvers=(Resolver(name="system"),),
        trust=Trust(),
        limits=Limits(),
        proxy=proxy,
        unsampled=unsampled,
    )


def make_sweep(
    *rows: Row,
    findings: tuple[Finding, ...] = (),
    interrupted: bool = False,
    proxy: Proxy | None = None,
    unsampled: tuple[Unsampled, ...] = (),
) -> Sweep:
    targets = tuple(target(number, row) for number, row in enumerate(rows))
    recording = Recording(
        id="20261120T031004Z-1",
        started=NOW,
        finished=LATER,
        interrupted=interrupted,
        plan=make_plan(targets, proxy=proxy, unsampled=unsampled),
        vantage=Vantage(
            host="arc-01",
            sources=(VantageSource(name="default", address=None, interface=None, roles=()),),
            resolvers=("10.0.0.53:53",),
            proxy=None,
            families=(Family.IPV4,),
            trust=(("store", "system"), ("openssl", "OpenSSL 3.0")),
        ),
        records=tuple(
            ProbeRecord(probe=f"p{number}", trails=(trail(failed=not row.outcome.reachable),))
            for number, row in enumerate(rows)
        ),
    )
    verdicts = tuple(
        TargetVerdict(
            target=one.id,
            verdict=row.verdict(),
            by_source=(SourceVerdict(source="default", verdict=row.verdict()),),
        )
        for one, row in zip(targets, rows, strict=True)
    )
    return Sweep(recording=recording, verdicts=verdicts, findings=findings)


@pytest.fixture
def row() -> type[Row]:
    return Row


@pytest.fixture
def sweep_of() -> Callable[..., Sweep]:
    return make_sweep
