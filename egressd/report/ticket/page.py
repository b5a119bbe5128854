"""The content of the Markdown and HTML reports: findings first, then the targets.

Pure. Text is as it came from the network; the renderers escape it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from msgspec import Struct

from egressd import __version__
from egressd.errors import ExitCode
from egressd.firewall import Asks, FirewallRule
from egressd.model.plan import Target
from egressd.model.verdict import Outcome, OutcomeCounts, SourceVerdict, Sweep
from egressd.report.diff.render_diff import diff_lines, moment_before, summarize_diff
from egressd.report.diff.sweep_diff import diff_since_baseline
from egressd.report.findings import ReportedFinding
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
from egressd.report.ticket.connection import Connection, connection_of, trails_of
from egressd.report.ticket.connection_row import shown_place
from egressd.report.ticket.entry import TicketEntry, ticket_entries
from egressd.report.ticket.rule_row import RuleRow, rule_rows
from egressd.report.ticket.scope import TEAM_NAMES, WHOLE, TicketScope
from egressd.wording import count, name_first

SECTIONS: tuple[tuple[str, tuple[Outcome, ...] | None], ...] = (
    ("Failing", (Outcome.BLOCKED, Outcome.DOWN)),
    ("Degraded", (Outcome.DEGRADED,)),
    ("Unknown", (Outcome.UNKNOWN,)),
    ("For information", (Outcome.OK,)),
    ("Not needed: an alternative works", None),
)


class ReportSection(Struct, frozen=True, kw_only=True):
    """The findings of one group of outcomes."""

    title: str
    entries: tuple[TicketEntry, ...]


class TargetRow(Struct, frozen=True, kw_only=True):
    """One target from one source."""

    target: Target
    judged: SourceVerdict
    connection: Connection

    @property
    def place(self) -> str:
        """`host:port`, with a `*` for a random label."""
        return shown_place(self.target)


class ReportPage(Struct, frozen=True, kw_only=True):
    """Everything that the Markdown and HTML reports show."""

    headline: str
    state: str
    """`good`, `bad` or `unsure`."""
    counts: str
    notices: tuple[str, ...]
    """What to read before anything else."""
    facts: tuple[tuple[str, str], ...]
    rules: tuple[RuleRow, ...]
    """All rules that the team of a ticket can add; a report for everybody has them by finding only."""
    sections: tuple[ReportSection, ...]
    changes: tuple[str, ...]
    """What changed since a baseline; the first line is the summary."""
    unsampled: tuple[tuple[str, str, str], ...]
    """Endpoint, need, and why there is no sample host."""
    notes: tuple[str, ...]
    profiles: tuple[tuple[str, OutcomeCounts], ...]
    rows_title: str
    rows: tuple[TargetRow, ...]
    rows_left_out: int
    """How many targets that are ok are not listed."""

    @property
    def rules_by_finding(self) -> bool:
        """Whether each finding has its own rules as well: not where one finding has them all."""
        return not self.rules or sum(len(one.entries) for one in self.sections) > 1


class ReportPages:
    """Makes the pages of one sweep, everybody's and each team's; what they share is worked out once."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep, self._asks = sweep, Asks(sweep)
        self._entries = ticket_entries(sweep, self._asks)

    @cached_property
    def _rules(self) -> tuple[FirewallRule, ...]:
        return self._asks.rules()

    def page(self, scope: TicketScope) -> ReportPage:
        """Build the page of a scope."""
        entries = tuple(one for one in self._entries if scope.team is None or scope.team in one.teams)
        rules = () if scope.team is None else rule_rows(one for one in self._rules if one.team is scope.team)
        return _page(self._sweep, entries, rules, scope)


def page_of(sweep: Sweep, scope: TicketScope = WHOLE) -> ReportPage:
    """Build the content of a sweep's report, or of one team's ticket."""
    return ReportPages(sweep).page(scope)


def _page(
    sweep: Sweep, entries: tuple[TicketEntry, ...], rules: tuple[RuleRow, ...], scope: TicketScope
) -> ReportPage:
    plan = sweep.recording.plan
    every, whole = tuple(_rows(sweep, entries, scope)), scope.team is None
    rows = tuple(one for one in every if scope.every_target or one.judged.verdict.outcome is not Outcome.OK)
    sections = (
        ReportSection(title=title, entries=tuple(one for one in entries if _belongs(one.finding, outcomes)))
        for title, outcomes in SECTIONS
    )
    return ReportPage(
        headline=_headline(sweep, entries, scope),
        state={ExitCode.OK: "good", ExitCode.FAILED: "bad"}.get(exit_code(sweep), "unsure"),
        counts=counts_text(count_outcomes(outcomes_of(sweep).values())),
        notices=notices(sweep),
        facts=tuple(_facts(sweep, scope)),
        rules=rules,
        sections=tuple(one for one in sections if one.entries),
        changes=tuple(_changes(sweep)) if whole else (),
        unsampled=tuple((one.endpoint, one.need.value, one.why) for one in plan.unsampled) if whole else (),
        notes=plan.notes if whole else (),
        profiles=tuple(by_profile(sweep).items()) if whole else (),
        rows_title="All targets" if scope.every_target and whole else "Targets that are not ok",
        rows=rows,
        rows_left_out=len(every) - len(rows),
    )


def _belongs(finding: ReportedFinding, outcomes: tuple[Outcome, ...] | None) -> bool:
    """Return whether a finding belongs to a section; no outcomes: to that of what is not needed."""
    if finding.not_needed or outcomes is None:
        return bool(finding.not_needed) and outcomes is None
    return finding.outcome in outcomes


def _headline(sweep: Sweep, entries: tuple[TicketEntry, ...], scope: TicketScope) -> str:
    """State the conclusion, and name the first required targets that can't be reached.

    A team's ticket says who is asked instead, and of how much.
    """
    if scope.team is not None:
        asked = TEAM_NAMES[scope.team]
        if not entries:
            return f"nothing to ask of {asked}"
        targets = {target.id for one in entries for target in one.finding.targets}
        return f"for {asked}: {count(len(entries), 'finding')} about {count(len(targets), 'target')}"
    outcomes = sweep.deciding
    bad = (Outcome.BLOCKED, Outcome.DOWN)
    failing = [shown_place(one) for one in sweep.recording.plan.targets if outcomes.get(one.id) in bad]
    return f"{conclude(sweep)}: {name_first(failing)}" if failing else conclude(sweep)


def _facts(sweep: Sweep, scope: TicketScope) -> Iterator[tuple[str, str]]:
    recording, plan = sweep.recording, sweep.recording.plan
    place = f"region {plan.region or 'not given'}, cloud {plan.cloud}, catalog {plan.catalog_revision}"
    if scope.team is not None:
        yield "sweep", conclude(sweep)
    yield "when", f"{recording.started} to {recording.finished} ({seconds_of(recording):.1f} s)"
    yield "from", describe_vantage(recording)
    yield "for", place
    yield (
        "by",
        f"egressd {__version__}, run {recording.id}, configuration {plan.config_digest[:12] or 'none'}",
    )


def _changes(sweep: Sweep) -> Iterator[str]:
    changes = diff_since_baseline(sweep)
    if changes is not None:
        yield f"Since {moment_before(changes)}: {summarize_diff(changes)}"
        for heading, lines in diff_lines(changes):
            yield from (f"{heading.capitalize()}: {line}" for line in lines)


def _rows(sweep: Sweep, entries: tuple[TicketEntry, ...], scope: TicketScope) -> Iterator[TargetRow]:
    """Yield the targets from each source, the worst outcome first, else in the order of the plan.

    Those of a team's ticket are the targets of its findings.
    """
    concerned = {target.id for one in entries for target in one.finding.targets}
    targets, trails = {one.id: one for one in sweep.recording.plan.targets}, trails_of(sweep)
    rows = [
        TargetRow(
            target=targets[judged.target],
            judged=one,
            connection=connection_of(judged.target, one, trails),
        )
        for judged in sweep.verdicts
        if scope.team is None or judged.target in concerned
        for one in judged.by_source
    ]
    yield from sorted(rows, key=lambda one: -one.judged.verdict.outcome.severity)
