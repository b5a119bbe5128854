"""`egressd watch`: the same configuration and options as a sweep, and what a watch adds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging
from egressd.cli.output import write_report
from egressd.cli.outputfile import check_output
from egressd.cli.saved import only_failed, read_baseline
from egressd.cli.settings import read_settings, refuse_sources, settings_secrets
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError
from egressd.fields.parse import parse_duration
from egressd.model.verdict import Sweep

if TYPE_CHECKING:
    from egressd.cli.watch.screen import Screen
    from egressd.cli.watch.watch import Watch


MIN_INTERVAL = 1.0
DEFAULT_INTERVAL = "5s"


@guarded
@options.takes_display("colour", "quiet")
@options.takes_flags(*options.PLAN_FLAGS, "deadline")
def watch(
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
    interval: Annotated[
        str, typer.Option("--interval", metavar="TIME", help="How often to probe what fails.")
    ] = DEFAULT_INTERVAL,
    limit: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="End after this long, whatever the state.")
    ] = None,
    fmt: Annotated[
        options.Format | None,
        typer.Option(
            "--format", "-f", help="What the last report is written as; else by the suffix of --output."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write a report of the last state there.", readable=False
        ),
    ] = None,
    baseline: options.BaselineFile = None,
    only_failed_in: options.OnlyFailed = None,
    log_level: options.LogLevel = Level.WARN,
    log_format: options.LogFormat = Form.HUMAN,
) -> ExitCode:
    """Probe again and again, show what changes at once, and end when every required target is ok.

    Made for a change window: what fails is probed every few seconds, everything every minute. Exit codes
    are those of a sweep, by the last state; Ctrl-C shows what still fails, and ends with 130.
    """
    every, seconds = _seconds("--interval", interval), _seconds("--for", limit) if limit else None
    if every < MIN_INTERVAL:
        raise UsageError(f"--interval must be at least 1s, not {interval!r}")
    if fmt is not None and output is None:
        raise UsageError("--format needs --output: stdout shows what changes")
    check_output(output)
    settings, catalog = read_settings(config_file, flags)
    refuse_sources(settings, flags)
    settings = only_failed(settings, only_failed_in, baseline=baseline)
    configure_logging(log_level, log_format, secrets=settings_secrets(settings))
    from egressd.cli.watch.watch import Watch
    from egressd.engine.session import Session
    from egressd.report.summary import exit_code

    session = Session(settings, catalog, baseline=read_baseline(baseline), reuse=True)
    one = Watch(session=session, every=every, limit=seconds)
    try:
        sweep = asyncio.run(_run(one))
    finally:
        one.screen.show_status("")
    _close(sweep, one.screen)
    if output is not None:
        write_report(sweep, fmt, output)
    return exit_code(sweep)


def _seconds(flag: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag} {error}") from None


async def _run(one: Watch) -> Sweep:
    from egressd.cli.sweep.once import stopped_by_signals

    with stopped_by_signals(one.session.stop, clear=one.screen.clear):
        return await one.run()


def _close(sweep: Sweep, screen: Screen) -> None:
    """Show what still fails, and how it ended."""
    from egressd.report.summary import conclude
    from egressd.report.table import render_findings
    from egressd.report.text import fold

    left = render_findings(sweep, width=screen.width, colour=screen.colour)
    lines = ["", *left.rstrip().splitlines(), ""] if left else [""]
    screen.print([*lines, *fold(conclude(sweep), width=screen.width)])
