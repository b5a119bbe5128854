"""Files of this host as package managers read them; what can't be read is noted, and never ends anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct, field

from egressd.errors import UnreadableFileError
from egressd.inputfile import read_file, why_unusable
from egressd.repositories.wording import short_text

LARGEST_FILE = 1 << 20
"""Bytes; no configuration written by hand or by a program comes near."""
MOST_FILES = 500
"""Files read of one folder."""
MOST_BYTES = 16 << 20
"""Bytes read of one host."""
LONGEST_LINE = 8192
"""Characters; what reads a line may look at it more than once."""
MOST_NOTES = 1000
"""Notes kept."""


class Mirror(Struct, frozen=True, kw_only=True):
    """A line of a list."""

    text: str
    tags: tuple[str, ...]
    """Of apt: `priority:1`, `type:index`, `arch:amd64`."""
    place: str


class HostFiles(Struct, kw_only=True):
    """Reads below a root, and keeps notes of what is wrong."""

    root: Path
    notes: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """Paths that exist and that this user may not read."""
    mirrors: dict[str, tuple[Mirror, ...]] = field(default_factory=dict)
    """The lists of mirrors read so far."""
    size: int = 0
    """Bytes read so far."""

    def lines(self, path: str) -> tuple[str, ...] | None:
        """Return the lines of a text file; None if there is none, or none that can be read."""
        found = self._below(path)
        if not _exists(found):
            return None
        try:
            data = read_file(found, limit=LARGEST_FILE)
        except UnreadableFileError as error:
            if not os.access(found, os.R_OK):
                self.closed.append(path)
            self._keep(str(error))
            return None
        if len(data) > LARGEST_FILE:
            self.note(path, "not read: it is larger than 1 MiB")
            return None
        self.size += len(data)
        if self.size > MOST_BYTES:
            self.note(path, "not read: the files of this host are larger than 16 MiB together")
            return None
        if b"\0" in data:
            self.note(path, "not read: it is not a text file")
            return None
        lines = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").split("\n")
        long = [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE]
        for number in long:
            lines[number - 1] = ""
            self.note(f"{path}:{number}", f"not read: the line has more than {LONGEST_LINE} characters")
        return tuple(lines)

    def names(self, folder: str, accepts: Callable[[str], bool]) -> tuple[str, ...]:
        """Return the paths of the accepted files of a folder, sorted; none if there is no such folder."""
        found = self._below(folder)
        if not _exists(found):
            return ()
        try:
            accepted = sorted(name for name in os.listdir(found) if accepts(name))  # noqa: PTH208 - names alone
        except OSError as error:
            if not os.access(found, os.R_OK | os.X_OK):
                self.closed.append(folder)
            self.note(folder, f"cannot read it: {why_unusable(found, error)}")
            return ()
        names = [name for name in accepted if name.isprintable()]
        if len(names) < len(accepted):
            self.note(folder, "files whose names can't be printed are not read")
        if len(names) > MOST_FILES:
            self.note(folder, f"only the first {MOST_FILES} of {len(names)} files are read")
        return tuple(f"{folder.rstrip('/')}/{name}" for name in names[:MOST_FILES])

    def note(self, place: str, text: str) -> None:
        """Keep a note on a file, or a line of it."""
        self._keep(f"{short_text(place)}: {text}")

    def exists(self, path: str) -> bool:
        """Return whether there is such a file or folder, or something that can't be followed."""
        return _exists(self._below(path))

    def _keep(self, note: str) -> None:
        if len(self.notes) < MOST_NOTES:
            self.notes.append(note)

    def _below(self, path: str) -> Path:
        return self.root / path.lstrip("/")


def _exists(path: Path) -> bool:
    """Return whether something is there; what a closed folder hides counts as there, so that it is noted."""
    try:
        os.stat(path)  # noqa: PTH116 - each kind of error means something else
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        return True
    return True
