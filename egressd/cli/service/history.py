"""`egressd history`: what changed, when, and why."""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from egressd import clock
from egressd.cli import options
from egressd.cli.display import is_terminal, wants_colour, width
from egressd.cli.guard import guarded, print_stderr
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.reference.values import complete_reasons
from egressd.cli.settings import read_settings
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError
from egressd.fields.parse import parse_moment
from egressd.model.event import EventKind
from egressd.model.settings import Settings
from egressd.wording import count

DEFAULT_DIRECTORY = Path("/var/lib/egressd")
"""Where the shipped service keeps its state."""


class HistoryFormat(StrEnum):
    """What the history is written as."""

    TABLE = "table"
    JSON = "json"


Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="PATTERN",
        help="Only targets whose id, endpoint or host matches; `*` allowed.",
    ),
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="A duration such as 2h, or a UTC time such as 03:10.")
]
Until = Annotated[str | None, typer.Option("--until", metavar="TIME", help="The same; without it, now.")]
Reasons = Annotated[
    list[str] | None,
    typer.Option(
        "--reason",
        metavar="PATTERN",
        help="Only changes with this reason; repeatable.",
        autocompletion=complete_reasons,
    ),
]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source", "-s", metavar="PATTERN", help="Only what was seen from this source; repeatable."
    ),
]
Sites = Annotated[
    list[str] | None,
    typer.Option(
        "--site", metavar="PATTERN", help="Only what happened while the host had this site; repeatable."
    ),
]
Kinds = Annotated[list[EventKind] | None, typer.Option("--kind", help="Only what is about this; repeatable.")]
Full = Annotated[
    bool, typer.Option("--full", help="All that is known of each event: evidence, advice, targets.")
]


@guarded
@options.takes_display("colour", "quiet")
def history(
    *,
    config_file: options.ConfigFile = None,
    target: Target = None,
    since: Since = "24h",
    until: Until = None,
    reason: Reasons = None,
    source: Sources = None,
    site: Sites = None,
    kind: Kinds = None,
    full: Full = False,
    fmt: Annotated[
        HistoryFormat, typer.Option("--format", "-f", help="What it is written as.")
    ] = HistoryFormat.TABLE,
    output: options.Output = None,
) -> ExitCode:
    """Show what changed, when, and why: from the daemon's state. A line for each change."""
    from egressd.state.history import history_json, mentions_targets, read_history
    from egressd.state.selection import Selection

    now = clock.now()
    begin = parse_time_flag(since, now=now, flag="--since")
    end = parse_time_flag(until, now=now, flag="--until") if until is not None else now
    if end < begin:
        raise UsageError(
            f"--until must be after --since: {clock.timestamp(end)} is before {clock.timestamp(begin)}"
        )
    check_output(output)
    found = read_history(
        directory_of(config_file),
        since=clock.timestamp(begin),
        until=clock.timestamp(end),
        target=target,
        selection=Selection(
            reasons=tuple(reason or ()),
            sources=tuple(source or ()),
            sites=tuple(site or ()),
            kinds=tuple(kind or ()),
        ),
    )
    if found.unreadable:
        print_stderr(f"{count(found.unreadable, 'event')} can't be read, and left out: the file is damaged")
    if target is not None and not mentions_targets(found):
        print_stderr(f"no change of a target that matches {target!r} is on record for that time")
    if fmt is HistoryFormat.JSON:
        write(history_json(found), output)
        return ExitCode.OK
    from egressd.report.history import render_compact, render_history

    columns, colour = width(output), wants_colour(output)
    if full:
        write(render_history(found, width=columns, colour=colour), output)
        return ExitCode.OK
    cut = columns if output is None and is_terminal() else None
    write(render_compact(found, width=cut, colour=colour), output)
    return ExitCode.OK


def directory_of(config_file: Path | None) -> Path:
    """Return where a daemon with this configuration keeps its state."""
    return directory_in(read_settings(config_file, Flags())[0])


def directory_in(settings: Settings) -> Path:
    """Return where a daemon with these settings keeps its state."""
    named = settings.state.directory or os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(named) if named else DEFAULT_DIRECTORY


def parse_time_flag(text: str, *, now: datetime, flag: str) -> datetime:
    """Parse a duration ago, or a time in UTC; a time of day alone is the last one that has passed."""
    try:
        return parse_moment(text, now=now)
    except ValueError as error:
        raise UsageError(f"{flag} {error}") from None
