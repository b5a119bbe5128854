"""Log lines as events with values, passed on by the standard library's `logging`.

Nothing is written here: the command line says where lines go, and in which form; a program that uses egressd
as a library configures `logging` as for any other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from msgspec import Struct

ROOT = "egressd"
"""The logger above all of egressd's."""

_bound: ContextVar[dict[str, Any]] = ContextVar("bound", default={})  # noqa: B039 - never changed in place


class EventLogger(Struct, frozen=True):
    """Logs events: a text that is the same each time, and values by name."""

    logger: logging.Logger

    def debug(self, event: str, **values: Any) -> None:
        """Log what only a search for a bug needs."""
        self._log(logging.DEBUG, event, values)

    def info(self, event: str, **values: Any) -> None:
        """Log what is good to know."""
        self._log(logging.INFO, event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Log what may have to be acted on."""
        self._log(logging.WARNING, event, values)

    def error(self, event: str, *, exc_info: BaseException | None = None, **values: Any) -> None:
        """Log what has to be acted on, with the traceback of an exception."""
        self._log(logging.ERROR, event, values, exc_info)

    def _log(
        self, level: int, event: str, values: dict[str, Any], exc_info: BaseException | None = None
    ) -> None:
        if self.logger.isEnabledFor(level):
            self.logger.log(level, event, exc_info=exc_info, extra={"values": _bound.get() | values})


def get_logger(name: str) -> EventLogger:
    """Return the logger of a module, below `ROOT`."""
    return EventLogger(logging.getLogger(name))


def logged_values(record: logging.LogRecord) -> dict[str, Any] | None:
    """Return the values of an event; None for a line of another library."""
    return getattr(record, "values", None)


@contextmanager
def bound_values(**values: Any) -> Iterator[None]:
    """Give every event of this context these values too."""
    token = _bound.set(_bound.get() | values)
    try:
        yield
    finally:
        _bound.reset(token)
