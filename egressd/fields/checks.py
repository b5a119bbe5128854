"""Checks between keys, made on the data as read.

A check ignores values of the wrong type, because the schema reports them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from egressd.yamlfile import KeyPath, render_path

Problem = tuple[KeyPath, str]
"""A key path, and what is wrong there."""


def duplicates(file: dict[str, object], key: str, name: str) -> Iterator[Problem]:
    """Find names that are given twice."""
    first: dict[str, int] = {}
    for index, row in enumerate(as_items(file.get(key))):
        value = as_mapping(row).get(name)
        if isinstance(value, str) and value in first:
            yield (key, index, name), f"{value!r} is taken by {key}[{first[value]}]"
        elif isinstance(value, str):
            first[value] = index


def credential_problems(part: dict[str, object], path: KeyPath) -> Iterator[Problem]:
    """Require a password with a user name, and the other way round."""
    for one, other in (("username", "password_file"), ("password_file", "username")):
        if part.get(one) is not None and part.get(other) is None:
            yield (*path, one), f"needs {render_path((*path, other))}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, or list all."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"


def as_mapping(value: object) -> dict[str, object]:
    """Return a mapping as it is; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_items(value: object) -> list[object]:
    """Return a list as it is; an empty one for anything else."""
    return value if isinstance(value, list) else []
