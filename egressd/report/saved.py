"""Write a sweep as a JSON report, and read the recording back from a report.

References in a report are checked when it is read, because judging relies on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

from egressd import __version__
from egressd.errors import ReportFileError
from egressd.firewall import Asks
from egressd.model.observation import Observation, TlsObservation
from egressd.model.plan import Plan, Probe, Target
from egressd.model.recording import ProbeRecord, Recording, Trail, Vantage
from egressd.model.settings import ProbeRoute, Proxy
from egressd.model.verdict import SourceVerdict, Sweep, TargetVerdict, Verdict, spared_targets
from egressd.report.bounds import MAX_ITEMS
from egressd.report.diff.sweep_diff import diff_since_baseline
from egressd.report.document import (
    CatalogEntry,
    Report,
    RunEntry,
    SampleEntry,
    SourceEntry,
    SummaryEntry,
    TargetEntry,
    TrailEntry,
    VantageEntry,
    parse_report,
)
from egressd.report.entries.plan import PlanEntry, ProbeEntry, ProxyEntry, RouteEntry
from egressd.report.entries.rule import FindingEntry, rule_entries
from egressd.report.older import as_today
from egressd.report.pieces import pretty_pieces
from egressd.report.summary import (
    by_profile,
    conclude,
    count_outcomes,
    exit_code,
    missing_options,
    notices,
    outcomes_of,
    unproved,
)
from egressd.wording import is_stamp

T = TypeVar("T", bound=msgspec.Struct)
MAX_TRAILS = 1_000
"""Of one probe: ten attempts at 32 addresses of two families make 640."""


def to_json(sweep: Sweep) -> str:
    """Serialize a sweep as JSON text."""
    return b"".join(json_pieces(sweep)).decode()


def json_pieces(sweep: Sweep) -> Iterator[bytes]:
    """Yield the same text piece by piece, so that it never stands in memory as a whole."""
    return pretty_pieces(_report(sweep), {"targets": _targets(sweep)})


def to_document(sweep: Sweep) -> dict[str, Any]:
    """Return a sweep as plain data, as parsing its JSON report would."""
    data: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(to_report(sweep)))
    return data


def from_json(text: str) -> Recording:
    """Read the recording of a report; verdicts are dropped.

    Raises:
        ReportFileError: it is not a report, or is inconsistent.
    """
    report = as_today(parse_report(text))
    _check(report)
    trails = _trails(report)
    records = tuple(
        ProbeRecord(probe=one.id, trails=trails.get(one.id, ()), skipped=one.skipped, bug=one.bug)
        for one in report.plan.probes
    )
    return Recording(
        id=report.run.id,
        started=report.run.started,
        finished=report.run.finished,
        interrupted=report.run.interrupted,
        plan=_plan_of(report),
        vantage=convert_fields(Vantage, report.vantage, trust=tuple(report.vantage.trust.items())),
        records=records,
        controls=report.controls,
        baseline=report.baseline,
        evidence_since=report.run.evidence_since,
    )


def to_report(sweep: Sweep) -> Report:
    """Convert a sweep to its report."""
    return msgspec.structs.replace(_report(sweep), targets=tuple(_targets(sweep)))


def _report(sweep: Sweep) -> Report:
    """Return all of a report but its targets, which take nearly all of its memory."""
    recording = sweep.recording
    plan, asks = recording.plan, Asks(sweep)
    return Report(
        schema="egressd.sweep/1",
        run=RunEntry(
            id=recording.id,
            started=recording.started,
            finished=recording.finished,
            interrupted=recording.interrupted,
            egressd=__version__,
            catalog=CatalogEntry(revision=plan.catalog_revision, digest=plan.catalog_digest),
            config_digest=plan.config_digest,
            evidence_since=recording.evidence_since,
        ),
        vantage=convert_fields(VantageEntry, recording.vantage, trust=dict(recording.vantage.trust)),
        summary=_summary(sweep),
        targets=(),
        findings=tuple(
            convert_fields(FindingEntry, one, rules=rule_entries(asks.of_finding(one)))
            for one in sweep.findings
        ),
        controls=recording.controls,
        plan=_plan(sweep),
        rules=rule_entries(asks.rules()),
        baseline=recording.baseline,
        changes=diff_since_baseline(sweep),
    )


def _plan(sweep: Sweep) -> PlanEntry:
    plan, records = sweep.recording.plan, {one.probe: one for one in sweep.recording.records}
    probes = tuple(
        convert_fields(ProbeEntry, one, skipped=records[one.id].skipped, bug=records[one.id].bug)
        for one in plan.probes
    )
    return convert_fields(
        PlanEntry,
        plan,
        proxy=_proxy_entry(plan.proxy),
        plain_proxy=_proxy_entry(plan.plain_proxy),
        routes=tuple(convert_fields(RouteEntry, one, proxy=_proxy_entry(one.proxy)) for one in plan.routes),
        probes=probes,
    )


def _summary(sweep: Sweep) -> SummaryEntry:
    return convert_fields(
        SummaryEntry,
        count_outcomes(outcomes_of(sweep).values()),
        by_profile=by_profile(sweep),
        conclusion=conclude(sweep),
        exit_code=exit_code(sweep).value,
        notices=notices(sweep),
        required_not_probed=tuple(one.endpoint for one in unproved(sweep)),
        missing_options=missing_options(sweep),
    )


def _proxy_entry(proxy: Proxy | None) -> ProxyEntry | None:
    return convert_fields(ProxyEntry, proxy) if proxy else None


def _proxy(entry: ProxyEntry | None) -> Proxy | None:
    return convert_fields(Proxy, entry) if entry else None


def _targets(sweep: Sweep) -> Iterator[TargetEntry]:
    """Yield the targets in the order of the plan."""
    plan = sweep.recording.plan
    trails = {one.probe: one.trails for one in sweep.recording.records}
    verdicts = {one.target: one for one in sweep.verdicts}
    probes: dict[str, list[str]] = {one.id: [] for one in plan.targets}
    for probe in plan.probes:
        for target in probe.targets:
            probes[target].append(probe.id)
    excused = spared_targets(sweep)
    for one in plan.targets:
        entries = tuple(
            convert_fields(TrailEntry, trail, probe=probe)
            for probe in probes[one.id]
            for trail in trails[probe]
        )
        yield _target(one, verdicts[one.id], entries, not_needed=excused.get(one.id))


def _target(
    target: Target, judged: TargetVerdict, trails: tuple[TrailEntry, ...], *, not_needed: str | None
) -> TargetEntry:
    verdict = {name: getattr(judged.verdict, name) for name in Verdict.__struct_fields__}
    return convert_fields(
        TargetEntry,
        target,
        sample=SampleEntry(kind=target.sample),
        by_source=_source_entries(judged.by_source),
        other_path=_source_entries(judged.other_path),
        trails=trails,
        not_needed=not_needed,
        **verdict,
    )


def _source_entries(verdicts: Iterable[SourceVerdict]) -> tuple[SourceEntry, ...]:
    return tuple(
        convert_fields(SourceEntry, one.verdict, source=one.source, path=one.path) for one in verdicts
    )


def _plan_of(report: Report) -> Plan:
    plan = report.plan
    return convert_fields(
        Plan,
        plan,
        catalog_revision=report.run.catalog.revision,
        catalog_digest=report.run.catalog.digest,
        config_digest=report.run.config_digest,
        targets=tuple(convert_fields(Target, one, sample=one.sample.kind) for one in report.targets),
        probes=tuple(convert_fields(Probe, one) for one in plan.probes),
        proxy=_proxy(plan.proxy),
        plain_proxy=_proxy(plan.plain_proxy),
        routes=tuple(convert_fields(ProbeRoute, one, proxy=_proxy(one.proxy)) for one in plan.routes),
    )


def _trails(report: Report) -> dict[str, tuple[Trail, ...]]:
    """Collect the trails of every probe; all targets of a probe must have the same ones."""
    answers = {one.id: one.targets for one in report.plan.probes}
    found: dict[str, tuple[Trail, ...]] = {}
    holders = Counter[str]()
    for target in report.targets:
        groups: dict[str, list[Trail]] = {}
        for entry in target.trails:
            if target.id not in answers.get(entry.probe, ()):
                raise ReportFileError(f"target {target.id!r} has a trail of a probe that is not its own")
            groups.setdefault(entry.probe, []).append(convert_fields(Trail, entry))
        holders.update(groups.keys())
        for probe, trails in groups.items():
            if len(trails) > MAX_TRAILS:
                raise ReportFileError(f"target {target.id!r} has more than {MAX_TRAILS} trails of one probe")
            if found.setdefault(probe, tuple(trails)) != tuple(trails):
                raise ReportFileError(f"target {target.id!r} has other trails of a probe it shares")
    for probe, count in holders.items():
        if count < len(answers[probe]):  # judging repeats them for each
            raise ReportFileError(f"a target lacks the trails of probe {probe[:80]!r}, which it shares")
    return found


def _check(report: Report) -> None:
    """Check that ids are unique, references resolve and times are valid."""
    plan = report.plan
    for what, names in (
        ("target", [one.id for one in report.targets]),
        ("probe", [one.id for one in plan.probes]),
        ("source", [one.name for one in plan.sources]),
        ("route", [one.name for one in plan.routes]),
    ):
        if len(set(names)) < len(names):
            raise ReportFileError(f"duplicate name: {what}")
    _check_references(report)
    if len({name for one in report.targets for name in one.profiles}) > MAX_ITEMS:
        raise ReportFileError(f"too big: more than {MAX_ITEMS} profiles")
    if any(len(one.trails) + len(one.subject_trails) > MAX_TRAILS for one in report.controls):
        raise ReportFileError(f"a control has more than {MAX_TRAILS} trails")
    for moment in _moments(report):
        _check_time(moment)


def _check_references(report: Report) -> None:
    """Check that what probes and targets name is there."""
    plan = report.plan
    targets, sources = {one.id for one in report.targets}, {one.name for one in plan.sources}
    for probe in plan.probes:
        if len(set(probe.targets)) < len(probe.targets):
            raise ReportFileError(f"probe {probe.id[:80]!r} names a target twice")
        if not targets.issuperset(probe.targets) or probe.source not in sources:
            raise ReportFileError(f"probe {probe.id!r} names a target or source that is not there")
    taken = {one.route for one in plan.probes} | {one.route for one in report.targets}
    if taken - {None, *(one.name for one in plan.routes)}:
        raise ReportFileError("a probe or target names a route that is not there")


def _moments(report: Report) -> Iterator[str]:
    """Yield every time in the report."""
    yield from (report.run.started, report.run.finished)
    if report.run.evidence_since is not None:
        yield report.run.evidence_since
    trails: list[Trail] = [trail for target in report.targets for trail in target.trails]
    trails += [trail for one in report.controls for trail in (*one.trails, *one.subject_trails)]
    for trail in trails:
        for one in trail.observations:
            yield from _times(one)


def _times(one: Observation) -> Iterator[str]:
    yield one.started
    if isinstance(one, TlsObservation):
        for certificate in one.chain:
            yield from (one for one in (certificate.not_before, certificate.not_after) if one is not None)


def _check_time(text: str) -> None:
    if not is_stamp(text):
        raise ReportFileError(f"not a UTC time: {text[:40]!r}")


def convert_fields(kind: type[T], value: object, **more: object) -> T:
    """Build a `kind` from the fields it shares with a value, and from `more`."""
    names = _shared(kind.__struct_fields__, cast(Hashable, type(value)))
    shared = {name: getattr(value, name) for name in names if name not in more}
    return kind(**shared, **more)


@cache
def _shared(fields: tuple[str, ...], given: Hashable) -> tuple[str, ...]:
    """Return which of some fields the values of a type have as well, as fields or as properties."""
    return tuple(name for name in fields if hasattr(given, name))
