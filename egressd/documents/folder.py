"""Documents of a folder, and the files that they include."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from egressd.documents.listed import Listing
from egressd.documents.read import MOST_BYTES, decode_document, read_document
from egressd.errors import EgressdError, UnreadableFileError, UsageError
from egressd.inputfile import is_file, read_file
from egressd.wording import count, name_first

SUFFIXES = frozenset(
    {".csv", ".htm", ".html", ".json", ".markdown", ".md", ".tsv", ".txt", ".xml", ".yaml", ".yml"}
)
MOST_FILES = 5000
MOST_BYTES_OF_ALL = 200_000_000


class FolderListings(Struct, frozen=True, kw_only=True):
    """The documents of a folder that hold rows, and what is said of the others."""

    listings: tuple[Listing, ...]
    notes: tuple[str, ...]


def read_folder(folder: Path) -> FolderListings:
    """Read every document of a folder, by its path in it; what another one includes is part of that one.

    Raises UsageError for a folder that is too large.
    """
    root = Path(os.path.realpath(folder))
    includes = _Includes(root)
    found: list[Listing] = []
    without: list[str] = []
    unread: list[str] = []
    total = 0
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        try:
            data = read_file(path, limit=MOST_BYTES)
            total += len(data)
            listing = read_document(decode_document(data), name, includes.open)
        except EgressdError as error:
            unread.append(f"{name} ({str(error).splitlines()[0][:200]})")
            continue
        if total > MOST_BYTES_OF_ALL:
            raise UsageError(f"cannot read {folder}: more than {MOST_BYTES_OF_ALL} bytes in it")
        if listing.rows:
            found.append(listing)
        else:
            without.append(name)
    notes = [f"{count(len(without), 'file')} without a list: {name_first(without)}"] if without else []
    notes += [f"{count(len(unread), 'file')} that can't be read: {name_first(unread)}"] if unread else []
    alone = tuple(_own_part(one) for one in found if one.name not in includes.opened)
    return FolderListings(listings=alone, notes=tuple(notes))


def _own_part(listing: Listing) -> Listing:
    """Return a document with each of its rows once: two tabs may include one file."""
    seen = {
        (one.origin, one.line, one.pattern, one.port, one.protocol, one.cloud): one for one in listing.rows
    }
    return replace(listing, rows=tuple(seen.values()))


def _files(root: Path) -> Iterator[Path]:
    """Yield the documents below a folder in order; no link is followed, nothing hidden is read."""
    number = 0
    for place, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES or path.is_symlink():
                continue
            number += 1
            if number > MOST_FILES:
                raise UsageError(f"cannot read {root}: more than {MOST_FILES} documents in it")
            yield path


class _Includes:
    """Open what a page includes: by a path relative to it, or to the folder, and never outside of that."""

    def __init__(self, root: Path) -> None:
        self.opened: set[str] = set()
        self._root = root
        self._texts: dict[str, str] = {}

    def open(self, page: str, written: str) -> tuple[str, str] | None:
        """Return the name and the text of an included file; None if it isn't there, or lies outside."""
        path = written.partition("#")[0].partition("?")[0]
        if not path or path.startswith("/") or "\\" in path or "\0" in path:
            return None
        start = self._root if path.startswith("~/") else (self._root / page).parent
        try:
            place = Path(os.path.realpath(start / path.removeprefix("~/")))
        except (OSError, ValueError):
            return None
        if not place.is_relative_to(self._root) or not is_file(place):
            return None
        name = place.relative_to(self._root).as_posix()
        if name not in self._texts:
            try:
                self._texts[name] = decode_document(read_file(place, limit=MOST_BYTES))
            except UnreadableFileError as error:
                raise UsageError(str(error)) from None
        self.opened.add(name)
        return name, self._texts[name]
