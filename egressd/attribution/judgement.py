"""Judge a recording: every target from every source, then findings over all of them.

A verdict makes two claims: what happened, by the rules, and who caused it, by elimination.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from egressd.attribution.advice import advise, values_of, values_of_all
from egressd.attribution.blame.elimination import attribute, usual_attribution, with_attribution
from egressd.attribution.blame.facts import Accusation
from egressd.attribution.blame.request import request
from egressd.attribution.blame.suspects import with_egressd_first
from egressd.attribution.certainty import lower, weigh
from egressd.attribution.detectors import detect_findings
from egressd.attribution.evidence import evidence_lines, redirect_lines
from egressd.attribution.facts.sweep_index import SweepIndex
from egressd.attribution.facts.trail_context import TrailContext
from egressd.attribution.isolation import index_recording
from egressd.attribution.path_comparison import compare_paths
from egressd.attribution.probe_judgement import ProbeJudgement, judge_probe
from egressd.attribution.reasons import REASONS
from egressd.attribution.target_judgement import TargetJudgement
from egressd.attribution.trail_judgement import Match, judge_trail
from egressd.errors import OnBug, Part, isolate, raise_bug
from egressd.model.plan import Probe, Target
from egressd.model.recording import HOST_PAUSED, ProbeRecord, Recording
from egressd.model.verdict import Blame, Confidence, Outcome, SourceVerdict, Sweep, TargetVerdict, Verdict

INTERNAL_ERROR = "internal_error"
DERIVED_NAME_ABSENT = "dns_derived_name_absent"
DERIVED_NAME = "is a name that egressd derived: no document shows it"


def judge(recording: Recording, *, on_bug: OnBug = raise_bug) -> Sweep:
    """Judge a recording; the same recording always gives the same sweep.

    `on_bug` is called with each bug: the verdict it concerns is unknown, the others are as ever. By default
    it is raised.
    """
    return isolate(
        Part.JUDGEMENT,
        on_bug,
        lambda: _judge(recording, on_bug),
        lambda why: Sweep(recording=recording, verdicts=_none_judged(recording, why, on_bug), findings=()),
    )


def _judge(recording: Recording, on_bug: OnBug) -> Sweep:
    index = index_recording(recording, part=Part.JUDGEMENT, on_bug=on_bug)
    others = _judge_targets(index, on_bug, contrast=True)
    judgements = [
        _compared(one, others.get(key), on_bug)
        for key, one in _judge_targets(index, on_bug, contrast=False).items()
    ]
    judgements, verdicts = _with_verdicts(judgements, on_bug)
    _, other_verdicts = _with_verdicts(tuple(others.values()), on_bug)
    own = _by_target(index, judgements, verdicts)
    other_path = _by_target(index, others.values(), other_verdicts)
    targets = tuple(_target_verdict(one, own[one.id], other_path[one.id]) for one in recording.plan.targets)
    findings = detect_findings(index, judgements, verdicts, on_bug=on_bug)
    return Sweep(recording=recording, verdicts=targets, findings=findings)


def _none_judged(recording: Recording, why: str, on_bug: OnBug) -> tuple[TargetVerdict, ...]:
    """Return the verdicts where nothing could be judged."""
    found: defaultdict[str, tuple[SourceVerdict, ...]] = defaultdict(tuple)
    targets = {one.id: one for one in recording.plan.targets}
    for probe in (one for one in recording.plan.probes if not one.contrast):
        for name in (one for one in probe.targets if one in targets):
            verdict = _failure_verdict(_failed(targets[name], probe, why), on_bug)
            path = recording.plan.path_of(probe)
            found[name] += (SourceVerdict(source=probe.source, path=path, verdict=verdict),)
    return tuple(_target_verdict(one, found[one.id], ()) for one in recording.plan.targets)


def _compared(own: TargetJudgement, other: TargetJudgement | None, on_bug: OnBug) -> TargetJudgement:
    return isolate(Part.JUDGEMENT, on_bug, lambda: compare_paths(own, other), lambda _: own)


def _with_verdicts(
    judgements: Sequence[TargetJudgement], on_bug: OnBug
) -> tuple[list[TargetJudgement], dict[tuple[str, str], Verdict]]:
    """Return judgements with their verdicts; where a verdict has a bug, the judgement is that."""
    kept: list[TargetJudgement] = []
    verdicts: dict[tuple[str, str], Verdict] = {}
    alike: defaultdict[tuple[str, str], list[TrailContext]] = defaultdict(list)
    for one in judgements:
        if one.result is not None and one.result.match is not None:
            alike[one.target.id, one.code].append(one.result.match.context)
    for one in judgements:
        same = tuple(alike[one.target.id, one.code])
        judgement, verdict = isolate(
            Part.JUDGEMENT, on_bug, partial(_with_verdict, one, same), partial(_with_failure, one, on_bug)
        )
        kept.append(judgement)
        verdicts[one.target.id, one.source] = verdict
    return kept, verdicts


def _with_verdict(one: TargetJudgement, alike: Sequence[TrailContext]) -> tuple[TargetJudgement, Verdict]:
    return one, _verdict(one, alike)


def _with_failure(one: TargetJudgement, on_bug: OnBug, why: str) -> tuple[TargetJudgement, Verdict]:
    failed = _failed(one.target, one.probe, why)
    return failed, _failure_verdict(failed, on_bug)


def _failure_verdict(failed: TargetJudgement, on_bug: OnBug) -> Verdict:
    """Return the verdict of a target that a bug kept from being judged; a bare one if that has a bug too."""
    bare = Verdict(
        outcome=Outcome.UNKNOWN, reason=INTERNAL_ERROR, blame=Blame.EGRESSD_ENV, evidence=(failed.why,)
    )
    return isolate(Part.JUDGEMENT, on_bug, lambda: _unknown(failed), lambda _: bare)


def _by_target(
    index: SweepIndex, judgements: Iterable[TargetJudgement], verdicts: Mapping[tuple[str, str], Verdict]
) -> defaultdict[str, tuple[SourceVerdict, ...]]:
    found: defaultdict[str, tuple[SourceVerdict, ...]] = defaultdict(tuple)
    for one in judgements:
        path = index.recording.plan.path_of(one.probe)
        verdict = verdicts[one.target.id, one.source]
        found[one.target.id] += (SourceVerdict(source=one.source, path=path, verdict=verdict),)
    return found


def _judge_targets(
    index: SweepIndex, on_bug: OnBug, *, contrast: bool
) -> dict[tuple[str, str], TargetJudgement]:
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
            judgement = _guarded_judgement(index, probe, target, records.get(probe.id), on_bug)
            key = (target.id, probe.source)
            if key not in worst or judgement.outcome.severity > worst[key].outcome.severity:
                worst[key] = judgement
    return worst


def _guarded_judgement(
    index: SweepIndex, probe: Probe, target: Target, record: ProbeRecord | None, on_bug: OnBug
) -> TargetJudgement:
    return isolate(
        Part.JUDGEMENT,
        on_bug,
        lambda: _judge_target(index, probe, target, record),
        lambda why: _failed(target, probe, why),
    )


def _failed(target: Target, probe: Probe, why: str) -> TargetJudgement:
    """Return the judgement of a target that a bug kept from being judged."""
    return TargetJudgement(target=target, probe=probe, result=None, why=why, bug=True)


def _judge_target(
    index: SweepIndex, probe: Probe, target: Target, record: ProbeRecord | None
) -> TargetJudgement:
    if record is None or not record.trails:
        bug = record.bug if record is not None else ""
        why = bug or (record.skipped if record is not None else "") or "no record of this probe"
        return TargetJudgement(target=target, probe=probe, result=None, why=why, bug=bool(bug))
    contexts = (TrailContext(trail=trail, probe=probe, target=target, index=index) for trail in record.trails)
    return TargetJudgement(target=target, probe=probe, result=judge_probe(map(judge_trail, contexts)))


def _verdict(judgement: TargetJudgement, alike: Sequence[TrailContext]) -> Verdict:
    """Return the verdict; `alike`: from which sources the target ends like this, which one ask names."""
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
    contexts = (context, *(one for one in alike if one is not context))
    reason, values = REASONS[match.code], values_of_all(contexts)
    sure = weigh(context, match.rule.certainty)
    accusation = Accusation(context=context, reason=match.code, phase=phase)
    if context.derived and not result.outcome.reachable:
        return _verdict_of_guess(result, accusation, match, sure)
    found = attribute(accusation, match.suspects, most=sure, values=values)
    verdict = Verdict(
        outcome=result.outcome,
        phase=match.phase,
        reason=match.code,
        confidence=sure,
        also=result.also,
        flags=result.flags,
        evidence=evidence_lines(context, phase),
        advice=request(reason, advise(reason, contexts, values), found, values),
    )
    return with_attribution(verdict, found)


def _verdict_of_guess(
    result: ProbeJudgement, accusation: Accusation, match: Match, sure: Confidence
) -> Verdict:
    """Return the verdict of a derived name that fails: it accuses nobody, and decides nothing."""
    context, values = accusation.context, values_of(accusation.context)
    absent = REASONS[DERIVED_NAME_ABSENT]
    own = match.code == DERIVED_NAME_ABSENT
    suspects = match.suspects if own else with_egressd_first(match.suspects)
    found = attribute(accusation, suspects, most=sure if own else lower(sure, Confidence.LOW), values=values)
    verdict = Verdict(
        outcome=Outcome.UNKNOWN,
        phase=match.phase,
        reason=match.code,
        confidence=sure,
        also=result.also,
        flags=(*result.flags, "derived_name"),
        evidence=(*evidence_lines(context, accusation.phase), f"{context.probe.host} {DERIVED_NAME}"),
        advice=absent.advise(values),
    )
    return with_attribution(verdict, found)


def _unknown(judgement: TargetJudgement) -> Verdict:
    paused = "local_paused" if judgement.why == HOST_PAUSED else "not_probed"
    code = INTERNAL_ERROR if judgement.bug else paused
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
    verdict = _for_every_source(worst, own)
    return TargetVerdict(target=target.id, verdict=verdict, by_source=own, other_path=other_path)


def _for_every_source(worst: SourceVerdict, own: tuple[SourceVerdict, ...]) -> Verdict:
    """Return the worst verdict with what other sources that fail saw, and what is to be asked for them."""
    verdict = worst.verdict
    failing = [
        one for one in own if one is not worst and one.verdict.reason and not one.verdict.outcome.reachable
    ]
    if verdict.outcome.reachable or not failing:
        return verdict
    otherwise = [one for one in failing if one.verdict.reason != verdict.reason]
    asks = (
        f"From {one.source} it ends otherwise ({one.verdict.reason}): {one.verdict.advice}"
        for one in otherwise
    )
    seen = (line for one in failing for line in one.verdict.evidence[:1])
    return replace(
        verdict,
        evidence=tuple(dict.fromkeys((*verdict.evidence, *seen))),
        advice=" ".join((verdict.advice, *asks)),
    )
