"""Log lines for people: when, how bad, what; the target first. Text of others can't move the cursor."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

HIDDEN_KEYS = frozenset({"timestamp", "level", "event", "exception"})
MARKS = {"warning": "! ", "error": "!!", "critical": "!!"}
LONGEST_VALUE = 300


def human_line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Render an event as one line, and its traceback below it."""
    when, level = str(event.get("timestamp", ""))[:19], str(event.get("level", ""))
    mark = MARKS.get(level, "  ")
    values = (f"{key}={_shown(value)}" for key, value in event.items() if key not in HIDDEN_KEYS)
    line = "  ".join((printable(str(event.get("event", ""))), *values))
    trace = "".join(f"\n{printable(one)}" for one in str(event.get("exception", "")).splitlines())
    return f"{when}Z {mark} {line}{trace}"


def printable(text: str) -> str:
    """Return a text with what is not printable escaped: control characters, escapes, changes of direction."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _shown(value: Any) -> str:
    match value:
        case str():
            text = value if value and " " not in value else f'"{value}"'
        case list() | tuple():
            text = "; ".join(str(one) for one in value)
            text = f'"{text}"'
        case _:
            text = str(value)
    return printable(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}...")
