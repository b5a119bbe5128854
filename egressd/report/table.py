"""The text report: what happened, who caused it and how sure each is, and what to ask for.

Failures first, one entry for each finding; plain characters, so that it can be pasted into a mail or ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct, field

from egressd import __version__
from egressd.attribution.blame.claims import ruled_out_lines
from egressd.errors import ExitCode
from egressd.firewall import Asks
from egressd.model.endpoint import Need
from egressd.model.plan import Target, Unsampled
from egressd.model.verdict import Outcome, Sweep, Team
from egressd.planning.render import table
from egressd.report.diff.render_diff import diff_blocks, moment_before, summarize_diff
from egressd.report.diff.sweep_diff import diff_since_baseline
from egressd.report.findings import ReportedFinding, reported_findings
from egressd.report.public_dns import without_public_dns
from egressd.report.summary import (
    by_profile,
    conclude,
    count_outcomes,
    counts_text,
    describe_vantage,
    exit_code,
    outcomes_of,
    seconds_of,
)
from egressd.report.text import Style, clean, colourize, fold
from egressd.report.ticket.connection import connection_of, trails_of
from egressd.report.ticket.rule_row import rule_lines
from egressd.report.ticket.scope import TEAM_NAMES
from egressd.report.ticket.teams import findings_of_team, rules_of_reported
from egressd.wording import count

LEAST_WIDTH = 50
MOST_HOSTS = 8
MOST_NAMES = 6

_SECTIONS = (
    ("FAILING", (Outcome.BLOCKED, Outcome.DOWN), Style.RED),
    ("DEGRADED", (Outcome.DEGRADED,), Style.YELLOW),
    ("UNKNOWN", (Outcome.UNKNOWN,), Style.YELLOW),
    ("FOR INFORMATION", (Outcome.OK,), Style.BOLD),
)


class _Details(Struct, frozen=True, kw_only=True):
    """What findings are shown with."""

    asks: Asks
    latency: Mapping[str, str] = field(default_factory=dict)
    """The latency of each target by its id; empty: it is not shown."""


def render_table(
    sweep: Sweep,
    *,
    width: int = 80,
    colour: bool = False,
    verbose: bool = False,
    team: Team | None = None,
) -> str:
    """Render a sweep; no line is wider than `width`, which is at least 50.

    `verbose` lists what passed, too, and how long each phase took. With a team only its findings.
    """
    width = max(width, LEAST_WIDTH)
    if team is not None:
        return _team_table(sweep, team, width=width, colour=colour, verbose=verbose)
    blocks = [_no_public_dns(sweep, width=width, colour=colour), _headline(sweep, width=width, colour=colour)]
    findings = reported_findings(sweep)
    blocks += _findings(findings, width=width, colour=colour, details=_details(sweep, verbose=verbose))
    blocks += [_passed(sweep, width=width, colour=colour)] if verbose else []
    blocks += _since(sweep, width=width)
    blocks += [_unsampled(sweep, width=width), _not_in_use(sweep, width=width)]
    blocks += [_notes(sweep, width=width), _profiles(sweep, width=width)]
    blocks.append(_conclusion(sweep, width=width, colour=colour))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _team_table(sweep: Sweep, team: Team, *, width: int, colour: bool, verbose: bool) -> str:
    """Render the findings of one team, and how the sweep ended."""
    findings = findings_of_team(sweep, team)
    details = _details(sweep, verbose=verbose)
    blocks = [
        _no_public_dns(sweep, width=width, colour=colour),
        fold(f"{count(len(findings), 'finding')} for {TEAM_NAMES[team]}", width=width),
        *_findings(findings, width=width, colour=colour, details=details),
        _conclusion(sweep, width=width, colour=colour),
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines) + "\n"


def _details(sweep: Sweep, *, verbose: bool) -> _Details:
    return _Details(asks=Asks(sweep), latency=_latency(sweep) if verbose else {})


def _latency(sweep: Sweep) -> Mapping[str, str]:
    """Return the latency of each target by its id."""
    trails = trails_of(sweep)
    return {
        judged.target: connection_of(judged.target, one, trails).latency_text
        for judged in sweep.verdicts
        for one in reversed(judged.by_source)
    }


def render_failures(sweep: Sweep, *, width: int = 80, colour: bool = False, team: Team | None = None) -> str:
    """Render what makes a sweep fail, and how it ended; empty if it is a success."""
    if exit_code(sweep) is ExitCode.OK:
        return ""
    width = max(width, LEAST_WIDTH)
    if team is not None:
        return _team_table(sweep, team, width=width, colour=colour, verbose=False)
    conclusion = "\n".join(_conclusion(sweep, width=width, colour=colour))
    return f"{render_findings(sweep, width=width, colour=colour)}{conclusion}\n"


def render_findings(sweep: Sweep, *, width: int = 80, colour: bool = False) -> str:
    """Render the findings whose outcome is not ok; empty if there are none."""
    width = max(width, LEAST_WIDTH)
    findings = [one for one in reported_findings(sweep) if one.outcome is not Outcome.OK]
    blocks = _findings(findings, width=width, colour=colour, details=_details(sweep, verbose=False))
    return "".join("\n".join(lines) + "\n\n" for lines in blocks)


def _findings(
    findings: Sequence[ReportedFinding], *, width: int, colour: bool, details: _Details
) -> Iterator[list[str]]:
    """Yield a heading for each group of outcomes, then its findings; degraded ones in short."""
    for title, some, style in _SECTIONS:
        chosen = [one for one in findings if one.outcome in some and not one.not_needed]
        full = some != (Outcome.DEGRADED,)
        if chosen:
            yield [colourize(title, style, colour=colour)]
        for number, one in enumerate(chosen, 1):
            yield _finding(one, number, width=width, colour=colour, full=full, details=details)
    spared = [one for one in findings if one.not_needed]
    if spared:
        yield [colourize("NOT NEEDED", Style.BOLD, colour=colour)]
    for number, one in enumerate(spared, 1):
        yield _finding(one, number, width=width, colour=colour, full=True, details=details)


def _no_public_dns(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    """Say first that there is no public DNS, if so: the rest follows from it."""
    missing = without_public_dns(sweep.recording)
    lines = fold(missing.text, width=width) if missing is not None else []
    return [colourize(line, Style.RED, colour=colour) for line in lines]


def _headline(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    """Return the counts, then from where and when the sweep was made."""
    recording = sweep.recording
    plan = recording.plan
    place = f"region {plan.region}, " if plan.region else ""
    made = f"egressd {__version__}, {recording.started}, {seconds_of(recording):.1f} s"
    lines = [
        *fold(f"{made}, {place}cloud {plan.cloud}, catalog {plan.catalog_revision}", width=width),
        *fold(f"from {describe_vantage(recording)}", width=width, rest="  "),
    ]
    summary = counts_text(count_outcomes(outcomes_of(sweep).values()))
    return [colourize(line, Style.BOLD, colour=colour) for line in fold(summary, width=width)] + lines


def _finding(
    finding: ReportedFinding,
    number: int,
    *,
    width: int,
    colour: bool,
    full: bool,
    details: _Details,
) -> list[str]:
    """Render title, claims, hosts and rules of a finding; `full` adds who is ruled out, and the evidence."""
    title = fold(finding.title, width=width, first=f"{number:2}. ")
    lines = [colourize(line, Style.BOLD, colour=colour) for line in title]
    rules = rule_lines(rules_of_reported(finding, details.asks))
    asked = (("rule", one) for one in rules)
    for name, text in (*_parts(finding, full=full), *asked, *_took(finding, details.latency)):
        lines += fold(text, width=width, first=f"    {name:7}")
    return lines


def _parts(finding: ReportedFinding, *, full: bool) -> Iterator[tuple[str, str]]:
    """Yield the parts of a finding, each with its name."""
    yield "what", f"{finding.what}; {_members(finding)}"
    if finding.not_needed:
        yield "but", f"not needed: {finding.not_needed}"
    if finding.blame:
        yield "who", finding.who
    if full:
        yield from (("not", line) for line in ruled_out_lines(finding.ruled_out))
    if finding.targets:
        yield "hosts", _hosts(finding.targets)
    if full and finding.evidence:
        yield "seen", finding.evidence[0]
    if finding.advice:
        yield "ask", finding.advice


def _took(finding: ReportedFinding, latency: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield how long each phase took, host by host."""
    known = ((one, latency.get(one.id)) for one in finding.targets)
    texts = (f"{one.id.partition('/')[2] or one.host}: {spent}" for one, spent in known if spent)
    yield from (("took", text) for text in dict.fromkeys(texts))


def _members(finding: ReportedFinding) -> str:
    if not finding.targets:
        return "about the path"
    if finding.required == len(finding.targets):
        return count(finding.required, "required target")
    return f"{count(len(finding.targets), 'target')}, {finding.required or 'none'} required"


def _hosts(targets: Iterable[Target]) -> str:
    """Name each host once; of many, the first few."""
    names = list(dict.fromkeys(one.id.partition("/")[2] or one.host for one in targets))
    more = len(names) - MOST_HOSTS
    shown = ", ".join(names[:MOST_HOSTS])
    return f"{shown} and {more} more (--format json or csv lists all)" if more > 0 else shown or "-"


def _passed(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    """List the targets that are ok, each host of a service once, with the latency of its phases."""
    outcomes, latency = outcomes_of(sweep), _latency(sweep)
    passed = (one for one in sweep.recording.plan.targets if outcomes[one.id] is Outcome.OK)
    named = dict.fromkeys(
        f"{one.id.partition('/')[2] or one.host} {one.protocol}: {one.service}; {latency.get(one.id, '')}"
        for one in passed
    )
    lines = [line for text in named for line in fold(text, width=width, first="  - ")]
    return [colourize("PASSED", Style.GREEN, colour=colour), *lines] if lines else []


def _since(sweep: Sweep, *, width: int) -> list[list[str]]:
    """List the changes since the baseline, if there is one."""
    changes = diff_since_baseline(sweep)
    if changes is None:
        return []
    head = fold(f"SINCE THE BASELINE of {moment_before(changes)}: {summarize_diff(changes)}", width=width)
    return [head, *diff_blocks(changes, width=width)]


def _unsampled(sweep: Sweep, *, width: int) -> list[str]:
    """Name the endpoints that were not probed, grouped by the reason: those that have no sample host."""
    rows = [one for one in sweep.recording.plan.unsampled if one.feature is None]
    return _left_out("NOT PROBED: no sample host is known for these endpoints", rows, width=width)


def _not_in_use(sweep: Sweep, *, width: int) -> list[str]:
    """Name those that were left out because their feature is not in use."""
    rows = [one for one in sweep.recording.plan.unsampled if one.feature is not None]
    return _left_out("NOT IN USE, and so not probed", rows, width=width)


def _left_out(title: str, unsampled: list[Unsampled], *, width: int) -> list[str]:
    groups: dict[str, list[Unsampled]] = {}
    for one in unsampled:
        groups.setdefault(one.why, []).append(one)
    if not groups:
        return []
    lines = fold(title, width=width)
    for why, rows in groups.items():
        required = _required(sum(one.need is Need.REQUIRED for one in rows), len(rows))
        names = ", ".join(one.endpoint for one in rows[:MOST_NAMES])
        more = f" and {len(rows) - MOST_NAMES} more (see `egressd plan`)" if len(rows) > MOST_NAMES else ""
        counted = "" if rows[0].feature is not None else f"; {required}"
        lines += fold(f"{why}: {names}{more}{counted}", width=width, first="  - ")
    return lines


def _required(required: int, total: int) -> str:
    share = {0: "none", total: "all"}.get(required, str(required))
    return f"{share} required"


def _notes(sweep: Sweep, *, width: int) -> list[str]:
    notes = sweep.recording.plan.notes
    lines = [line for note in notes for line in fold(note, width=width, first="  - ")]
    return ["NOTES", *lines] if lines else []


def _profiles(sweep: Sweep, *, width: int) -> list[str]:
    """Count targets by profile: as a table, or in sentences if that is too wide."""
    counts_by_profile = by_profile(sweep)
    rows: list[tuple[str, ...]] = [("PROFILE", "TARGETS", "OK", "DEGRADED", "BLOCKED", "DOWN", "UNKNOWN")]
    for name, one in counts_by_profile.items():
        numbers = (one.targets, one.ok, one.degraded, one.blocked, one.down, one.unknown)
        rows.append((clean(name), *(str(number) for number in numbers)))
    lines = table(rows, indent="").splitlines() if counts_by_profile else []
    if all(len(line) <= width for line in lines):
        return lines
    sentences = (f"{name}: {counts_text(one)}" for name, one in counts_by_profile.items())
    return [line for text in sentences for line in fold(text, width=width, rest="  ")]


def _conclusion(sweep: Sweep, *, width: int, colour: bool) -> list[str]:
    styles = {ExitCode.OK: Style.GREEN, ExitCode.FAILED: Style.RED}
    style = styles.get(exit_code(sweep), Style.YELLOW)
    return [colourize(line, style, colour=colour) for line in fold(conclude(sweep), width=width)]
