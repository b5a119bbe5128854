"""Loggers that import structlog with the first line: it is a tenth of a start, and most runs log nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

_configure: list[Callable[[], None]] = []


class LateLogger:
    """A logger of structlog under a name, made when something is logged."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, level: str) -> Any:
        """Return the logger's method for lines of a level."""
        while _configure:
            _configure.pop()()
        try:
            structlog = load_structlog()
        except OSError:  # no descriptor is left: a line less is better than a probe that fails for it
            return _lose
        return getattr(_logger(structlog, self._name), level)


def _logger(structlog: Any, name: str) -> Any:
    """Return a logger as configured; where nobody did, it writes to stderr: stdout is for results."""
    if structlog.is_configured():
        return structlog.get_logger(name)
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr))


def load_structlog() -> Any:
    """Import structlog."""
    import structlog  # noqa: PLC0415 - see the module's docstring

    return structlog


def _lose(*_: object, **__: object) -> None:
    """Log nothing."""


def get_logger(name: str) -> LateLogger:
    """Return the logger of a name."""
    return LateLogger(name)


def before_first_line(configure: Callable[[], None]) -> None:
    """Have a function called before the first line is logged, in the place of one that waits for that."""
    _configure[:] = [configure]
