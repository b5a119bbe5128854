"""The content of the Markdown and HTML reports: findings first, then every target.

Pure. Text is as it came from the network; the renderers escape it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from egressd import __version__
from egressd.attribution.blame.claims import ruled_out_lines, suspect_lines
from egressd.errors import ExitCode
from egressd.model.plan import Target
from egressd.model.verdict import Outcome, OutcomeCounts, SourceVerdict, Sweep, deciding_by_target
from egressd.report.diff.render_diff import diff_lines, summarize_diff
from egressd.report.diff.sweep_diff import diff_since_baseline
from egressd.report.findings import ReportedFinding, reported_findings
from egressd.report.summary import (
    by_profile,
    conclude,
    count_outcomes,
    counts_text,
    describe_vantage,
    exit_code,
    notices,
    outcomes_of,
    seconds_of,
)
from egressd.report.ticket.connection import Connection, Trails, connection_of, trails_of
from egressd.wording import host_port, name_first

SECTIONS: tuple[tuple[str, tuple[Outcome, ...] | None], ...] = (
    ("Failing", (Outcome.BLOCKED, Outcome.DOWN)),
    ("Degraded", (Outcome.DEGRADED,)),
    ("Unknown", (Outcome.UNKNOWN,)),
    ("For information", (Outcome.OK,)),
    ("Not needed: an alternative works", None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRow:
    """One connection of a finding; targets that share it are one row."""

    place: str
    """`host:port`."""
    source: str
    path: str
    outcome: Outcome
    connection: Connection

    @property
    def local(self) -> str:
        """The local end: `address:port`."""
        return _join(self.connection.local_address, self.connection.local_port)

    @property
    def remote(self) -> str:
        """The remote end: `address:port`, or the resolver that was queried."""
        return _join(self.connection.remote_address, self.connection.remote_port)

    @property
    def size(self) -> str:
        """Bytes of the TLS handshake, sent and received."""
        one = self.connection
        return "" if one.bytes_sent is None else f"{one.bytes_sent} / {one.bytes_received or 0}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """The findings of one group of outcomes."""

    title: str
    findings: tuple[tuple[ReportedFinding, tuple[ConnectionRow, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One target from one source."""

    target: Target
    judged: SourceVerdict

    @property
    def place(self) -> str:
        """`host:port`, with a `*` for a random label."""
        return _place(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """Everything that the Markdown and HTML reports show."""

    headline: str
    state: str
    """`good`, `bad` or `unsure`."""
    counts: str
    notices: tuple[str, ...]
    """What to read before anything else."""
    facts: tuple[tuple[str, str], ...]
    sections: tuple[ReportSection, ...]
    changes: tuple[str, ...]
    """What changed since a baseline; the first line is the summary."""
    unsampled: tuple[tuple[str, str, str], ...]
    """Endpoint, need, and why there is no sample host."""
    notes: tuple[str, ...]
    profiles: tuple[tuple[str, OutcomeCounts], ...]
    rows: tuple[TargetRow, ...]


def page_of(sweep: Sweep) -> ReportPage:
    """Build the content of a sweep's report."""
    findings, trails = reported_findings(sweep), trails_of(sweep)
    sections = (
        ReportSection(
            title=title,
            findings=tuple(
                (one, _connections(one, sweep, trails)) for one in findings if _belongs(one, outcomes)
            ),
        )
        for title, outcomes in SECTIONS
    )
    plan = sweep.recording.plan
    return ReportPage(
        headline=_headline(sweep),
        state={ExitCode.OK: "good", ExitCode.FAILED: "bad"}.get(exit_code(sweep), "unsure"),
        counts=counts_text(count_outcomes(outcomes_of(sweep).values())),
        notices=notices(sweep),
        facts=tuple(_facts(sweep)),
        sections=tuple(one for one in sections if one.findings),
        changes=tuple(_changes(sweep)),
        unsampled=tuple((one.endpoint, one.need.value, one.why) for one in plan.unsampled),
        notes=plan.notes,
        profiles=tuple(by_profile(sweep).items()),
        rows=tuple(_rows(sweep)),
    )


def _belongs(finding: ReportedFinding, outcomes: tuple[Outcome, ...] | None) -> bool:
    """Return whether a finding belongs to a section; no outcomes: to that of what is not needed."""
    if finding.not_needed or outcomes is None:
        return bool(finding.not_needed) and outcomes is None
    return finding.outcome in outcomes


def _headline(sweep: Sweep) -> str:
    """State the conclusion, and name the first required targets that can't be reached."""
    outcomes = deciding_by_target(sweep)
    bad = (Outcome.BLOCKED, Outcome.DOWN)
    failing = [_place(one) for one in sweep.recording.plan.targets if outcomes.get(one.id) in bad]
    return f"{conclude(sweep)}: {name_first(failing)}" if failing else conclude(sweep)


def facts_of(finding: ReportedFinding) -> tuple[tuple[str, str], ...]:
    """Return the facts of a finding besides evidence and advice, as names and values."""
    concerned = (
        f"{len(finding.targets)}, {finding.required} of them required" if finding.targets else "the path"
    )
    facts = (
        ("reason", finding.reason),
        ("what happened", finding.what),
        ("not needed", finding.not_needed),
        ("who caused it", finding.who),
        *(("what decides", line) for line in suspect_lines(finding.suspects)),
        *(("ruled out", line) for line in ruled_out_lines(finding.ruled_out)),
        ("targets", concerned),
    )
    return tuple((name, value) for name, value in facts if value)


def _facts(sweep: Sweep) -> Iterator[tuple[str, str]]:
    recording, plan = sweep.recording, sweep.recording.plan
    place = f"region {plan.region or 'not given'}, cloud {plan.cloud}, catalog {plan.catalog_revision}"
    yield "when", f"{recording.started} to {recording.finished} ({seconds_of(recording):.1f} s)"
    yield "from", describe_vantage(recording)
    yield "for", place
    yield (
        "by",
        f"egressd {__version__}, run {recording.id}, configuration {plan.config_digest[:12] or 'none'}",
    )


def _connections(finding: ReportedFinding, sweep: Sweep, trails: Trails) -> tuple[ConnectionRow, ...]:
    """Return the connections of a finding, each once, in the order of its targets."""
    verdicts = {one.target: one.by_source for one in sweep.verdicts}
    found: dict[ConnectionRow, None] = {}
    for target in finding.targets:
        for judged in verdicts[target.id]:
            if judged.verdict.outcome is Outcome.OK and finding.outcome is not Outcome.OK:
                continue
            row = ConnectionRow(
                place=_place(target),
                source=judged.source,
                path=judged.path,
                outcome=judged.verdict.outcome,
                connection=connection_of(target.id, judged, trails),
            )
            found[row] = None
    return tuple(found)


def _changes(sweep: Sweep) -> Iterator[str]:
    changes = diff_since_baseline(sweep)
    if changes is not None:
        yield f"Since {changes.before_started}: {summarize_diff(changes)}"
        for heading, lines in diff_lines(changes):
            yield from (f"{heading.capitalize()}: {line}" for line in lines)


def _rows(sweep: Sweep) -> Iterator[TargetRow]:
    """Yield every target and source, the worst outcome first, else in the order of the plan."""
    targets = {one.id: one for one in sweep.recording.plan.targets}
    rows = [
        TargetRow(target=targets[judged.target], judged=one)
        for judged in sweep.verdicts
        for one in judged.by_source
    ]
    yield from sorted(rows, key=lambda one: -one.judged.verdict.outcome.severity)


def _place(target: Target) -> str:
    return target.id.partition("/")[2] or host_port(target.host, target.port)


def _join(address: str, port: int | None) -> str:
    if port is None:
        return address
    return host_port(address, port)
