"""What a reader wants first: each problem once, with the targets it affects.

The findings of the sweep come first; targets that no finding explains are grouped by outcome, reason,
phase and suspects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.attribution.blame.claims import sureness, who_text
from egressd.attribution.reasons import REASONS
from egressd.model.endpoint import Need
from egressd.model.observation import Phase
from egressd.model.plan import Target
from egressd.model.verdict import (
    Blame,
    Confidence,
    Finding,
    Outcome,
    RuledOut,
    Suspect,
    Sweep,
    Verdict,
    spared_targets,
)
from egressd.wording import count

MOST_ASKS = 4
"""Different asks of one group that are written out."""
MOST_LINES = 8


class ReportedFinding(Struct, frozen=True, kw_only=True):
    """A finding of the sweep, or targets with the same verdict, as reports show it."""

    title: str
    reason: str
    outcome: Outcome
    """The worst of its targets."""
    phase: Phase | None
    blame: Blame | None
    confidence: Confidence
    """How sure it is what happened."""
    blame_confidence: Confidence | None = None
    """How sure it is who caused it."""
    suspects: tuple[Suspect, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    targets: tuple[Target, ...]
    evidence: tuple[str, ...]
    """The most telling line first."""
    advice: str
    finding: Finding | None = None
    """The finding of the sweep; None: targets that no finding explains."""
    spared: Mapping[str, str] = field(default_factory=dict)
    """Targets of it that need not work, each with the endpoint that works in its place."""

    @property
    def what(self) -> str:
        """What happened: reason, outcome, phase, and how sure that is."""
        where = f" in {self.phase}" if self.phase else ""
        return f"{self.reason}; {self.outcome}{where}; {sureness(self.confidence)}"

    @property
    def who(self) -> str:
        """Who caused it, how sure that is, and what would decide; empty: nobody is blamed."""
        return who_text(self.blame, self.blame_confidence, self.suspects) if self.blame else ""

    @property
    def required(self) -> int:
        """How many of its targets are required, and have no alternative that works."""
        return sum(one.need is Need.REQUIRED and one.id not in self.spared for one in self.targets)

    @property
    def not_needed(self) -> str:
        """Which endpoints work in the place of its targets; empty where some targets have no alternative."""
        if not self.targets or any(one.id not in self.spared for one in self.targets):
            return ""
        names = dict.fromkeys(self.spared[one.id] for one in self.targets)
        return (
            f"alternative {' and '.join(names)} works"
            if len(names) == 1
            else (f"alternatives {' and '.join(names)} work")
        )


def reported_findings(sweep: Sweep) -> tuple[ReportedFinding, ...]:
    """Return what reports show, the worst first; of equals the one with more required targets."""
    verdicts = {one.target: one.verdict for one in sweep.verdicts}
    targets = {one.id: one for one in sweep.recording.plan.targets}
    excused = spared_targets(sweep)
    explained = {name for finding in sweep.findings for name in finding.targets}
    found = [_from_finding(one, verdicts, targets) for one in sweep.findings]
    unexplained = [
        (targets[name], one)
        for name, one in verdicts.items()
        if one.outcome is not Outcome.OK and name not in explained
    ]
    found += _grouped(unexplained, excused)
    return tuple(sorted((_with_spared(one, excused) for one in found), key=_rank))


def _with_spared(finding: ReportedFinding, excused: Mapping[str, str]) -> ReportedFinding:
    spared = {one.id: excused[one.id] for one in finding.targets if one.id in excused}
    return replace(finding, spared=spared) if spared else finding


def _rank(finding: ReportedFinding) -> tuple[bool, bool, int, int]:
    fails = finding.outcome in (Outcome.BLOCKED, Outcome.DOWN)
    return (not fails, not finding.required, -finding.outcome.severity, -len(finding.targets))


def _from_finding(
    finding: Finding, verdicts: dict[str, Verdict], targets: dict[str, Target]
) -> ReportedFinding:
    members = [name for name in finding.targets if name in verdicts]
    worst = max(
        (verdicts[name] for name in members),
        key=lambda one: one.outcome.severity,
        default=_verdict_without_targets(finding),
    )
    return ReportedFinding(
        title=finding.title,
        reason=finding.reason,
        outcome=worst.outcome,
        phase=worst.phase,
        blame=finding.blame,
        confidence=finding.confidence,
        blame_confidence=finding.blame_confidence,
        suspects=finding.suspects,
        ruled_out=finding.ruled_out,
        targets=tuple(targets[name] for name in members),
        evidence=finding.evidence,
        advice=finding.advice,
        finding=finding,
    )


def _verdict_without_targets(finding: Finding) -> Verdict:
    """Return the verdict of a finding about the path: at most degraded, because no target fails by it."""
    reason = REASONS.get(finding.reason)
    harmless = reason is None or reason.informational
    return Verdict(outcome=Outcome.OK if harmless else Outcome.DEGRADED)


def _grouped(
    unexplained: Iterable[tuple[Target, Verdict]], excused: Mapping[str, str]
) -> Iterator[ReportedFinding]:
    groups: dict[tuple[object, ...], list[tuple[Target, Verdict]]] = {}
    for target, verdict in unexplained:
        suspects = tuple(one.blame for one in verdict.suspects)
        key = (
            verdict.outcome,
            verdict.reason,
            verdict.phase,
            verdict.blame,
            verdict.blame_confidence,
            suspects,
            target.id in excused,
        )
        groups.setdefault(key, []).append((target, verdict))
    for members in groups.values():
        # The verdict with the highest confidence has the best evidence.
        surest = min(
            (verdict for _, verdict in members), key=lambda one: list(Confidence).index(one.confidence)
        )
        reason = surest.reason or "unknown"
        yield ReportedFinding(
            title=REASONS[reason].title if reason in REASONS else reason,
            reason=reason,
            outcome=surest.outcome,
            phase=surest.phase,
            blame=surest.blame,
            confidence=surest.confidence,
            blame_confidence=surest.blame_confidence,
            suspects=surest.suspects,
            ruled_out=surest.ruled_out,
            targets=tuple(target for target, _ in members),
            evidence=tuple(dict.fromkeys((*surest.evidence, *_first_lines(members)))),
            advice=_advice_of([surest, *(verdict for _, verdict in members)]),
        )


def _first_lines(members: Iterable[tuple[Target, Verdict]]) -> Iterator[str]:
    for _, verdict in islice(members, MOST_LINES):
        yield from verdict.evidence[:1]


def _advice_of(verdicts: Iterable[Verdict]) -> str:
    """Return what to ask for each target of a group: none of them is left out of it."""
    texts = list(dict.fromkeys(one.advice for one in verdicts if one.advice))
    rest = len(texts) - MOST_ASKS
    if rest > 0:
        texts[MOST_ASKS:] = [f"For {count(rest, 'more target')} the JSON report has what to ask for."]
    return " ".join(texts)
