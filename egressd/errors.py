"""What can go wrong outside the network, and the exit codes it leads to.

Three kinds of trouble are never mixed: a misbehaving network is a value in an observation; a user's
mistake is an `EgressdError`; everything else is our bug.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller; the numbers above 63 are those of sysexits.h."""

    OK = 0
    """Every required target is ok or degraded."""
    FAILED = 1
    """Some required target is blocked or down."""
    USAGE = 2
    """Wrong usage."""
    UNKNOWN = 3
    """Nothing proved bad, but something is unknown."""
    BUG = 70
    """Our bug."""
    CONFIG = 78
    """Bad configuration."""
    INTERRUPTED = 130
    """Interrupted; a partial report was written."""


class EgressdError(Exception):
    """A mistake the user can mend. The message says what happened, where, and what to do."""

    exit_code = ExitCode.USAGE


class UsageError(EgressdError):
    """A flag or argument that can't be right."""


class ConfigError(EgressdError):
    """One or more mistakes in configuration or catalog files, all of them at once."""

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One line each: file, line, key path, what is wrong."""


class AbsentSourceError(ConfigError):
    """An address or interface to probe from is not on this host, or not yet."""


class AbsentListenError(UsageError):
    """The address to listen on is not on this host, or not yet."""


class ReportFileError(EgressdError):
    """A report file that can't be read as one."""


def cannot_read(path: object, error: OSError | ValueError) -> str:
    """Say that a file can't be read, and why."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot read {path}: {why}"
