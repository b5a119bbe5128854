"""The command line of `egressd fleet`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd import clock
from egressd.cli import options
from egressd.cli.display import DISPLAY, note, wants_colour, width
from egressd.cli.guard import guarded, print_stderr
from egressd.cli.output import write
from egressd.cli.outputfile import check_output
from egressd.cli.service.history import parse_time_flag
from egressd.errors import ExitCode, UsageError
from egressd.model.endpoint import Need
from egressd.wording import name_first

if TYPE_CHECKING:
    from egressd.fleet.values import Fleet, FleetReport

MOST_SITES = 12
"""Sites that a message names."""


class FleetFormat(StrEnum):
    """What a fleet is written as."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


FLEET_FORMAT_OF_SUFFIX: Mapping[str, FleetFormat] = {
    ".json": FleetFormat.JSON,
    ".html": FleetFormat.HTML,
    ".htm": FleetFormat.HTML,
}
"""What a file is written as whose format is not given; any other is a table."""

Reports = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[REPORT.json|FOLDER]...",
        help="Reports written with --format json, several of a site over time if there are; folders of them; "
        "- is stdin.",
        readable=False,
    ),
]
PrometheusUrl = Annotated[
    str | None,
    typer.Option("--prometheus", metavar="URL", help="Ask this Prometheus instead of reading reports."),
]
HttpConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--http.config.file",
        metavar="FILE",
        help="TLS and credentials for it, as promtool takes them.",
        readable=False,
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="What it knew then: a duration ago such as 2h, or a UTC time such as 03:10.",
    ),
]


@guarded
@options.takes_display("colour", "quiet")
def fleet(
    paths: Reports = None,
    *,
    prometheus: PrometheusUrl = None,
    http_config_file: HttpConfigFile = None,
    at: At = None,
    site: Annotated[
        list[str] | None,
        typer.Option(
            "--site", metavar="PATTERN", help="Show these sites only, `*` allowed; repeat for more."
        ),
    ] = None,
    need: Annotated[
        list[Need] | None, typer.Option("--need", help="Show places of this need only; repeat for more.")
    ] = None,
    every_row: Annotated[
        bool, typer.Option("--all", help="List the places that are ok at every site, too.")
    ] = False,
    fmt: Annotated[
        FleetFormat | None,
        typer.Option("--format", "-f", help="What it is written as; else by the suffix of --output."),
    ] = None,
    output: options.Output = None,
) -> ExitCode:
    """Put many sites side by side: what fails where, since when, and whose fault it is."""
    from egressd.fleet import judge_fleet
    from egressd.report.fleet.conclusion import conclude_fleet, fleet_exit_code
    from egressd.report.fleet.scope import FleetScope

    _check_flags(paths or [], prometheus, http_config_file, at)
    check_output(output)
    known, complete = _read(paths or [], prometheus, http_config_file, at)
    scope = FleetScope(sites=tuple(site or ()), needs=tuple(need or ()))
    _check_sites(known, scope.sites, any(scope.shows(one.site) for one in known.sites))
    report = scope.part_of(judge_fleet(known))
    write(_render(report, fmt, output, every_row=every_row), output)
    if output is not None:
        note(f"wrote {output}: {conclude_fleet(report)}")
    code = fleet_exit_code(report)
    return code if complete or code is not ExitCode.OK else ExitCode.UNKNOWN


def _check_flags(paths: list[Path], url: str | None, config_file: Path | None, at: str | None) -> None:
    """Refuse what does not go together. Raises UsageError."""
    if paths and url is not None:
        raise UsageError("fleet reads reports or asks --prometheus, not both; leave one of them out")
    if not paths and url is None:
        raise UsageError(
            "name reports or folders of them, or a Prometheus: "
            "egressd fleet reports/, or egressd fleet --prometheus http://127.0.0.1:9090"
        )
    if url is None:
        for flag, given in (("--http.config.file", config_file), ("--at", at)):
            if given is not None:
                raise UsageError(f"{flag} needs --prometheus")


def _read(paths: list[Path], url: str | None, config_file: Path | None, at: str | None) -> tuple[Fleet, bool]:
    """Return the fleet, and whether all that was named could be read."""
    if url is not None:
        from egressd.cli.fleet.server import read_prometheus

        now = clock.now()
        moment = parse_time_flag(at, now=now, flag="--at") if at is not None else now
        if moment > now:
            raise UsageError(f"--at must not be in the future: it is {clock.timestamp(now)}")
        return read_prometheus(url, config_file, at=moment), True
    from egressd.cli.fleet.reports import read_reports, skipped_text

    found, skipped = read_reports(paths)
    if skipped:
        print_stderr(skipped_text(skipped))
    return found, not skipped


def _check_sites(known: Fleet, patterns: tuple[str, ...], matched: bool) -> None:
    """Refuse patterns that no site matches. Raises UsageError."""
    if patterns and known.sites and not matched:
        sites = name_first((one.site for one in known.sites), most=MOST_SITES)
        raise UsageError(f"no site matches --site {', '.join(patterns)}; there are {sites}")


def _render(report: FleetReport, fmt: FleetFormat | None, output: Path | None, *, every_row: bool) -> str:
    """Render a fleet; no format: that of the file's suffix."""
    named = FLEET_FORMAT_OF_SUFFIX.get(output.suffix.lower()) if output is not None else None
    match fmt or named or FleetFormat.TABLE:
        case FleetFormat.JSON:
            from egressd.report.fleet.document import render_fleet_json

            return render_fleet_json(report)
        case FleetFormat.HTML:
            from egressd.report.fleet.html import render_fleet_html

            return render_fleet_html(report, every_row=every_row)
        case FleetFormat.TABLE:
            from egressd.report.fleet.conclusion import fleet_exit_code
            from egressd.report.fleet.table import render_fleet_table

            if DISPLAY.quiet and fleet_exit_code(report) is ExitCode.OK:
                return ""
            columns, colour = width(output), wants_colour(output)
            return render_fleet_table(report, width=columns, colour=colour, every_row=every_row)
