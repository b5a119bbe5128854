"""One sweep from the command line: progress, signals, report, exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TextIO

from egressd import clock
from egressd.cli.display import DISPLAY, is_terminal, note
from egressd.cli.guard import print_stderr, write_stderr
from egressd.cli.options import Format, format_for
from egressd.cli.output import confirm_output
from egressd.cli.outputfile import check_output
from egressd.cli.sweep.stream import LineStream
from egressd.cli.ticket import NO_TICKET, TicketFlags, write_tickets
from egressd.engine.once import Progress, run_once
from egressd.errors import ExitCode
from egressd.model.catalog import Catalog
from egressd.model.plan import Plan, Probe
from egressd.model.recording import Baseline, ProbeRecord
from egressd.model.settings import Settings
from egressd.model.verdict import Sweep
from egressd.report.diff.sweep_diff import diff_since_baseline
from egressd.report.summary import exit_code

SIGNALS = (signal.SIGINT, signal.SIGTERM)
YOUNG = 10_000
"""New objects between two collections of garbage."""


def sweep_once(
    settings: Settings,
    catalog: Catalog,
    *,
    fmt: Format | None,
    output: Path | None,
    baseline: Baseline | None = None,
    ticket: TicketFlags = NO_TICKET,
) -> ExitCode:
    """Sweep and report; changes since a baseline are summarized on stderr."""
    check_output(output)
    tune_collector()
    if format_for(fmt, output) is Format.JSONL:
        sweep = asyncio.run(stream_until_stopped(settings, catalog, output=output, baseline=baseline))
        confirm_output(sweep, output)
    else:
        sweep = asyncio.run(sweep_until_stopped(settings, catalog, baseline=baseline))
        write_tickets(sweep, fmt, output, ticket)
    if (changes := diff_since_baseline(sweep)) is not None:
        from egressd.report.diff.render_diff import summarize_diff

        note(f"since the baseline: {summarize_diff(changes)}")
    return exit_code(sweep)


def tune_collector() -> None:
    """Begin to collect garbage: modules and catalog stay, and no collection during the sweep visits them."""
    gc.freeze()
    gc.set_threshold(YOUNG)


async def sweep_until_stopped(
    settings: Settings, catalog: Catalog, *, baseline: Baseline | None = None
) -> Sweep:
    """Sweep until done; the first signal ends it early, the second ends the process."""
    stop = asyncio.Event()
    with progress_line() as line, stopped_by_signals(stop, clear=line.clear if line else None):
        return await run_once(settings, catalog, progress=line, stop=stop, baseline=baseline)


async def stream_until_stopped(
    settings: Settings, catalog: Catalog, *, output: Path | None, baseline: Baseline | None = None
) -> Sweep:
    """Sweep until done and write lines meanwhile; a reader that goes ends it."""
    from egressd.report.stream import verdict_lines

    stop = asyncio.Event()
    shown = progress_line() if output is not None or not is_terminal() else nullcontext()
    with shown as line, LineStream(output, stop.set) as stream:
        clear = line.clear if line else None
        with stopped_by_signals(stop, clear=clear, abort=stream.end_at_once):
            listener = SweepLines(stream)
            sweep = await run_once(
                settings, catalog, progress=line, listener=listener, stop=stop, baseline=baseline
            )
            stream.write(*verdict_lines(sweep, at=clock.timestamp()))
    return sweep


class SweepLines:
    """Writes the lines about a sweep while it runs."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream
        self._probes: dict[str, Probe] = {}

    def planned(self, plan: Plan) -> None:
        """Write the first line."""
        from egressd.report.stream import start_line

        self._probes = {one.id: one for one in plan.probes}
        self._stream.write(start_line(plan, at=clock.timestamp()))

    def probed(self, record: ProbeRecord) -> None:
        """Write the line about a probe."""
        from egressd.report.stream import probe_line

        self._stream.write(probe_line(self._probes[record.probe], record, at=clock.timestamp()))


@contextmanager
def stopped_by_signals(
    stop: asyncio.Event,
    *,
    clear: Callable[[], None] | None = None,
    abort: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Set an event on the first SIGINT or SIGTERM, and end the process on the second.

    `clear` makes room on a terminal for the message about it; `abort` is called before the process ends.
    """
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            if abort is not None:
                abort()
            os._exit(ExitCode.INTERRUPTED)
        stop.set()
        if clear is not None:
            clear()
        print_stderr("stopping; once more to abort")

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


class ProgressLine:
    """One line on a terminal, written over and over."""

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        text = f"probing {progress.done}/{progress.total}  ok {progress.ok}  failing {progress.failing}"
        write_stderr(f"\r\x1b[K{text}")

    def clear(self) -> None:
        """Remove the line."""
        write_stderr("\r\x1b[K")


def is_rewritable(stream: TextIO) -> bool:
    """Say whether a stream is a terminal that can write a line over and over."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def progress_line() -> Iterator[ProgressLine | None]:
    """Give a progress line where stderr is a terminal that can rewrite one, and nobody asked for quiet."""
    if DISPLAY.quiet or not is_rewritable(sys.stderr):
        yield None
        return
    line = ProgressLine()
    try:
        yield line
    finally:
        line.clear()
