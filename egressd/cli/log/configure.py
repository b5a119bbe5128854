"""How log lines are written, and where to. Secrets are redacted, by key and by value.

Under systemd each line starts with its priority (sd-daemon(3)), which the journal removes. structlog is
imported late: it is slow to import, and most commands log nothing.
"""

from __future__ import annotations

import atexit
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from enum import StrEnum
from functools import lru_cache, partial
from typing import Any, Protocol, TextIO, cast

from egressd.cli.log.human import human_line, printable
from egressd.cli.log.stream import LogStream, descriptor_of
from egressd.log import before_first_line, load_structlog
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


class _Processor(Protocol):
    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any], /) -> Any:
        """Pass an event on, changed."""


SECRET_KEYS = re.compile(
    r"password|passwd|secret|token|cookie|credential|authorization|api_?key|webhook", re.IGNORECASE
)
"""Keys whose values are never shown, in events and in mappings inside them."""
USERINFO = re.compile(r"(://[^/\s:@]*):[^/\s@]+@")
"""A password in a URL."""
HIDDEN = REDACTED
LONGEST_LINE = 16_000
"""Characters: the journal splits lines at 48 KiB."""
FIRST = ("timestamp", "level", "event")
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

_secrets: set[str] = set()
_stream: LogStream | None = None


class _FirstLine(logging.Handler):
    """Waits for the first line of another library; logging is configured for it and what follows."""

    def __init__(self, configure: Callable[[], None]) -> None:
        super().__init__()
        self._configure = configure

    def emit(self, record: logging.LogRecord) -> None:
        self._configure()
        logging.getLogger(record.name).handle(record)


def configure_logging_late(level: Level, form: Form, *, secrets: Iterable[str] = ()) -> None:
    """Configure logging with the first line, for commands that usually log none."""
    register_secrets(secrets)
    configure = partial(configure_logging, level, form)
    before_first_line(configure)
    logging.basicConfig(level=logging.WARNING, handlers=[_FirstLine(configure)], force=True)


def configure_logging(level: Level, form: Form, *, secrets: Iterable[str] = ()) -> None:
    """Configure logging for the process, other libraries' included."""
    structlog = _load_without_rich()
    register_secrets(secrets)
    number = logging.WARNING if level is Level.WARN else logging.getLevelNamesMapping()[level.upper()]
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _for_people if form is Form.HUMAN else _for_programs,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(),
        _common_keys_first,
        _redact,
    ]
    writer = _with_priority(_writer(form)) if is_journal(sys.stderr) else _writer(form)
    stream = _open_stream(structlog.processors.TimeStamper(fmt="iso", utc=True), writer)
    structlog.configure(
        processors=[*before, writer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=[_remove_metadata, writer])
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _load_without_rich() -> Any:
    """Import structlog without rich, which typer brings: 65 modules and 4 MiB, for a console nobody uses."""
    absent = "rich" not in sys.modules
    if absent:  # None makes an import of it fail, as where it is not installed
        cast(dict[str, Any], sys.modules)["rich"] = None
    try:
        return load_structlog()
    finally:
        if absent:
            del sys.modules["rich"]


def _open_stream(stamp: Any, writer: Any) -> Any:
    """Return where lines go: stderr, behind a thread that waits for it."""
    global _stream  # noqa: PLW0603 - one log per process, as logging has one root
    number = descriptor_of(sys.stderr)
    if number is None:
        return sys.stderr

    def report(lost: int) -> str:
        event = {
            "level": "warning",
            "event": "log lines were lost, as stderr could not be written",
            "lines": lost,
        }
        return str(writer(None, "warning", _common_keys_first(None, "", stamp(None, "", event)))) + "\n"

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


def _remove_metadata(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
    return load_structlog().stdlib.ProcessorFormatter.remove_processors_meta(logger, method, event)


def _writer(form: Form) -> Any:
    match form:
        case Form.JSON:
            return load_structlog().processors.JSONRenderer(default=str)
        case Form.LOGFMT:
            render = load_structlog().processors.LogfmtRenderer(key_order=list(FIRST))
            return lambda logger, method, event: printable(render(logger, method, event))
        case Form.HUMAN:
            return human_line


def _with_priority(writer: Any) -> _Processor:
    """Put a priority before every line of a message: the journal reads line by line."""

    def step(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        prefix = f"<{PRIORITIES.get(str(event.get('level')), 6)}>"
        text = str(writer(logger, method, event))
        return "\n".join(prefix + line[:LONGEST_LINE] for line in text.splitlines() or [""])

    return step


def _for_people(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    return _for(event, "people")


def _for_programs(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    return _for(event, "programs")


def _for(event: MutableMapping[str, Any], reader: str) -> Any:
    """Drop what is written for other readers: a change is one line for people, and many for programs."""
    if event.pop("audience", reader) != reader:
        raise load_structlog().DropEvent
    return event


def _common_keys_first(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    """Put the keys that every line has first, for people."""
    return {name: event.pop(name) for name in FIRST if name in event} | dict(event)


def _redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Any:
    """Redact values of secret keys, and every registered secret in every text, tracebacks included."""
    for key, value in list(event.items()):
        event[key] = HIDDEN if SECRET_KEYS.search(key) else _redacted(value)
    return event


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
