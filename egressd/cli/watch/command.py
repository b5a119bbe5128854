"""`egressd watch`: the same configuration and options as a sweep, and what a watch adds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from egressd import clock
from egressd.cli import options
from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging
from egressd.cli.output import confirm_output, write, write_report
from egressd.cli.outputfile import check_output
from egressd.cli.saved import only_failed, read_baseline, render_diff
from egressd.cli.settings import read_settings, refuse_sources, settings_secrets
from egressd.cli.sweep.once import stopped_by_signals, tune_collector
from egressd.cli.sweep.stream import LineStream
from egressd.cli.watch.keyboard import ignore_requests, open_keyboard, signalled
from egressd.cli.watch.lab import LabConfiguration
from egressd.config import Flags
from egressd.errors import ExitCode, UsageError
from egressd.fields.parse import parse_duration
from egressd.model.verdict import Sweep

if TYPE_CHECKING:
    from egressd.cli.watch.watch import Watch
    from egressd.model.catalog import Catalog
    from egressd.model.recording import Baseline
    from egressd.model.settings import Settings


MIN_INTERVAL = 1.0
DEFAULT_INTERVAL, LAB_INTERVAL = 5.0, 2.0
"""Seconds, and those in a lab."""


Interval = Annotated[
    str | None,
    typer.Option("--interval", metavar="TIME", help="How often to probe what fails; else every 5s."),
]
Limit = Annotated[
    str | None, typer.Option("--for", metavar="TIME", help="End after this long, whatever the state.")
]
LastFormat = Annotated[
    options.Format | None,
    typer.Option(
        "--format", "-f", help="What the last report is written as; else by the suffix of --output."
    ),
]
LastOutput = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write a report of the last state there.", readable=False
    ),
]
DiffFile = Annotated[
    Path | None,
    typer.Option(
        "--diff",
        metavar="FILE",
        help="Write what changed since the start there: text, or by suffix .json, .md or .html.",
        readable=False,
    ),
]


@guarded
@options.takes_display("colour", "quiet")
@options.takes_flags(*options.PLAN_FLAGS, "deadline")
def watch(
    *,
    config_file: options.ConfigFile = None,
    flags: Flags,
    interval: Interval = None,
    limit: Limit = None,
    fmt: LastFormat = None,
    output: LastOutput = None,
    diff: DiffFile = None,
    baseline: options.BaselineFile = None,
    only_failed_in: options.OnlyFailed = None,
    log_level: options.LogLevel = Level.WARN,
    log_format: options.LogFormat = Form.HUMAN,
) -> ExitCode:
    """Probe again and again, show what changes at once, and end when every required target is ok.

    Made for a change window: what fails is probed every few seconds, everything every minute, and at once on
    Enter or r, or when it gets SIGUSR1. `--format jsonl` writes JSON Lines while it goes on. Exit codes are
    those of a sweep, by the last state; Ctrl-C shows what still fails and what changed, and ends with 130.
    """
    ignore_requests()
    every, seconds = _seconds("--interval", interval), _seconds("--for", limit)
    if every is not None and every < MIN_INTERVAL:
        raise UsageError(f"--interval must be at least 1s, not {interval!r}")
    lines = options.format_for(fmt, output) is options.Format.JSONL
    if fmt is not None and output is None and not lines:
        raise UsageError("--format needs --output: stdout shows what changes")
    for file in (output, diff):
        check_output(file)
    settings, catalog = read_settings(config_file, flags)
    refuse_sources(settings, flags)
    settings = only_failed(settings, only_failed_in, baseline=baseline)
    configure_logging(log_level, log_format, secrets=settings_secrets(settings))
    one = _make(settings, catalog, baseline=read_baseline(baseline), every=every, limit=seconds)
    if one.simulated and config_file is not None:
        one.lab_file = LabConfiguration(path=config_file, flags=flags, catalog=catalog)
    one.screen.muted = lines and output is None
    tune_collector()
    try:
        sweep = asyncio.run(_stream(one, output) if lines else _run(one))
    finally:
        one.screen.show_status("")
    _close(sweep, one)
    if lines:
        confirm_output(sweep, output)
    elif output is not None:
        write_report(sweep, fmt, output)
    if diff is not None:
        write(render_diff(one.journal.since_start(sweep), None, diff, timeline=one.journal.timeline), diff)
    from egressd.report.summary import exit_code

    return exit_code(sweep)


def _make(
    settings: Settings,
    catalog: Catalog,
    *,
    baseline: Baseline | None,
    every: float | None,
    limit: float | None,
) -> Watch:
    """Make a watch; it probes more often in a lab, where that costs nobody anything."""
    from egressd.cli.watch.watch import Watch
    from egressd.engine.schedule import is_simulated
    from egressd.engine.session import Session

    session = Session(settings, catalog, baseline=baseline, reuse=True)
    simulated = is_simulated(session.plan)
    usual = LAB_INTERVAL if simulated else DEFAULT_INTERVAL
    return Watch(session=session, every=every or usual, limit=limit, simulated=simulated)


def _seconds(flag: str, text: str | None) -> float | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{flag} {error}") from None


async def _stream(one: Watch, output: Path | None) -> Sweep:
    from egressd.report.stream import verdict_lines

    with LineStream(output, one.stop.set) as one.stream:
        sweep = await _run(one)
        changes = one.journal.since_start(sweep)
        one.stream.write(*verdict_lines(sweep, at=clock.timestamp(), since=changes))
    return sweep


async def _run(one: Watch) -> Sweep:
    def abort() -> None:
        if one.keyboard is not None:
            one.keyboard.close()
        if one.stream is not None:
            one.stream.end_at_once()

    with (
        stopped_by_signals(one.stop, clear=one.screen.clear, abort=abort),
        signalled(one.request),
        open_keyboard(one.request) as one.keyboard,
    ):
        return await one.run()


def _close(sweep: Sweep, one: Watch) -> None:
    """Show what still fails, what changed since the start, and how it ended."""
    from egressd.cli.watch.messages import closing_lines
    from egressd.report.summary import conclude
    from egressd.report.table import render_findings
    from egressd.report.text import fold

    screen, journal = one.screen, one.journal
    left = render_findings(sweep, width=screen.width, colour=screen.colour)
    lines = ["", *left.rstrip().splitlines(), ""] if left else [""]
    changes = closing_lines(
        journal.since_start(sweep), passes=journal.passes, elapsed=journal.elapsed, width=screen.width
    )
    screen.print([*lines, *changes, *fold(conclude(sweep), width=screen.width)])
