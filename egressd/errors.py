"""User errors and exit codes.

Three kinds of errors are never mixed: a network error is a value in an observation; a user's mistake is an
`EgressdError`; any other exception is a bug.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the process; 70, 74, 75 and 78 are those of sysexits.h."""

    OK = 0
    """Every required target is ok or degraded."""
    FAILED = 1
    """Some required target is blocked or down."""
    USAGE = 2
    """Wrong usage."""
    UNKNOWN = 3
    """No required target is blocked or down, but some are unknown."""
    BUG = 70
    """A bug of egressd."""
    OUTPUT = 74
    """What was to be written could not be: no space, or nobody reads it any more (EX_IOERR)."""
    UNAVAILABLE = 75
    """The daemon can't listen: its port is taken, or its address absent. Try again later (EX_TEMPFAIL)."""
    CONFIG = 78
    """Bad configuration."""
    INTERRUPTED = 130
    """Interrupted; a partial report was written."""


class EgressdError(Exception):
    """A mistake that the user can correct. The message says what happened, where, and what to do."""

    exit_code = ExitCode.USAGE


class UsageError(EgressdError):
    """A wrong flag or argument."""


class ConfigError(EgressdError):
    """All mistakes found in configuration or catalog files."""

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One line each: file, line, key path, error."""


class AbsentSourceError(ConfigError):
    """An address or interface to probe from is not on this host, or not yet."""


class ListenError(EgressdError):
    """The address to listen on can't be used now: another program has the port, or it is not permitted."""

    exit_code = ExitCode.UNAVAILABLE


class AbsentListenError(ListenError):
    """The address to listen on is not on this host, or not yet."""


class OutputError(EgressdError):
    """A report or an answer could not be written."""

    exit_code = ExitCode.OUTPUT


class UnreadableFileError(EgressdError):
    """A file that can't be read. The message names it, and why."""


class ReportFileError(EgressdError):
    """A file that is not a readable report."""
