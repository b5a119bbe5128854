"""Lists of mirrors in files of this host: one URL a line."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.repositories.files import HostFiles, Mirror

MOST_MIRRORS = 32
"""Mirrors taken of one list: one that works is enough, and a list may name hundreds."""


def read_mirrors(files: HostFiles, path: str, *, named_at: str) -> tuple[Mirror, ...]:
    """Return the mirrors of a list; lists in it are not followed. Each list is read once."""
    if not files.exists(path):
        files.note(named_at, "the list of mirrors that it names is not there")
        return ()
    if path not in files.mirrors:
        files.mirrors[path] = tuple(_mirrors(files, path))
    return files.mirrors[path]


def _mirrors(files: HostFiles, path: str) -> Iterator[Mirror]:
    lines = files.lines(path)
    if lines is None:
        return
    named = [(number, line) for number, line in enumerate(lines, 1) if _names_mirror(line)]
    if not named:
        files.note(path, "the list names no mirror")
    if len(named) > MOST_MIRRORS:
        files.note(path, f"the first {MOST_MIRRORS} of {len(named)} mirrors are probed")
    for number, line in named[:MOST_MIRRORS]:
        address, *tags = line.strip().split()
        yield Mirror(text=address, tags=tuple(tags), place=f"{path}:{number}")


def _names_mirror(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
