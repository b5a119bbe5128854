"""Patterns of names in routes and silences."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches_any(patterns: tuple[str, ...], names: Iterable[str]) -> bool:
    """Whether a name matches a pattern with `*`; without patterns, everything matches."""
    return not patterns or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
