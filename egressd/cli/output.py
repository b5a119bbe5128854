"""Write reports to stdout, or to a file that is replaced as a whole."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, TextIO

from egressd.cli.guard import discard_stdout, print_stderr
from egressd.cli.options import Format
from egressd.errors import UsageError
from egressd.model.verdict import Sweep

READABLE = 0o644
"""The mode of files for another service: node_exporter runs as another user, whatever our umask."""


def write_report(sweep: Sweep, fmt: Format, output: Path | None) -> None:
    """Write a report, and print a summary on stderr if it went to a file."""
    text = render(sweep, fmt, terminal=output is None)
    write(text, output, mode=READABLE if fmt is Format.PROMETHEUS else None)
    if output is not None:
        from egressd.report.summary import conclude

        print_stderr(f"wrote {output}: {conclude(sweep)}")


def render(sweep: Sweep, fmt: Format, *, terminal: bool) -> str:
    """Render a sweep; `terminal` lets a table fit itself to stdout, if that is one."""
    match fmt:
        case Format.TABLE:
            from egressd.report.table import render_table

            if not terminal:
                return render_table(sweep)
            return render_table(sweep, width=width(), colour=wants_colour())
        case Format.JSON:
            from egressd.report.saved import to_json

            return to_json(sweep)
        case Format.CSV:
            from egressd.report.csv import render_csv

            return render_csv(sweep)
        case Format.PROMETHEUS:
            from egressd.catalog import load_catalog
            from egressd.metrics.once import render_prometheus

            return render_prometheus(sweep, load_catalog())
        case _:
            return _render_ticket(sweep, fmt)


def _render_ticket(sweep: Sweep, fmt: Literal[Format.MARKDOWN, Format.HTML, Format.JUNIT]) -> str:
    """Render a sweep for tickets and CI."""
    match fmt:
        case Format.MARKDOWN:
            from egressd.report.ticket.markdown import render_markdown

            return render_markdown(sweep)
        case Format.HTML:
            from egressd.report.ticket.html import render_html

            return render_html(sweep)
        case Format.JUNIT:
            from egressd.report.ticket.junit import render_junit

            return render_junit(sweep)


def write(text: str, output: Path | None, *, mode: int | None = None) -> None:
    """Write text to a file or to stdout; if the file can't be written, write to stdout.

    `mode` is the file's mode; None for what the umask allows.
    """
    if output is None:
        _to_stdout(text)
        return
    try:
        _replace(output, text, mode=mode)
    except OSError as error:
        _to_stdout(text)
        raise UsageError(f"cannot write {output}: {error.strerror}; the report went to stdout") from None


def print_line(line: str) -> None:
    """Write a line to stdout at once."""
    _to_stdout(line + "\n")


def check_output(output: Path | None) -> None:
    """Refuse a file that can't be written, before the work is done.

    Raises:
        UsageError: it is a folder, or its folder can't be written to.
    """
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"cannot write {output}: it is a folder; name a file in it")
    folder = output.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {output}: there is no folder {folder}")
    if not os.access(output if _is_special(output) else folder, os.W_OK):
        raise UsageError(f"cannot write {output}: no permission")


def width() -> int:
    """Return the width of the terminal, at most 120; 80 for a file or a pipe."""
    return min(shutil.get_terminal_size((80, 24)).columns, 120) if sys.stdout.isatty() else 80


def wants_colour() -> bool:
    """Return whether stdout is a terminal that may be coloured."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def allow_any_text(stream: TextIO) -> None:
    """Escape what the stream's encoding lacks; keep line ends as they are, because CSV has its own."""
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace", newline="")


def _to_stdout(text: str) -> None:
    allow_any_text(sys.stdout)
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()  # the reader has closed the pipe; the exit code still counts
    except OSError as error:
        discard_stdout()
        raise UsageError(f"cannot write to stdout: {error.strerror}") from None


def _is_special(path: Path) -> bool:
    """Return whether a path is a device or a pipe, which must not be replaced by a file."""
    return path.exists() and not stat.S_ISREG(path.stat().st_mode)


def _replace(path: Path, text: str, *, mode: int | None) -> None:
    """Replace a file atomically."""
    if _is_special(path):
        path.write_bytes(text.encode())
        return
    path = path.resolve()  # replace the target of a link, not the link
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        temporary.write_bytes(text.encode())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
