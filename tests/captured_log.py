"""What egressd logs during a test: an event is a dictionary of its values, its level and its text."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from egressd.log import ROOT, logged_values


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = {"event": record.getMessage(), "log_level": record.levelname.lower()}
        if record.levelno >= logging.ERROR:
            event["exc_info"] = record.exc_info[1] if record.exc_info else None
        self.events.append(event | (logged_values(record) or {}))


def text_of(events: list[dict[str, Any]]) -> str:
    """Return events as text, one a line."""
    return "\n".join(str(one) for one in events)


@contextmanager
def capture_log() -> Iterator[list[dict[str, Any]]]:
    """Collect every event, and pass none on."""
    logger, collector = logging.getLogger(ROOT), _Collector()
    before = (logger.level, logger.propagate)
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield collector.events
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before[0])
        logger.propagate = before[1]


def reset_logging() -> None:
    """Forget what a command configured."""
    root = logging.getLogger()
    for one in root.handlers[:]:
        if type(one).__module__.startswith("egressd."):
            root.removeHandler(one)
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(logging.NOTSET)
