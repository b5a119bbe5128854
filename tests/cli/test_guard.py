"""Exit codes of commands."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import structlog
import typer

from egressd.cli.guard import guarded
from egressd.cli.log import Form, Level, configure_logging
from egressd.errors import ConfigError, ExitCode, UsageError


def _raise(error: BaseException) -> Callable[[], ExitCode]:
    def command() -> ExitCode:
        raise error

    return command


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (lambda: ExitCode.FAILED, 1, ""),
        (_raise(UsageError("cannot do that")), 2, "egressd: cannot do that\n"),
        (_raise(ConfigError(("a:1: x", "a:2: y"))), 78, "a:1: x\na:2: y\n"),
        (_raise(KeyboardInterrupt()), 130, ""),
        (_raise(typer.Exit(5)), 5, ""),
    ],
)
def test_every_outcome_has_its_exit_code(
    capsys: pytest.CaptureFixture[str], command: Callable[[], ExitCode], code: int, message: str
) -> None:
    """A result, a mistake and a Ctrl-C end the process with their exit codes; stdout is left alone."""
    with pytest.raises(typer.Exit) as caught:
        guarded(command)()
    assert caught.value.exit_code == code
    assert capsys.readouterr() == ("", message)


def test_a_bug_is_70_and_leaves_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback goes to the log, the last line asks to report a bug."""
    configure_logging(Level.WARN, Form.HUMAN)
    with pytest.raises(typer.Exit) as caught:
        guarded(_raise(ZeroDivisionError("x")))()
    structlog.reset_defaults()
    out, err = capsys.readouterr()
    assert (caught.value.exit_code, out) == (70, "")
    assert "ZeroDivisionError: x" in err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith(
        "egressd: internal error (ZeroDivisionError); this is a bug of egressd"
    )


def test_none_does_not_end_the_process() -> None:
    """None means that a subcommand follows."""

    def command() -> None:
        return None

    guarded(command)()


def test_a_bug_before_logging_is_set_up_stays_off_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback goes to stderr, without local variables, even if logging is not configured."""
    structlog.reset_defaults()
    hidden = "2retnuh"[::-1]
    try:
        with pytest.raises(typer.Exit):
            guarded(_raise(ZeroDivisionError(len(hidden))))()
    finally:
        structlog.reset_defaults()
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" in err
    assert hidden not in err
