"""Patterns of names, as people write them into routes and windows."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches_any(patterns: tuple[str, ...], words: Iterable[str]) -> bool:
    """Say whether a word matches a pattern; without patterns, anything does."""
    return not patterns or any(fnmatchcase(word, pattern) for word in words for pattern in patterns)
