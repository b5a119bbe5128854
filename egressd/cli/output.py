"""Write reports to stdout, or to a file that is replaced as a whole."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from egressd.cli.display import DISPLAY, note, wants_colour, width
from egressd.cli.guard import discard_stdout
from egressd.cli.options import Format, RuleFormat, format_for
from egressd.cli.outputfile import write_output
from egressd.errors import OutputError
from egressd.inputfile import why_unusable
from egressd.model.verdict import Sweep, Team
from egressd.report.ticket.scope import WHOLE, TicketScope

if TYPE_CHECKING:
    from egressd.firewall.document import RuleSet

READABLE = 0o644
"""The mode of files for another service: node_exporter runs as another user, whatever our umask."""


def write_report(sweep: Sweep, fmt: Format | None, output: Path | None, scope: TicketScope = WHOLE) -> None:
    """Write a report, and print a summary on stderr if it went to a file.

    No format: that of the file's suffix.
    """
    fmt = format_for(fmt, output)
    mode = READABLE if fmt is Format.PROMETHEUS else None
    if not _write_pieces(lambda: _report_pieces(sweep, fmt, output, scope), output, mode=mode):
        raise OutputError("cannot write the report to stdout: its reader has gone")
    confirm_output(sweep, output)


def _report_pieces(sweep: Sweep, fmt: Format, output: Path | None, scope: TicketScope) -> Iterable[str]:
    """Return a report in pieces: JSON holds every fact, and the text of 20,000 targets is a burden."""
    if fmt is not Format.JSON:
        return (render(sweep, fmt, output=output, scope=scope),)
    from egressd.report.saved import json_pieces

    return map(bytes.decode, json_pieces(sweep))


def confirm_output(sweep: Sweep, output: Path | None) -> None:
    """Print a summary on stderr if the report went to a file."""
    if output is not None:
        from egressd.report.summary import conclude

        note(f"wrote {output}: {conclude(sweep)}")


def write_rules(rules: RuleSet, fmt: RuleFormat, output: Path | None) -> None:
    """Write rules in a language, and print on stderr what the language has no comments for."""
    from egressd.firewall.languages import LANGUAGES

    language = LANGUAGES[fmt]
    write(language.render(rules), output)
    for one in language.notes(rules):
        note(one)


def render(sweep: Sweep, fmt: Format, *, output: Path | None, scope: TicketScope = WHOLE) -> str:
    """Render a sweep; a table fits itself to stdout, or to the file that it is for.

    Formats for people show what is in the scope, those for programs everything.
    """
    match fmt:
        case Format.TABLE:
            return _render_for_people(sweep, scope.team, columns=width(output), colour=wants_colour(output))
        case Format.JSON:
            from egressd.report.saved import to_json

            return to_json(sweep)
        case Format.JSONL:
            from egressd.report.stream import render_stream

            return render_stream(sweep)
        case Format.CSV:
            from egressd.report.ticket.csv import render_csv

            return render_csv(sweep, scope.team)
        case Format.PROMETHEUS:
            from egressd.catalog import load_catalog
            from egressd.metrics.once import render_prometheus

            return render_prometheus(sweep, load_catalog())
        case _:
            return _render_ticket(sweep, fmt, scope)


def _render_for_people(sweep: Sweep, team: Team | None, *, columns: int, colour: bool) -> str:
    """Render a sweep as a table; with `--quiet` only what fails, and nothing where all is well."""
    from egressd.report.table import render_failures, render_table

    if DISPLAY.quiet:
        return render_failures(sweep, width=columns, colour=colour, team=team)
    return render_table(sweep, width=columns, colour=colour, verbose=DISPLAY.verbose, team=team)


def _render_ticket(
    sweep: Sweep, fmt: Literal[Format.MARKDOWN, Format.HTML, Format.JUNIT], scope: TicketScope
) -> str:
    """Render a sweep for tickets and CI."""
    match fmt:
        case Format.MARKDOWN:
            from egressd.report.ticket.markdown import render_markdown

            return render_markdown(sweep, scope)
        case Format.HTML:
            from egressd.report.ticket.html import render_html

            return render_html(sweep, scope)
        case Format.JUNIT:
            from egressd.report.ticket.junit import render_junit

            return render_junit(sweep)


def write(text: str, output: Path | None) -> None:
    """Write text to a file or to stdout; if the file can't be written, write to stdout."""
    _write_pieces(lambda: (text,), output)


def _write_pieces(
    pieces: Callable[[], Iterable[str]], output: Path | None, *, mode: int | None = None
) -> bool:
    """Write text likewise, made again where it goes to stdout; return whether somebody took it.

    `mode` is that of a file that is new; None for what the umask allows.
    """
    if output is None:
        return all(map(to_stdout, pieces()))
    try:
        write_output(output, map(str.encode, pieces()), mode=mode)
    except OSError as error:
        all(map(to_stdout, pieces()))
        why = why_unusable(output, error)
        raise OutputError(f"cannot write {output}: {why}; the report went to stdout") from None
    return True


def print_line(line: str) -> None:
    """Write a line to stdout at once."""
    to_stdout(line + "\n")


def allow_any_text(stream: TextIO) -> None:
    """Escape what the stream's encoding lacks; keep line ends as they are, because CSV has its own."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace", newline="")


def to_stdout(text: str) -> bool:
    """Write to stdout at once; return whether its reader is still there.

    Raises:
        OutputError: it can't be written.
    """
    allow_any_text(sys.stdout)
    try:
        _write_all(sys.stdout, text)
    except BrokenPipeError:
        discard_stdout()
        return False
    except OSError as error:
        discard_stdout()
        raise OutputError(f"cannot write to stdout: {error.strerror}") from None
    return True


def _write_all(stream: TextIO, text: str) -> None:
    """Write all of a text, also to a pipe that is full for now and that another program made non-blocking."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no descriptor: a test, or a library's caller
        stream.write(text)
        stream.flush()
        return
    stream.flush()
    write_bytes(number, text.encode(stream.encoding, stream.errors or "strict"))


def write_bytes(number: int, data: bytes) -> None:
    """Write all of it to a descriptor, which another program may have made non-blocking. Raises OSError."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(number, left) :]
        except BlockingIOError:
            select.select((), (number,), ())
