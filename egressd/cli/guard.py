"""The error boundary of commands: a user's mistake, a bug and a Ctrl-C each have an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from typing import ParamSpec

import typer

from egressd.cli.log import Form, Level, configure_logging, flush_log, printable, without_secrets
from egressd.errors import ConfigError, EgressdError, ExitCode
from egressd.log import get_logger, load_structlog

P = ParamSpec("P")

MOST_MISTAKES = 200
"""Mistakes of a configuration that are shown at once: thousands of rows may have the same one."""


def guarded(command: Callable[P, ExitCode | None]) -> Callable[P, None]:
    """End the process with the exit code of what a command returns or raises; with None, go on."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code = _exit_code(lambda: command(*args, **kwargs))
        if code is not None:
            raise typer.Exit(code)

    return run


def _exit_code(command: Callable[[], ExitCode | None]) -> int | None:
    try:
        code = command()
        sys.stdout.flush()
    except EgressdError as mistake:
        lines = mistake.problems if isinstance(mistake, ConfigError) else str(mistake).split("\n")
        _print_lines(_first(lines))
        return mistake.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        discard_stdout()
        return ExitCode.OK
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as bug:  # noqa: BLE001 - whatever it is, it is reported
        return _report_bug(bug)
    return code


def _first(lines: Sequence[str]) -> Sequence[str]:
    """Return the mistakes to show, and how many more there are."""
    left = len(lines) - MOST_MISTAKES
    if left <= 0:
        return lines
    return (*lines[:MOST_MISTAKES], f"... and {left} more; config check --format json lists all of them")


def print_stderr(text: str) -> None:
    """Print a message on stderr; a single line gets the program's name before it.

    Names of files and keys, which are others' text, are shown without what would move the cursor.
    """
    _print_lines(text.rstrip("\n").split("\n"))


def _print_lines(lines: Sequence[str]) -> None:
    prefix = "egressd: " if len(lines) == 1 else ""
    write_stderr("".join(f"{prefix}{printable(without_secrets(line))}\n" for line in lines))


def write_stderr(text: str) -> None:
    """Write to stderr at once. What can't be written is lost: an error of stderr has nowhere to go."""
    flush_log()
    with suppress(OSError):
        print(text, end="", file=sys.stderr, flush=True)


def discard_stdout() -> None:
    """Redirect stdout to /dev/null, so that flushing it at exit does not fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report_bug(bug: Exception) -> ExitCode:
    if not load_structlog().is_configured():  # unconfigured, it would write to stdout, with local variables
        configure_logging(Level.ERROR, Form.HUMAN)
    get_logger("egressd").error("internal error", exc_info=bug)
    print_stderr(
        f"internal error ({type(bug).__name__}); this is a bug of egressd, please report it with the above"
    )
    return ExitCode.BUG
