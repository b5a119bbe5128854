"""Silences opened by hand, in `maintenance.json`.

The command line writes the file, often as root, and the daemon reads it as another user. So it is readable
by all, replaced by rename, and used only if all of it is valid. Blocking.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from egressd.errors import EgressdError
from egressd.log import get_logger
from egressd.model.alert import Silence
from egressd.model.notification import Scope

log = get_logger("egressd")

FILE = "maintenance.json"
SCHEMA = "egressd.maintenance/1"
MOST = 100
"""Silences open at once."""
LARGEST = 256 * 1024
"""Bytes of the file."""
LONGEST_TEXT = 300
MOST_PATTERNS = 100
TEXTS, LISTS = ("name", "began", "ends", "reason", "by"), ("sources", "targets")


class SilencesFileError(EgressdError):
    """The file can't be read, written or understood."""


class SilencesFile(Struct):
    """The daemon's view of the file: read again when it changes."""

    directory: Path
    silences: tuple[Silence, ...] = ()
    _stat: tuple[int, int, int] | None = None
    """Inode, time and size of the file that was read; None: there was none."""
    _problem: str = ""

    def refresh(self) -> bool:
        """Read the file if it has changed; return whether the silences are others now.

        A file that can't be used is logged and changes nothing: an edit must not end a silence.
        """
        stat, before = _stat(self.directory / FILE), self.silences
        if stat == self._stat:
            return False
        try:
            self.silences = read_silences(self.directory)
        except SilencesFileError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("silences can't be read, those before stay", why=self._problem)  # noqa: TRY400
            return False
        self._stat, self._problem = stat, ""
        return self.silences != before


def read_silences(directory: Path) -> tuple[Silence, ...]:
    """Return the silences of the file, also those that are over; none if there is no file.

    Raises:
        SilencesFileError: the file is damaged, or can't be read.
    """
    path = directory / FILE
    try:
        data = _bytes(path)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SilencesFileError(f"cannot read {path}: {error.strerror}") from None
    try:
        return _document(data)
    except (ValueError, RecursionError) as error:
        raise SilencesFileError(
            f"cannot use {path}: {_flat(error)}; remove it and open your silences again"
        ) from None


def open_of(silences: Iterable[Silence], now: datetime) -> tuple[Silence, ...]:
    """Return the silences that are not over `now` (aware)."""
    return tuple(one for one in silences if datetime.fromisoformat(one.ends) > now)


def write_silences(directory: Path, silences: Iterable[Silence], *, now: datetime) -> None:
    """Write the silences that are not over `now` (aware).

    Raises:
        SilencesFileError: there are too many, or the file can't be written.
    """
    kept = open_of(silences, now)
    if len(kept) > MOST:
        raise SilencesFileError(f"{MOST} silences are open already; end some: egressd maintenance list")
    text = json.dumps({"schema": SCHEMA, "windows": [_row(one) for one in kept]}, indent=2) + "\n"
    if len(text) > LARGEST:
        raise SilencesFileError("the open silences have too many patterns; end some, or name fewer")
    try:
        _replace(directory, text.encode("ascii"))
    except OSError as error:
        raise _not_writable(directory, error) from None


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the file against other writers.

    Raises:
        SilencesFileError: there is no such directory, no right to it, or another process holds the lock.
    """
    try:
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SilencesFileError(
            f"no state directory {directory}: no daemon has kept its state there; start it first, or name "
            "its configuration with --config.file"
        ) from None
    except OSError as error:
        raise _not_writable(directory, error) from None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SilencesFileError(f"another process is changing {directory / FILE}; try again") from None
    finally:
        os.close(held)


def _not_writable(directory: Path, error: OSError) -> SilencesFileError:
    return SilencesFileError(
        f"cannot write to {directory}: {error.strerror}; run it as root or as the daemon's user, "
        "on the daemon's host"
    )


def _stat(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _bytes(path: Path) -> bytes:
    """Read a regular file: other users of the folder could put a pipe or a link there."""
    held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(held, "rb") as file:
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise OSError(0, "not a file")
        return file.read(LARGEST + 1)


def _replace(directory: Path, data: bytes) -> None:
    held, name = tempfile.mkstemp(prefix=f".{FILE}.", dir=directory)
    try:
        with os.fdopen(held, "wb") as file:
            file.write(data)
            os.fchmod(held, 0o644)
            file.flush()
            os.fsync(held)
        Path(name).replace(directory / FILE)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _document(data: bytes) -> tuple[Silence, ...]:
    """Decode the file. Raises ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    document = json.loads(data)
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ValueError(f"not {SCHEMA}")
    rows = document.get("windows")
    if set(document) != {"schema", "windows"} or not isinstance(rows, list) or len(rows) > MOST:
        raise ValueError(f"must hold up to {MOST} silences, and nothing else")
    found = tuple(_silence(row) for row in rows)
    if len({one.name for one in found}) < len(found):
        raise ValueError("two silences have the same name")
    return found


def _silence(row: Any) -> Silence:
    if not isinstance(row, dict) or set(row) != {*TEXTS, *LISTS}:
        raise ValueError(f"a silence must have {', '.join((*TEXTS, *LISTS))}, and nothing else")
    texts = {key: _text(row[key], key) for key in TEXTS}
    if not texts["name"] or _moment(texts["ends"]) <= _moment(texts["began"]):
        raise ValueError("a silence must have a name, and end after it began")
    scope = Scope(sources=_patterns(row["sources"]), targets=_patterns(row["targets"]))
    return Silence(**texts, scope=scope)


def _row(silence: Silence) -> dict[str, object]:
    texts = {key: getattr(silence, key) for key in TEXTS}
    return texts | {key: list(getattr(silence.scope, key)) for key in LISTS}


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise ValueError(f"{what} must be one line of up to {LONGEST_TEXT} characters")
    return value


def _patterns(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_PATTERNS:
        raise ValueError(f"sources and targets must be lists of up to {MOST_PATTERNS} patterns")
    return tuple(_text(one, "a pattern") for one in value)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.utcoffset() != timedelta(0):
        raise ValueError("times must be in UTC")
    return found


def _flat(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
