"""The lines about a sweep: when it starts, as each probe ends, and what all of it means."""

from __future__ import annotations

from collections.abc import Iterator

from egressd import __version__
from egressd.model.endpoint import Need
from egressd.model.observation import Timestamp
from egressd.model.plan import Plan, Probe
from egressd.model.recording import ProbeRecord
from egressd.model.verdict import Sweep
from egressd.report.diff.sweep_diff import SweepDiff
from egressd.report.document import CatalogEntry, JudgedTarget, Report
from egressd.report.entries.plan import ProbeEntry
from egressd.report.saved import convert_fields, to_report
from egressd.report.stream.line import (
    FindingLine,
    Line,
    NotProbedLine,
    ProbeLine,
    RuleLine,
    StartLine,
    SummaryLine,
    TargetLine,
    line_json,
)
from egressd.report.summary import exit_code


def start_line(plan: Plan, *, at: Timestamp) -> StartLine:
    """Return the first line."""
    return StartLine(
        time=at,
        egressd=__version__,
        catalog=CatalogEntry(revision=plan.catalog_revision, digest=plan.catalog_digest),
        config_digest=plan.config_digest,
        site=plan.site,
        region=plan.region,
        cloud=plan.cloud,
        sources=tuple(one.name for one in plan.sources),
        targets=len(plan.targets),
        required=sum(one.need is Need.REQUIRED for one in plan.targets),
        probes=len(plan.probes),
        notes=plan.notes,
    )


def probe_line(probe: Probe, record: ProbeRecord, *, at: Timestamp) -> ProbeLine:
    """Return the line about a probe that ended."""
    ends = [trail.last for trail in record.trails if trail.last is not None]
    return ProbeLine(
        time=at,
        probe=convert_fields(ProbeEntry, probe, skipped=record.skipped, bug=record.bug),
        failed=all(one.failure is not None for one in ends),
        trails=record.trails,
    )


def verdict_lines(sweep: Sweep, *, at: Timestamp, since: SweepDiff | None = None) -> Iterator[Line]:
    """Yield what a sweep means: targets, what was not probed, findings, rules, and the summary.

    `since` are the changes to name in the summary, if not those since the baseline.
    """
    report = to_report(sweep)
    yield from state_lines(report, at=at)
    yield SummaryLine(
        time=at,
        interrupted=report.run.interrupted,
        exit_code=exit_code(sweep).value,
        run=report.run,
        vantage=report.vantage,
        summary=report.summary,
        changes=since or report.changes,
    )


def state_lines(report: Report, *, at: Timestamp) -> Iterator[Line]:
    """Yield the state of everything: targets, endpoints without one, findings and rules."""
    yield from (TargetLine(time=at, target=convert_fields(JudgedTarget, one)) for one in report.targets)
    yield from (
        convert_fields(NotProbedLine, one, type="not_probed", time=at) for one in report.plan.unsampled
    )
    yield from (FindingLine(time=at, finding=one) for one in report.findings)
    yield from (RuleLine(time=at, rule=one) for one in report.rules)


def judged_targets(sweep: Sweep) -> dict[str, JudgedTarget]:
    """Return the judged targets by id."""
    return {one.id: convert_fields(JudgedTarget, one) for one in to_report(sweep).targets}


def render_stream(sweep: Sweep) -> str:
    """Return the stream of a sweep that has ended."""
    recording = sweep.recording
    probes = {one.id: one for one in recording.plan.probes}
    lines: list[Line] = [start_line(recording.plan, at=recording.started)]
    lines += [
        probe_line(probes[one.probe], one, at=recording.finished)
        for one in recording.records
        if not one.skipped
    ]
    lines += verdict_lines(sweep, at=recording.finished)
    return "".join(line_json(one) for one in lines)
