"""Commands on saved reports: judge again, compare, and use as a baseline."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from egressd.cli import options
from egressd.cli.display import width
from egressd.cli.guard import guarded
from egressd.cli.output import write, write_rules
from egressd.cli.outputfile import check_output
from egressd.cli.ticket import TicketFlags, takes_ticket, write_tickets
from egressd.errors import ExitCode, ReportFileError, UnreadableFileError, UsageError
from egressd.inputfile import read_file_or_pipe
from egressd.model.endpoint import Need
from egressd.model.recording import Baseline
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep, Team

if TYPE_CHECKING:
    from egressd.report.diff.render_diff import Timeline
    from egressd.report.diff.sweep_diff import SweepDiff

Saved = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A report written with --format json; - is stdin.", readable=False),
]


class DiffFormat(StrEnum):
    """What changes are written as."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


DIFF_FORMAT_OF_SUFFIX: Mapping[str, DiffFormat] = {
    ".json": DiffFormat.JSON,
    ".md": DiffFormat.MARKDOWN,
    ".markdown": DiffFormat.MARKDOWN,
    ".html": DiffFormat.HTML,
    ".htm": DiffFormat.HTML,
}
"""What changes are written as in a file whose format is not given; any other is text."""


@guarded
@options.takes_display("colour", "quiet", "verbose")
@takes_ticket
def replay(
    file: Saved,
    *,
    fmt: options.ReportFormat = None,
    output: options.Output = None,
    ticket: TicketFlags,
) -> ExitCode:
    """Judge a saved sweep again, by the rules of this version."""
    from egressd.report.summary import exit_code

    check_output(output)
    ticket.check(fmt, output)
    sweep = read_saved(file)
    write_tickets(sweep, fmt, output, ticket)
    return exit_code(sweep)


@guarded
def rules(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Reports written with --format json, of one host or of many; - is stdin.",
            readable=False,
        ),
    ],
    *,
    fmt: options.RuleLanguage = options.RuleFormat.LIST,
    team: Annotated[
        list[Team] | None, typer.Option("--team", help="Only what this team can add; repeat for more.")
    ] = None,
    need: Annotated[
        list[Need] | None, typer.Option("--need", help="Only rules of this need; repeat for more.")
    ] = None,
    output: options.Output = None,
) -> ExitCode:
    """Write the rules that the failures of reports ask for, in the language of a device."""
    from egressd.firewall import Asks

    check_output(output)
    if [str(one) for one in files].count("-") > 1:
        raise UsageError("only one of the reports can come from stdin")
    first, *others = (Asks(read_saved(one)).document() for one in files)
    asked = first.joined(*others)
    wanted = (one for one in asked.rules if (not team or one.team in team) and (not need or one.need in need))
    write_rules(replace(asked, rules=tuple(wanted)), fmt, output)
    return ExitCode.OK


@guarded
def diff(
    before: Annotated[
        Path, typer.Argument(metavar="BEFORE", help="An earlier report; - is stdin.", readable=False)
    ],
    after: Annotated[
        Path, typer.Argument(metavar="AFTER", help="A later report; - is stdin.", readable=False)
    ],
    *,
    fmt: Annotated[
        DiffFormat | None,
        typer.Option(
            "--format", "-f", help="What the changes are written as; else by the suffix of --output."
        ),
    ] = None,
    output: options.Output = None,
) -> ExitCode:
    """Show what changed between two saved sweeps; exit code 1 if something fails that did not before."""
    from egressd.report.diff.sweep_diff import compare_sweeps

    check_output(output)
    if str(before) == str(after) == "-":
        raise UsageError("only one of the two reports can come from stdin")
    changes = compare_sweeps(read_saved(before), read_saved(after))
    write(render_diff(changes, fmt, output), output)
    return ExitCode.FAILED if changes.new_failures else ExitCode.OK


def render_diff(
    changes: SweepDiff, fmt: DiffFormat | None, output: Path | None, *, timeline: Timeline = ()
) -> str:
    """Render changes in a format; None: that of the file's suffix."""
    from egressd.report.diff import diff_page, render_diff

    named = DIFF_FORMAT_OF_SUFFIX.get(output.suffix.lower()) if output is not None else None
    match fmt or named or DiffFormat.TEXT:
        case DiffFormat.JSON:
            return render_diff.render_diff_json(changes, timeline=timeline)
        case DiffFormat.MARKDOWN:
            return diff_page.render_diff_markdown(changes, timeline=timeline)
        case DiffFormat.HTML:
            return diff_page.render_diff_html(changes, timeline=timeline)
        case DiffFormat.TEXT:
            return render_diff.render_diff_text(changes, width=width(output), timeline=timeline)


def read_baseline(file: Path | None) -> Baseline | None:
    """Read the baseline of a sweep. Raises ReportFileError."""
    if file is None:
        return None
    from egressd.attribution import baseline_of

    return baseline_of(read_saved(file))


def only_failed(settings: Settings, file: Path | None, *, baseline: Path | None = None) -> Settings:
    """Limit what is probed to what failed in a report.

    Raises:
        ReportFileError: it can't be read, or is no report.
        UsageError: nothing failed there, or it is to come from stdin together with the baseline.
    """
    if file is None:
        return settings
    from egressd.engine.failed import failed_before

    if str(file) == str(baseline) == "-":
        raise UsageError("only one of --only-failed and --baseline can come from stdin")
    failed = failed_before(read_saved(file), strict=settings.strict)
    if not failed.endpoints:
        raise UsageError(f"nothing failed in {file}; leave --only-failed out to probe everything")
    return replace(settings, only_failed=failed)


def read_saved(file: Path) -> Sweep:
    """Judge a saved report by the rules of this version.

    Raises:
        ReportFileError: it can't be read, or is no report.
    """
    return judge_saved(file, read_saved_text(file))


def judge_saved(file: Path, text: str) -> Sweep:
    """Judge the text of a saved report. Raises ReportFileError: it is none."""
    from egressd.attribution import judge
    from egressd.bugs import report_bug
    from egressd.report.saved import from_json

    try:
        return judge(from_json(text), on_bug=report_bug)
    except ReportFileError as error:
        raise ReportFileError(f"cannot read {file} as a report: {error}") from None


def read_saved_text(file: Path) -> str:
    """Read the text of a report, up to one byte beyond what one may have. Raises ReportFileError."""
    from egressd.report.bounds import MAX_CHARACTERS

    try:
        return _read_text(file, limit=MAX_CHARACTERS)
    except UsageError as error:
        raise ReportFileError(f"cannot read {file} as a report: {error}") from None


def _read_text(file: Path, *, limit: int) -> str:
    """Read UTF-8 text, up to one byte beyond `limit`. Raises UsageError with the reason alone."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit + 1).decode()
        return read_file_or_pipe(file, limit=limit).decode()
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text") from None
    except UnreadableFileError as error:
        raise UsageError(str(error).removeprefix(f"cannot read {file}: ")) from None
    except OSError as error:  # of stdin
        raise UsageError(error.strerror or str(error)) from None
