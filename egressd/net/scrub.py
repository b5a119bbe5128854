"""Sanitising text from the network before it is recorded or printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from egressd.redaction import Redactor

Value = TypeVar("Value")

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
"""ANSI control sequences, operating system commands and two-character escapes (ECMA-48)."""
_READ_FACTOR = 4
"""Multiple of the limit that is read, as characters may be dropped."""


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
    """Return a model value with secrets replaced by `***`: a peer may echo what it was sent."""
    redactor = redactor_of(frozenset(secrets))
    if redactor is None:
        return value
    redacted: Value = _redact_value(value, redactor)
    return redacted


@lru_cache(maxsize=16)
def redactor_of(secrets: frozenset[str]) -> Redactor | None:
    """Return what hides these secrets; None: there are none."""
    return Redactor(secrets) if secrets else None


def _redact_value(value: object, redactor: Redactor) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return redactor.clean(value)
    if isinstance(value, tuple):
        return tuple(_redact_value(one, redactor) for one in value)
    if isinstance(value, Struct):
        found = {name: getattr(value, name) for name in value.__struct_fields__}
        changed = {
            name: clean for name, old in found.items() if (clean := _redact_value(old, redactor)) != old
        }
        return replace(value, **changed) if changed else value
    return value
