"""What a reader wants first: causes, each with the targets it takes down.

Findings first; what no finding covers is put together by reason, device and phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from egressd.attribution.reasons import REASONS
from egressd.model.endpoint import Need
from egressd.model.observation import Phase
from egressd.model.plan import Target
from egressd.model.verdict import Blame, Confidence, Finding, Outcome, Sweep, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause, and whom it concerns."""

    title: str
    reason: str
    outcome: Outcome
    """The worst of its targets."""
    phase: Phase | None
    blame: Blame | None
    confidence: Confidence
    targets: tuple[Target, ...]
    evidence: tuple[str, ...]
    """What to show, the most telling first."""
    advice: str

    @property
    def required(self) -> int:
        """How many of its targets are required."""
        return sum(one.need is Need.REQUIRED for one in self.targets)


def causes_of(sweep: Sweep) -> tuple[Cause, ...]:
    """Return every cause, the worst first; of equals the one with more required targets."""
    verdicts = {one.target: one.verdict for one in sweep.verdicts}
    targets = {one.id: one for one in sweep.recording.plan.targets}
    explained = {name for finding in sweep.findings for name in finding.targets}
    found = [_of_finding(one, verdicts, targets) for one in sweep.findings]
    alone = [
        (targets[name], one)
        for name, one in verdicts.items()
        if one.outcome is not Outcome.OK and name not in explained
    ]
    found += _of_verdicts(alone)
    return tuple(sorted(found, key=_rank))


def _rank(cause: Cause) -> tuple[bool, bool, int, int]:
    fails = cause.outcome in (Outcome.BLOCKED, Outcome.DOWN)
    return (not fails, not cause.required, -cause.outcome.severity, -len(cause.targets))


def _of_finding(finding: Finding, verdicts: dict[str, Verdict], targets: dict[str, Target]) -> Cause:
    members = [name for name in finding.targets if name in verdicts]
    worst = max((verdicts[name] for name in members), key=_severity, default=_without_targets(finding))
    return Cause(
        title=finding.title,
        reason=finding.reason,
        outcome=worst.outcome,
        phase=worst.phase,
        blame=finding.blame,
        confidence=finding.confidence,
        targets=tuple(targets[name] for name in members),
        evidence=finding.evidence,
        advice=finding.advice,
    )


def _without_targets(finding: Finding) -> Verdict:
    """Return what a fact about the path amounts to: it takes no target down by itself."""
    reason = REASONS.get(finding.reason)
    harmless = reason is None or reason.informational
    return Verdict(outcome=Outcome.OK if harmless else Outcome.DEGRADED)


def _severity(verdict: Verdict) -> int:
    return verdict.outcome.severity


def _of_verdicts(alone: Iterable[tuple[Target, Verdict]]) -> Iterator[Cause]:
    """Put together what has the same outcome, reason, blame and phase."""
    groups: dict[tuple[object, ...], list[tuple[Target, Verdict]]] = {}
    for target, verdict in alone:
        key = (verdict.outcome, verdict.reason, verdict.blame, verdict.phase)
        groups.setdefault(key, []).append((target, verdict))
    for members in groups.values():
        # The surest speaks for all: its evidence is the best one.
        surest = min(
            (verdict for _, verdict in members), key=lambda one: list(Confidence).index(one.confidence)
        )
        reason = surest.reason or "unknown"
        yield Cause(
            title=REASONS[reason].title if reason in REASONS else reason,
            reason=reason,
            outcome=surest.outcome,
            phase=surest.phase,
            blame=surest.blame,
            confidence=surest.confidence,
            targets=tuple(target for target, _ in members),
            evidence=surest.evidence,
            advice=surest.advice,
        )
