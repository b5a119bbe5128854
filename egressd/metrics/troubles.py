"""What is wrong now, one entry per cause: a confirmed finding, or a target that no finding explains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from egressd.attribution.reasons import find_reason
from egressd.model.endpoint import Need
from egressd.model.observation import Phase, Timestamp
from egressd.model.plan import Target
from egressd.model.snapshot import Snapshot
from egressd.model.standing import FindingStanding, Lifecycle, Standing, Standings
from egressd.model.verdict import Blame, Confidence, Outcome


class Severity(StrEnum):
    """How urgent it is, by who needs the target."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


_BY_NEED = {
    Need.REQUIRED: Severity.CRITICAL,
    Need.CONDITIONAL: Severity.WARNING,
    Need.OPTIONAL: Severity.INFO,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One cause that is confirmed and still holds."""

    kind: Literal["finding", "target"]
    id: str
    """The finding's, or the target's."""
    severity: Severity
    title: str
    outcome: Outcome
    phase: Phase | None
    reason: str
    blame: Blame | None
    confidence: Confidence
    since: Timestamp
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    """Where a target fails from; of a finding, where any of its targets does."""
    evidence: tuple[str, ...]
    advice: str


def troubles_of(snapshot: Snapshot) -> tuple[Trouble, ...]:
    """Return them, the most urgent first, then the oldest."""
    if snapshot.sweep is None:
        return ()
    standings = snapshot.standings
    targets = {one.id: one for one in snapshot.sweep.recording.plan.targets}
    failing = _failing(standings.targets, targets)
    findings = open_findings(standings)
    explained = {name for one in findings for name in one.targets}
    found = [_of_finding(one, failing, targets) for one in findings]
    found += [_of_target(targets[name], some) for name, some in failing.items() if name not in explained]
    order = list(Severity)
    return tuple(sorted(found, key=lambda one: (order.index(one.severity), one.since, one.id)))


def open_findings(standings: Standings) -> tuple[FindingStanding, ...]:
    """Return the findings that are confirmed."""
    return tuple(one for one in standings.findings if one.opened)


def _failing(standings: Iterable[Standing], known: Mapping[str, Target]) -> dict[str, list[Standing]]:
    """Return what is believed unreachable, by target."""
    found: dict[str, list[Standing]] = {}
    for one in standings:
        if one.state in (Lifecycle.FAILING, Lifecycle.RECOVERING) and one.target in known:
            found.setdefault(one.target, []).append(one)
    return found


def _of_target(target: Target, some: list[Standing]) -> Trouble:
    worst = max(some, key=lambda one: one.belief.outcome.severity)
    belief = worst.belief
    reason = belief.reason or "unknown"
    known = find_reason(reason)
    return Trouble(
        kind="target",
        id=target.id,
        severity=_BY_NEED[target.need],
        title=known.title if known else reason,
        outcome=belief.outcome,
        phase=belief.phase,
        reason=reason,
        blame=belief.blame,
        confidence=belief.confidence,
        since=min(one.since for one in some),
        targets=(target.id,),
        sources=tuple(sorted(one.source for one in some)),
        evidence=belief.evidence,
        advice=belief.advice,
    )


def _of_finding(
    finding: FindingStanding, failing: Mapping[str, list[Standing]], targets: Mapping[str, Target]
) -> Trouble:
    touched = [one for name in finding.targets for one in failing.get(name, ())]
    outcomes = [one.belief.outcome for one in touched]
    return Trouble(
        kind="finding",
        id=finding.id,
        severity=min(_urgency(finding, failing, targets), key=list(Severity).index),
        title=finding.title,
        outcome=max(outcomes, key=lambda one: one.severity, default=Outcome.DEGRADED),
        phase=touched[0].belief.phase if touched else None,
        reason=finding.reason,
        blame=finding.blame,
        confidence=finding.confidence,
        since=finding.since,
        targets=finding.targets,
        sources=tuple(sorted({one.source for one in touched})),
        evidence=finding.evidence,
        advice=finding.advice,
    )


def _urgency(
    finding: FindingStanding, failing: Mapping[str, list[Standing]], targets: Mapping[str, Target]
) -> Iterator[Severity]:
    """Yield how urgent each failing target makes a finding.

    One that breaks nothing is a warning where it touches what is required, or the whole path.
    """
    for name in finding.targets:
        if name in failing:
            yield _BY_NEED[targets[name].need]
    needed = any(name in targets and targets[name].need is Need.REQUIRED for name in finding.targets)
    yield Severity.WARNING if needed or not finding.targets else Severity.INFO
