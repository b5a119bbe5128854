"""User errors and exit codes.

Three kinds of errors are never mixed: a network error is a value in an observation; a user's mistake is an
`EgressdError`; any other exception is a bug.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from types import TracebackType
from typing import TypeVar

T = TypeVar("T")


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


class Part(StrEnum):
    """What a bug happened in; a label of a metric, so the set is closed."""

    PROBE = "probe"
    CONTROL = "control"
    DISCOVERY = "discovery"
    FOLLOWUPS = "followups"
    JUDGEMENT = "judgement"
    FINDINGS = "findings"
    STANDINGS = "standings"
    ALERTS = "alerts"
    COUNTERS = "counters"
    METRICS = "metrics"
    HTTP = "http"
    SWEEPS = "sweeps"
    RECHECKS = "rechecks"
    EVALUATION = "evaluation"
    RELOAD = "reload"
    WATCHDOG = "watchdog"
    DELIVERY = "delivery"
    STATE = "state"
    LOG = "log"


OnBug = Callable[[Part, Exception], None]
"""Called with a bug that ends one result; what else is computed goes on."""


def raise_bug(_part: Part, bug: Exception) -> None:
    """Raise a bug: for callers that have nothing to go on with."""
    raise bug


def isolate(part: Part, on_bug: OnBug, work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """Return what `work` returns; where it has a bug, that is reported, and `otherwise` says what to return.

    `otherwise` gets a description of the bug.
    """
    try:
        return work()
    except Exception as bug:  # noqa: BLE001 - whatever it is, it is reported
        on_bug(part, bug)
        return otherwise(describe_bug(bug))


def isolate_each(part: Part, on_bug: OnBug, items: Iterator[T]) -> Iterator[T]:
    """Yield what an iterator yields; a bug in it is reported, and ends it."""
    while True:
        try:
            one = next(items)
        except StopIteration:
            return
        except Exception as bug:  # noqa: BLE001 - whatever it is, it is reported
            on_bug(part, bug)
            return
        yield one


def describe_bug(bug: BaseException) -> str:
    """Return the type of a bug and where it was raised; its message may hold a peer's bytes or a secret."""
    while isinstance(bug, BaseExceptionGroup):
        bug = bug.exceptions[0]
    name, line = _origin(bug.__traceback__)
    return f"{type(bug).__name__} in {name}:{line}"


def _origin(traceback: TracebackType | None) -> tuple[str, int]:
    """Return the innermost function of egressd in a traceback, and its line."""
    found = ("code that is not known", 0)
    while traceback is not None:
        frame = traceback.tb_frame
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "egressd":
            found = (f"{module}.{frame.f_code.co_name}", traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


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
