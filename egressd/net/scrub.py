"""Text from the network, made safe to print."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

Value = TypeVar("Value")

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
"""ANSI control sequences, operating system commands and two-character escapes (ECMA-48)."""
_SPARE = 4
"""How much more than the limit is looked at, so that dropped characters leave enough."""
HIDDEN = "***"
_LEAST_SECRET = 4
"""A shorter secret is found in any text: hiding it would show it."""


def scrub(text: str, limit: int) -> str:
    """Return printable text of `limit` characters at most.

    Control characters, escape sequences, invisible and direction-changing characters become one space.
    """
    if len(text) <= limit and text.isprintable():
        return text
    plain = _ESCAPES.sub("", text[: limit * _SPARE])
    shown = "".join(one if one.isprintable() else " " for one in plain)
    return " ".join(shown.split())[:limit]


def scrub_bytes(data: bytes, limit: int) -> str:
    """Return the printable part of bytes that may be text in UTF-8."""
    return scrub(data[: limit * _SPARE].decode("utf-8", "ignore"), limit)


def redact(value: Value, secrets: Iterable[str]) -> Value:
    """Return a value of the model without the secrets in it: a peer may echo what it was sent.

    They are looked for as text and as hex, whole or cut off at the end.
    """
    words = [word for one in secrets if len(one) >= _LEAST_SECRET for word in (one, one.encode().hex())]
    if not words:
        return value
    made: Value = _without(value, words)
    return made


def _without(value: object, words: list[str]) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return _hide(value, words)
    if isinstance(value, tuple):
        return tuple(_without(one, words) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        found = {one.name: getattr(value, one.name) for one in fields(value)}
        changed = {name: clean for name, old in found.items() if (clean := _without(old, words)) != old}
        return replace(value, **changed) if changed else value
    return value


def _hide(text: str, words: list[str]) -> str:
    for word in words:
        text = text.replace(word, HIDDEN)
        cut = next((n for n in range(len(word) - 1, _LEAST_SECRET - 1, -1) if text.endswith(word[:n])), 0)
        text = text[:-cut] + HIDDEN if cut else text
    return text
