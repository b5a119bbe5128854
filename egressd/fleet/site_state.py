"""A site's state from its judged sweeps: the newest of each host decides, earlier ones say since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from egressd.fleet import from_trails
from egressd.fleet.onsets import corrected, seconds
from egressd.fleet.thresholds import RECENT, ROLLOUT, SAME_TIME
from egressd.fleet.values import Onset, SiteState, SiteTarget
from egressd.model.observation import Timestamp
from egressd.model.plan import Target
from egressd.model.recording import Recording, Trail
from egressd.model.verdict import Outcome, Sweep, TargetVerdict, spared_targets
from egressd.wording import name_first, span

_FAILED = (Outcome.BLOCKED, Outcome.DOWN)


class _Result(Struct, frozen=True, kw_only=True):
    """An earlier or the newest result of a target, by the common clock."""

    seen: Timestamp
    worked: bool


_History = Mapping[str, Sequence[_Result]]
"""By target, the oldest first; without those that say nothing."""


def site_state(sweeps: Sequence[Sweep], origin: str) -> SiteState:
    """Return the state of one site from its sweeps, in any order and of any of its hosts.

    Raises:
        ValueError: there is no sweep.
    """
    by_host: defaultdict[str, dict[tuple[str, str], Sweep]] = defaultdict(dict)
    for one in sweeps:
        by_host[one.recording.vantage.host][one.recording.finished, one.recording.id] = one
    hosts = {host: [some[key] for key in sorted(some)] for host, some in sorted(by_host.items())}
    seen = {host: _finished(some[-1].recording) for host, some in hosts.items()}
    newest = max(seen.values(), key=seconds)
    current = {host: some for host, some in hosts.items() if _age(seen[host], newest) <= ROLLOUT}
    first = next(iter(current.values()))[-1].recording.vantage
    return SiteState(
        site=first.site or first.host,
        hosts=tuple(hosts),
        seen=newest,
        origin=origin,
        targets=_merged((host, one) for host, some in current.items() for one in _targets(some)),
        interval_seconds=_interval(current.values()),
        clock_offset_seconds=first.clock_offset_seconds if len(hosts) == 1 else None,
        notes=tuple(_notes(hosts, seen, newest)),
    )


def _age(seen: Timestamp, newest: Timestamp) -> float:
    return seconds(newest) - seconds(seen)


def _finished(recording: Recording) -> Timestamp:
    return corrected(recording.finished, recording.vantage.clock_offset_seconds)


def _interval(hosts: Iterable[Sequence[Sweep]]) -> float | None:
    """Return the usual seconds between two sweeps of a host; None where there are no two."""
    gaps = [
        seconds(later.recording.finished) - seconds(one.recording.finished)
        for some in hosts
        for one, later in pairwise(some)
    ]
    return median(gaps) if gaps else None


def _notes(
    hosts: Mapping[str, Sequence[Sweep]], seen: Mapping[str, Timestamp], newest: Timestamp
) -> Iterator[str]:
    for host, some in hosts.items():
        age = _age(seen[host], newest)
        if age > ROLLOUT:
            yield f"{host} last reported {span(age)} before the other hosts: its results are left out"
        elif some[-1].recording.interrupted:
            yield f"the last sweep of {host} was interrupted: what it had not probed is unknown"
    names = {one.recording.vantage.site for some in hosts.values() for one in some} - {None}
    if len(names) > 1:
        yield f"its hosts give it several names: {name_first(sorted(str(one) for one in names))}"


def _targets(sweeps: Sequence[Sweep]) -> Iterator[SiteTarget]:
    """Yield the results of one host's newest sweep, with what the earlier ones say of them."""
    newest = sweeps[-1]
    plan, records = newest.recording.plan, {one.probe: one.trails for one in newest.recording.records}
    trails: defaultdict[str, list[Trail]] = defaultdict(list)
    for probe in (one for one in plan.probes if not one.contrast):
        for name in probe.targets:
            trails[name] += records.get(probe.id, ())
    verdicts = {one.target: one for one in newest.verdicts}
    excused, history = spared_targets(newest), _history(sweeps)
    for target in plan.targets:
        if target.id in verdicts:
            found = _target(newest.recording, target, verdicts[target.id], trails[target.id])
            found = replace(found, not_needed=target.id in excused)
            yield _over_time(found, history.get(target.id, ()))


def _target(
    recording: Recording, target: Target, judged: TargetVerdict, trails: Sequence[Trail]
) -> SiteTarget:
    verdict = judged.verdict
    failed = verdict.outcome in _FAILED
    dialled = from_trails.addresses(trails, reached=not failed)
    return SiteTarget(
        target=target.id,
        endpoint=target.endpoint,
        host=target.shown_host,
        port=target.port,
        protocol=target.protocol,
        need=target.need,
        outcome=verdict.outcome,
        seen=corrected(
            from_trails.seen_at(trails, otherwise=recording.finished), recording.vantage.clock_offset_seconds
        ),
        phase=verdict.phase,
        reason=verdict.reason,
        confidence=verdict.confidence,
        blame=verdict.blame,
        blame_confidence=verdict.blame_confidence,
        suspects=verdict.suspects,
        ruled_out=verdict.ruled_out,
        evidence=verdict.evidence[:1],
        proof=target.is_proof,
        owned=target.is_own,
        private=from_trails.all_private(dialled, recording.plan.trust.public_networks),
        path=next((one.path for one in trails), "direct"),
        addresses=dialled,
        anycast=from_trails.is_anycast(target.host, trails),
        devices=from_trails.devices(recording, verdict, trails) if failed else (),
    )


def _history(sweeps: Sequence[Sweep]) -> _History:
    """Return what each target did over a host's sweeps, and in the baseline of the first one."""
    found: defaultdict[str, list[_Result]] = defaultdict(list)
    for name, result in _of_baseline(sweeps[0].recording):
        found[name].append(result)
    for sweep in sweeps[:-1]:
        when = _finished(sweep.recording)
        for one in sweep.verdicts:
            if one.verdict.outcome is not Outcome.UNKNOWN:
                found[one.target].append(_Result(seen=when, worked=one.verdict.outcome.reachable))
    return found


def _of_baseline(recording: Recording) -> Iterator[tuple[str, _Result]]:
    """Yield the results of an earlier sweep of the same host, which a sweep was compared with."""
    baseline = recording.baseline
    if baseline is None or baseline.host != recording.vantage.host or baseline.started >= recording.started:
        return
    known: dict[str, bool] = {}
    for mark in baseline.marks:
        if mark.outcome != Outcome.UNKNOWN.value:
            worked = Outcome(mark.outcome).reachable
            known[mark.target] = worked and known.get(mark.target, True)
    when = corrected(baseline.started, recording.vantage.clock_offset_seconds)
    for name, worked in known.items():
        yield name, _Result(seen=when, worked=worked)


def _over_time(one: SiteTarget, earlier: Sequence[_Result]) -> SiteTarget:
    """Return a result with when its failure began, and whether it comes and goes."""
    if one.outcome is Outcome.UNKNOWN:
        return one
    every = [*earlier, _Result(seen=one.seen, worked=not one.fails)]
    recent = [result for result in every if _age(result.seen, one.seen) <= RECENT]
    changes = sum(a.worked is not b.worked for a, b in pairwise(recent))
    return replace(
        one,
        onset=_onset(every) if one.fails else None,
        comes_and_goes=changes > 1,
        failed=sum(not result.worked for result in recent),
        results=len(recent),
    )


def _onset(every: Sequence[_Result]) -> Onset:
    """Return when a failure began that the last of some results has."""
    worked = max((place for place, one in enumerate(every) if one.worked), default=-1)
    after = every[worked].seen if worked >= 0 else None
    return Onset(after=after, by=every[worked + 1].seen)


def _merged(results: Iterable[tuple[str, SiteTarget]]) -> tuple[SiteTarget, ...]:
    """Return the worst result of each target over the hosts, with where else in the site it works."""
    by_target: defaultdict[str, list[tuple[str, SiteTarget]]] = defaultdict(list)
    for host, one in results:
        by_target[one.target].append((host, one))
    return tuple(_worst(by_target[name]) for name in sorted(by_target))


def _worst(some: Sequence[tuple[str, SiteTarget]]) -> SiteTarget:
    worst = max((one for _, one in some), key=_severity)
    if not worst.fails:
        return worst
    working = [host for host, one in some if one.outcome.reachable and _at_the_same_time(one, worst)]
    return replace(worst, works_from=tuple(sorted(working)))


def _at_the_same_time(one: SiteTarget, other: SiteTarget) -> bool:
    return abs(seconds(one.seen) - seconds(other.seen)) <= SAME_TIME


def _severity(one: SiteTarget) -> tuple[bool, int, str, str]:
    """Return how telling a result is: one that need not work tells least."""
    return not one.not_needed, one.outcome.severity, one.seen, one.reason or ""
