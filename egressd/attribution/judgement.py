"""From a recording to its sweep: every target judged from every source, then findings over all.

Two passes: the first names a reason for each target; the second weighs it, because the same signature
on several hosts makes each of them surer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from egressd.attribution.advice import advise
from egressd.attribution.assess import assess
from egressd.attribution.combine import Ruling, combine
from egressd.attribution.confidence import weigh, worse
from egressd.attribution.evidence import describe
from egressd.attribution.facts.case import Case
from egressd.attribution.facts.whole import Whole, behold
from egressd.attribution.opinion import Opinion, signature
from egressd.attribution.proxied.paths import compare
from egressd.attribution.reasons import REASONS
from egressd.attribution.site import find
from egressd.model.plan import Probe, Target
from egressd.model.recording import ProbeRecord, Recording
from egressd.model.verdict import (
    Blame,
    Confidence,
    Outcome,
    SourceVerdict,
    Sweep,
    TargetVerdict,
    Verdict,
)


def judge(recording: Recording) -> Sweep:
    """Say what a recording means. Judging it again gives it again."""
    whole = behold(recording)
    others = _opinions(whole, contrast=True)
    opinions = [compare(one, others.get(key)) for key, one in _opinions(whole, contrast=False).items()]
    shared = _shared_signatures(opinions)
    verdicts = {(one.target.id, one.source): _verdict(one, shared) for one in opinions}
    own = _by_target(whole, opinions, verdicts)
    beside = _by_target(whole, others.values(), {key: _verdict(one, {}) for key, one in others.items()})
    targets = tuple(_target_verdict(one, own[one.id], beside[one.id]) for one in recording.plan.targets)
    findings = find(whole, opinions, verdicts)
    return Sweep(recording=recording, verdicts=targets, findings=findings)


def _by_target(
    whole: Whole, opinions: Iterable[Opinion], verdicts: Mapping[tuple[str, str], Verdict]
) -> defaultdict[str, tuple[SourceVerdict, ...]]:
    found: defaultdict[str, tuple[SourceVerdict, ...]] = defaultdict(tuple)
    for one in opinions:
        path = whole.recording.plan.path_of(one.probe)
        verdict = verdicts[one.target.id, one.source]
        found[one.target.id] += (SourceVerdict(source=one.source, path=path, verdict=verdict),)
    return found


def _opinions(whole: Whole, *, contrast: bool) -> dict[tuple[str, str], Opinion]:
    """Return one opinion per target and source: the worst, where several probes speak.

    With `contrast` they are those of the probes that only show how the other path would do.
    """
    records = {record.probe: record for record in whole.recording.records}
    worst: dict[tuple[str, str], Opinion] = {}
    for probe in (one for one in whole.recording.plan.probes if one.contrast is contrast):
        for target_id in probe.targets:
            target = whole.targets.get(target_id)
            if target is None:
                continue
            opinion = _opinion(whole, probe, target, records.get(probe.id))
            key = (target.id, probe.source)
            if key not in worst or opinion.outcome.severity > worst[key].outcome.severity:
                worst[key] = opinion
    return worst


def _opinion(whole: Whole, probe: Probe, target: Target, record: ProbeRecord | None) -> Opinion:
    if record is None or not record.trails:
        bug = record.bug if record is not None else ""
        why = bug or (record.skipped if record is not None else "") or "no record of this probe"
        return Opinion(target=target, probe=probe, ruling=None, why=why, bug=bool(bug))
    cases = (Case(trail=trail, probe=probe, target=target, whole=whole) for trail in record.trails)
    return Opinion(target=target, probe=probe, ruling=combine([assess(case) for case in cases]))


def _shared_signatures(opinions: Iterable[Opinion]) -> Mapping[tuple[str, ...], int]:
    """Count the hosts that show each signature."""
    hosts: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for one in opinions:
        if one.ruling is not None and one.ruling.match is not None:
            hosts[signature(one.source, one.ruling.match)].add(one.probe.host)
    return {key: len(names) for key, names in hosts.items()}


def _verdict(opinion: Opinion, shared: Mapping[tuple[str, ...], int]) -> Verdict:
    ruling = opinion.ruling
    if ruling is None:
        return _unknown(opinion)
    if ruling.match is None:
        return Verdict(outcome=Outcome.OK, also=ruling.also, flags=ruling.flags)
    return _explained(opinion, ruling, shared)


def _unknown(opinion: Opinion) -> Verdict:
    code = "internal_error" if opinion.bug else "not_probed"
    return Verdict(
        outcome=Outcome.UNKNOWN,
        reason=code,
        confidence=Confidence.CONFIRMED,
        blame=Blame.EGRESSD_ENV,
        evidence=(opinion.why,),
        advice=REASONS[code].advise({"host": opinion.probe.host, "port": str(opinion.probe.port)}),
    )


def _explained(opinion: Opinion, ruling: Ruling, shared: Mapping[tuple[str, ...], int]) -> Verdict:
    match = ruling.match
    if match is None:
        raise RuntimeError("a ruling without a match explains nothing")
    phase = match.phase or match.case.failed_in
    alike = shared.get(signature(opinion.source, match), 1)
    sure = weigh(match.case, match.rule, phase=phase, alike=alike)
    return Verdict(
        outcome=ruling.outcome,
        phase=match.phase,
        reason=match.code,
        confidence=worse(sure, REASONS[match.code].ceiling),
        blame=match.blame,
        also=ruling.also,
        flags=ruling.flags,
        evidence=describe(match.case, phase),
        advice=advise(REASONS[match.code], match.case),
    )


def _target_verdict(
    target: Target, own: tuple[SourceVerdict, ...], beside: tuple[SourceVerdict, ...]
) -> TargetVerdict:
    if not own:
        nobody = Verdict(outcome=Outcome.UNKNOWN, reason="not_probed", blame=Blame.EGRESSD_ENV)
        return TargetVerdict(target=target.id, verdict=nobody, by_source=())
    worst = max(own, key=lambda one: one.verdict.outcome.severity)
    return TargetVerdict(target=target.id, verdict=worst.verdict, by_source=own, other_path=beside)
