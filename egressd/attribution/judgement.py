"""Judge a recording: every target from every source, then findings over all of them.

A verdict makes two claims: what happened, by the rules, and who caused it, by elimination.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from egressd.attribution.advice import advise, values_of
from egressd.attribution.blame.elimination import attribute, usual_attribution, with_attribution
from egressd.attribution.blame.facts import Accusation
from egressd.attribution.blame.request import request
from egressd.attribution.certainty import weigh
from egressd.attribution.detectors import detect_findings
from egressd.attribution.evidence import evidence_lines, redirect_lines
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.path_comparison import compare_paths
from egressd.attribution.probe_judgement import judge_probe
from egressd.attribution.reasons import REASONS
from egressd.attribution.target_judgement import TargetJudgement
from egressd.attribution.trail_judgement import judge_trail
from egressd.model.plan import Probe, Target
from egressd.model.recording import ProbeRecord, Recording
from egressd.model.verdict import Blame, Confidence, Outcome, SourceVerdict, Sweep, TargetVerdict, Verdict


def judge(recording: Recording) -> Sweep:
    """Judge a recording; the same recording always gives the same sweep."""
    index = SweepIndex.build(recording)
    others = _judge_targets(index, contrast=True)
    judgements = [
        compare_paths(one, others.get(key)) for key, one in _judge_targets(index, contrast=False).items()
    ]
    verdicts = {(one.target.id, one.source): _verdict(one) for one in judgements}
    own = _by_target(index, judgements, verdicts)
    other_path = _by_target(index, others.values(), {key: _verdict(one) for key, one in others.items()})
    targets = tuple(_target_verdict(one, own[one.id], other_path[one.id]) for one in recording.plan.targets)
    findings = detect_findings(index, judgements, verdicts)
    return Sweep(recording=recording, verdicts=targets, findings=findings)


def _by_target(
    index: SweepIndex, judgements: Iterable[TargetJudgement], verdicts: Mapping[tuple[str, str], Verdict]
) -> defaultdict[str, tuple[SourceVerdict, ...]]:
    found: defaultdict[str, tuple[SourceVerdict, ...]] = defaultdict(tuple)
    for one in judgements:
        path = index.recording.plan.path_of(one.probe)
        verdict = verdicts[one.target.id, one.source]
        found[one.target.id] += (SourceVerdict(source=one.source, path=path, verdict=verdict),)
    return found


def _judge_targets(index: SweepIndex, *, contrast: bool) -> dict[tuple[str, str], TargetJudgement]:
    """Return one judgement per target and source: the worst, where it has several probes.

    With `contrast` they are of the probes along the path that is not used.
    """
    records = {record.probe: record for record in index.recording.records}
    worst: dict[tuple[str, str], TargetJudgement] = {}
    for probe in (one for one in index.recording.plan.probes if one.contrast is contrast):
        for target_id in probe.targets:
            target = index.targets.get(target_id)
            if target is None:
                continue
            judgement = _judge_target(index, probe, target, records.get(probe.id))
            key = (target.id, probe.source)
            if key not in worst or judgement.outcome.severity > worst[key].outcome.severity:
                worst[key] = judgement
    return worst


def _judge_target(
    index: SweepIndex, probe: Probe, target: Target, record: ProbeRecord | None
) -> TargetJudgement:
    if record is None or not record.trails:
        bug = record.bug if record is not None else ""
        why = bug or (record.skipped if record is not None else "") or "no record of this probe"
        return TargetJudgement(target=target, probe=probe, result=None, why=why, bug=bool(bug))
    contexts = (TrailContext(trail=trail, probe=probe, target=target, index=index) for trail in record.trails)
    return TargetJudgement(target=target, probe=probe, result=judge_probe(map(judge_trail, contexts)))


def _verdict(judgement: TargetJudgement) -> Verdict:
    result = judgement.result
    if result is None:
        return _unknown(judgement)
    match = result.match
    if match is None:
        return Verdict(
            outcome=Outcome.OK,
            confidence=result.proof,
            also=result.also,
            flags=result.flags,
            evidence=tuple(line for one in result.notes for line in redirect_lines(one.context)),
        )
    context, phase = match.context, match.phase or match.context.failed_in
    reason, values = REASONS[match.code], values_of(context)
    sure = weigh(context, match.rule.certainty)
    accusation = Accusation(context=context, reason=match.code, phase=phase)
    found = attribute(accusation, match.suspects, most=sure, values=values)
    verdict = Verdict(
        outcome=result.outcome,
        phase=match.phase,
        reason=match.code,
        confidence=sure,
        also=result.also,
        flags=result.flags,
        evidence=evidence_lines(context, phase),
        advice=request(reason, advise(reason, context, values), found, values),
    )
    return with_attribution(verdict, found)


def _unknown(judgement: TargetJudgement) -> Verdict:
    code = "internal_error" if judgement.bug else "not_probed"
    values = {"host": judgement.probe.host, "port": str(judgement.probe.port)}
    verdict = Verdict(
        outcome=Outcome.UNKNOWN,
        reason=code,
        confidence=Confidence.CONFIRMED,
        evidence=(judgement.why,),
        advice=REASONS[code].advise(values),
    )
    found = usual_attribution(REASONS[code].suspects, most=Confidence.CONFIRMED, values=values)
    return with_attribution(verdict, found)


def _target_verdict(
    target: Target, own: tuple[SourceVerdict, ...], other_path: tuple[SourceVerdict, ...]
) -> TargetVerdict:
    if not own:
        unknown = Verdict(outcome=Outcome.UNKNOWN, reason="not_probed", blame=Blame.EGRESSD_ENV)
        return TargetVerdict(target=target.id, verdict=unknown, by_source=())
    worst = max(own, key=lambda one: one.verdict.outcome.severity)
    return TargetVerdict(target=target.id, verdict=worst.verdict, by_source=own, other_path=other_path)
