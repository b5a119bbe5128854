"""Judged sweeps made from words such as `ok` and `blocked:tls_reset`."""

from __future__ import annotations

from collections.abc import Mapping

from egressd.model.observation import Phase
from egressd.model.plan import Plan
from egressd.model.recording import Recording, Vantage
from egressd.model.settings import Limits, Source, Trust
from egressd.model.verdict import (
    Blame,
    Confidence,
    Finding,
    Outcome,
    SourceVerdict,
    Sweep,
    TargetVerdict,
    Verdict,
)

PLAN = Plan(
    region=None,
    cloud="public",
    catalog_revision="",
    catalog_digest="",
    config_digest="",
    targets=(),
    probes=(),
    controls=(),
    sources=(Source(name="default"),),
    resolvers=(),
    trust=Trust(),
    limits=Limits(),
)
VANTAGE = Vantage(host="here", sources=(), resolvers=(), proxy=None, families=(), trust=())


def recording(number: int | str, *, plan: Plan = PLAN) -> Recording:
    """Return an empty recording."""
    return Recording(
        id=f"r{number}",
        started="2026-11-20T03:10:00.000Z",
        finished="2026-11-20T03:10:01.000Z",
        interrupted=False,
        plan=plan,
        vantage=VANTAGE,
        records=(),
    )


def verdict(word: str) -> Verdict:
    """Return a verdict: `ok`, or an outcome and a reason as `blocked:tls_reset`."""
    outcome, _, reason = word.partition(":")
    if outcome == "ok":
        return Verdict(outcome=Outcome.OK)
    return Verdict(
        outcome=Outcome(outcome),
        phase=Phase.TLS,
        reason=reason or "tls_reset",
        confidence=Confidence.HIGH,
        blame=Blame.FIREWALL_L7,
        evidence=(f"evidence of {word}",),
        advice="Allow it.",
    )


def sweep(
    number: int | str, words: Mapping[str, str], *, findings: Mapping[str, tuple[str, ...]] | None = None
) -> Sweep:
    """Return a sweep in which `target@source` (or `target`) ended as the word says."""
    rows: dict[str, list[SourceVerdict]] = {}
    for key, word in words.items():
        target, _, source = key.partition("@")
        rows.setdefault(target, []).append(SourceVerdict(source=source or "default", verdict=verdict(word)))
    return Sweep(
        recording=recording(number),
        verdicts=tuple(
            TargetVerdict(
                target=target,
                verdict=max(own, key=lambda one: one.verdict.outcome.severity).verdict,
                by_source=tuple(own),
            )
            for target, own in rows.items()
        ),
        findings=tuple(finding(name, targets) for name, targets in (findings or {}).items()),
    )


def finding(name: str, targets: tuple[str, ...]) -> Finding:
    """Return a finding."""
    return Finding(
        id=name,
        reason="tls_mitm_detected",
        blame=Blame.TLS_INSPECTION,
        confidence=Confidence.HIGH,
        title=f"title of {name}",
        targets=targets,
        evidence=("line",),
        advice="Stop it.",
    )


def at(number: int) -> str:
    """Return the time of a sweep."""
    return f"2026-11-20T03:{number // 60:02d}:{number % 60:02d}.000Z"
