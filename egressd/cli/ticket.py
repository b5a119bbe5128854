"""Options of tickets: one team's part of a report, a file for each team, and every target or failing ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from msgspec import Struct

from egressd.cli.display import note
from egressd.cli.options import Format, format_for, with_signature
from egressd.cli.output import render, write, write_report
from egressd.cli.outputfile import check_output
from egressd.errors import UsageError
from egressd.inputfile import why_unusable
from egressd.model.verdict import Sweep, Team
from egressd.report.ticket.scope import TicketScope

if TYPE_CHECKING:
    from egressd.report.ticket.page import ReportPage

Result = TypeVar("Result")
FOR_TEAMS = (Format.MARKDOWN, Format.HTML, Format.CSV, Format.TABLE)
"""Formats that can be limited to a team; the others are for programs, which get everything."""
LISTING = (Format.MARKDOWN, Format.HTML)
"""Formats that leave out the targets that are ok, unless every one is asked for."""
SUFFIXES = {Format.MARKDOWN: ".md", Format.HTML: ".html", Format.CSV: ".csv", Format.TABLE: ".txt"}
_OPTIONS = {
    "team": Annotated[
        Team | None,
        typer.Option("--team", help="Only what this team can mend: its findings, rules and targets."),
    ],
    "split": Annotated[
        Path | None,
        typer.Option(
            "--split",
            metavar="DIR",
            help="Write a ticket for each team into this folder; Markdown unless --format says else.",
            readable=False,
        ),
    ],
    "every_target": Annotated[
        bool, typer.Option("--all", help="In Markdown and HTML, list the targets that are ok, too.")
    ],
}


class TicketFlags(Struct, frozen=True, kw_only=True):
    """What the options of tickets ask for."""

    team: Team | None = None
    split: Path | None = None
    every_target: bool = False

    def check(self, fmt: Format | None, output: Path | None) -> None:
        """Refuse what has no effect together, before the work is done. Raises UsageError."""
        chosen = format_for(fmt, output)
        if self.split is not None:
            self._check_split(output)
            chosen = fmt or Format.MARKDOWN
        named = " or ".join(one.value for one in FOR_TEAMS)
        if (self.team is not None or self.split is not None) and chosen not in FOR_TEAMS:
            flag = "--team" if self.team is not None else "--split"
            raise UsageError(
                f"{flag} needs --format {named}: {chosen.value} is for programs, which get everything"
            )
        if self.every_target and chosen not in LISTING:
            hint = "; a table lists what passed with -v" if chosen is Format.TABLE else ""
            raise UsageError(f"--all needs --format markdown or html, and not {chosen.value}{hint}")

    def _check_split(self, output: Path | None) -> None:
        if self.team is not None:
            raise UsageError("--split writes a file for every team; leave --team out")
        if output is not None:
            raise UsageError("--split names a folder for the files of all teams; leave --output out")
        if self.split is not None and self.split.exists() and not self.split.is_dir():
            raise UsageError(f"cannot write into {self.split}: it is no folder")


NO_TICKET = TicketFlags()


def takes_ticket(command: Callable[..., Result]) -> Callable[..., Result]:
    """Replace a command's parameter `ticket: TicketFlags` by the options of tickets."""
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        parameters += list(_parameters()) if one.name == "ticket" else [one]

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Result:
        taken = {name: kwargs.pop(name) for name in _OPTIONS}
        return command(*args, ticket=TicketFlags(**taken), **kwargs)

    return with_signature(run, signature, parameters)


def _parameters() -> Iterator[inspect.Parameter]:
    for name, annotation in _OPTIONS.items():
        default = False if name == "every_target" else None
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def write_tickets(sweep: Sweep, fmt: Format | None, output: Path | None, ticket: TicketFlags) -> None:
    """Write a report, or what the options of tickets ask for of it.

    Raises:
        OutputError: it can't be written.
        UsageError: the folder can't be made.
    """
    if ticket.split is None:
        scope = TicketScope(team=ticket.team, every_target=ticket.every_target)
        write_report(sweep, fmt, output, scope)
        return
    chosen = fmt or Format.MARKDOWN
    from egressd.report.summary import conclude
    from egressd.report.ticket.page import ReportPages

    _make_folder(ticket.split)
    pages = ReportPages(sweep)
    for team in Team:
        scope = TicketScope(team=team, every_target=ticket.every_target)
        path = ticket.split / f"{team}{SUFFIXES[chosen]}"
        _write_ticket(sweep, pages.page(scope), chosen, path, scope)

    note(conclude(sweep))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {why_unusable(folder, error)}") from None


def _write_ticket(sweep: Sweep, page: ReportPage, fmt: Format, path: Path, scope: TicketScope) -> None:
    """Write one team's file; one of an earlier sweep that nothing is asked in any more is replaced, too."""
    if not page.sections and not path.exists():
        return
    check_output(path)
    write(_text(sweep, page, fmt, path, scope), path)
    note(f"wrote {path}: {page.headline}")


def _text(sweep: Sweep, page: ReportPage, fmt: Format, path: Path, scope: TicketScope) -> str:
    """Render a team's ticket, of its page where the format has one."""
    match fmt:
        case Format.MARKDOWN:
            from egressd.report.ticket.markdown import markdown_page

            return markdown_page(page)
        case Format.HTML:
            from egressd.report.ticket.html import html_page

            return html_page(page)
        case _:
            return render(sweep, fmt, output=path, scope=scope)
