"""How log lines are written, and where to. Secrets are redacted, by key and by value.

Under systemd each line starts with its priority (sd-daemon(3)), which the journal removes.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, TextIO

from egressd import clock
from egressd.cli.log.human import human_line
from egressd.cli.log.logfmt import logfmt_line
from egressd.cli.log.stream import LogStream, descriptor_of
from egressd.log import ROOT, logged_values
from egressd.redaction import REDACTED, Redactor


class Level(StrEnum):
    """The least level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class Form(StrEnum):
    """How a line is written."""

    HUMAN = "human"
    JSON = "json"
    LOGFMT = "logfmt"


SECRET_KEYS = re.compile(
    r"password|passwd|secret|token|cookie|credential|authorization|api_?key|webhook", re.IGNORECASE
)
"""Keys whose values are never shown, in events and in mappings inside them."""
USERINFO = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")
"""A password in a URL."""
HIDDEN = REDACTED
LONGEST_LINE = 16_000
"""Characters: the journal splits lines at 48 KiB."""
Event = dict[str, Any]
Writer = Callable[[Event], str]
"""Writes an event as a line, perhaps with a traceback below it."""
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

_secrets: set[str] = set()
_stream: LogStream | None = None


class _Lines(logging.StreamHandler[Any]):
    """Writes lines. A bug in what is logged is its caller's, who says what it ends."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        if logged_values(record) is None:
            super().handleError(record)
        else:
            raise  # noqa: PLE0704 - called while the exception is handled


class _Formatter(logging.Formatter):
    """Writes a record in a form, with the keys first that every line has."""

    def __init__(self, write: Writer) -> None:
        super().__init__()
        self._write = write

    def format(self, record: logging.LogRecord) -> str:
        event: Event = {"timestamp": _stamp(record.created), "level": record.levelname.lower()}
        event |= {"event": record.getMessage()} | (logged_values(record) or {})
        event.pop("audience", None)
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return self._write(_redact(event))


def configure_logging(level: Level, form: Form, *, secrets: Iterable[str] = ()) -> None:
    """Configure logging for the process, other libraries' included."""
    register_secrets(secrets)
    number = logging.WARNING if level is Level.WARN else logging.getLevelNamesMapping()[level.upper()]
    writer = _with_priority(_writer(form)) if is_journal(sys.stderr) else _writer(form)
    handler = _Lines(_open_stream(writer))
    handler.setFormatter(_Formatter(writer))
    handler.addFilter(_for_people if form is Form.HUMAN else _for_programs)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logging.getLogger(ROOT).setLevel(number)


def is_configured() -> bool:
    """Return whether lines are written as this module says."""
    return any(isinstance(one, _Lines) for one in logging.getLogger().handlers)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _open_stream(writer: Writer) -> Any:
    """Return where lines go: stderr, behind a thread that waits for it."""
    global _stream  # noqa: PLW0603 - one log per process, as logging has one root
    number = descriptor_of(sys.stderr)
    if number is None:
        return sys.stderr

    def report(lost: int) -> str:
        return (
            writer(
                {
                    "timestamp": _stamp(clock.now().timestamp()),
                    "level": "warning",
                    "event": "log lines were lost, as stderr could not be written",
                    "lines": lost,
                }
            )
            + "\n"
        )

    if _stream is None:
        atexit.register(flush_log)
    if _stream is None or _stream.number != number:
        _stream = LogStream(number)
    _stream.report = report
    return _stream


def flush_log() -> None:
    """Wait a moment for lines that are not written yet: the process ends, or something else is printed."""
    if _stream is not None:
        _stream.drain()


def lines_lost() -> int:
    """Return how many lines could not be written."""
    return _stream.lost if _stream is not None else 0


def register_secrets(secrets: Iterable[str]) -> None:
    """Register texts that no line may show; may be called at any time."""
    _secrets.update(one for one in secrets if one)


def without_secrets(text: str) -> str:
    """Return a text without registered secrets, in whatever spelling, and without passwords of URLs."""
    return USERINFO.sub(rf"\1:{HIDDEN}@", _redactor(frozenset(_secrets)).clean(text))


_redactor = lru_cache(maxsize=2)(Redactor)


def is_journal(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether a stream leads to the journal: `$JOURNAL_STREAM` names its device and inode."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        found = os.fstat(stream.fileno())
        return (int(device), int(inode)) == (found.st_dev, found.st_ino)
    except (OSError, ValueError):
        return False


def _writer(form: Form) -> Writer:
    match form:
        case Form.JSON:
            return partial(json.dumps, default=str)
        case Form.LOGFMT:
            return logfmt_line
        case Form.HUMAN:
            return human_line


def _with_priority(writer: Writer) -> Writer:
    """Put a priority before every line of a message: the journal reads line by line."""

    def write(event: Event) -> str:
        prefix = f"<{PRIORITIES.get(event['level'], 6)}>"
        return "\n".join(prefix + line[:LONGEST_LINE] for line in writer(event).splitlines() or [""])

    return write


def _for_people(record: logging.LogRecord) -> bool:
    return _is_for(record, "people")


def _for_programs(record: logging.LogRecord) -> bool:
    return _is_for(record, "programs")


def _is_for(record: logging.LogRecord, reader: str) -> bool:
    """Drop what is written for other readers: a change is one line for people, and many for programs."""
    values = logged_values(record) or {}
    return bool(values.get("audience", reader) == reader)


def _redact(event: Event) -> Event:
    """Redact values of secret keys, and every registered secret in every text, tracebacks included."""
    return {key: HIDDEN if SECRET_KEYS.search(key) else _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {
                key: HIDDEN if SECRET_KEYS.search(str(key)) else _redacted(one) for key, one in value.items()
            }
        case list() | tuple():
            return [_redacted(one) for one in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _redacted(str(value))
