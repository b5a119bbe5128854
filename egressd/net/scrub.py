"""Sanitising text from the network before it is recorded or printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

Value = TypeVar("Value")

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
"""ANSI control sequences, operating system commands and two-character escapes (ECMA-48)."""
_READ_FACTOR = 4
"""Multiple of the limit that is read, as characters may be dropped."""
REDACTED = "***"
_MIN_SECRET = 4
"""A shorter secret occurs in ordinary text: replacing it there would reveal it."""


def scrub(text: str, limit: int) -> str:
    """Return printable text of `limit` characters at most.

    Control characters, escape sequences, invisible and direction-changing characters become one space.
    """
    if len(text) <= limit and text.isprintable():
        return text
    plain = _ESCAPES.sub("", text[: limit * _READ_FACTOR])
    shown = "".join(one if one.isprintable() else " " for one in plain)
    return " ".join(shown.split())[:limit]


def scrub_bytes(data: bytes, limit: int) -> str:
    """Return bytes as printable text of `limit` characters at most; what is not UTF-8 is dropped."""
    return scrub(data[: limit * _READ_FACTOR].decode("utf-8", "ignore"), limit)


def redact(value: Value, secrets: Iterable[str]) -> Value:
    """Return a model value with secrets replaced by `***`: a peer may echo what it was sent.

    Secrets are searched as text and as hex, also where cut off at the end of a text.
    """
    words = [word for one in secrets if len(one) >= _MIN_SECRET for word in (one, one.encode().hex())]
    if not words:
        return value
    redacted: Value = _redact_value(value, words)
    return redacted


def _redact_value(value: object, words: list[str]) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return _redact_text(value, words)
    if isinstance(value, tuple):
        return tuple(_redact_value(one, words) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: clean for name, old in found.items() if (clean := _redact_value(old, words)) != old}
        return replace(value, **changed) if changed else value
    return value


def _redact_text(text: str, words: list[str]) -> str:
    for word in words:
        text = text.replace(word, REDACTED)
        cut = next((n for n in range(len(word) - 1, _MIN_SECRET - 1, -1) if text.endswith(word[:n])), 0)
        text = text[:-cut] + REDACTED if cut else text
    return text
