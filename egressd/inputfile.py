"""Bytes of the files that people name, bounded in size and in time: no pipe, device or folder blocks.

Whatever is wrong with a path is one error: it is too long, leads through a file, lies in a closed folder.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from egressd import clock
from egressd.errors import UnreadableFileError

FIRST_WRITER = 5.0
"""Seconds until somebody must have opened the other end of a pipe."""
COMPLETE = 600.0
"""Seconds until a pipe must have been read to its end: its writer may be a sweep of another host."""
_CHUNK = 1 << 20
_POLL = 0.05
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(path: Path, *, limit: int) -> bytes:
    """Return what a regular file holds, up to one byte beyond `limit`. Raises UnreadableFileError."""
    with _opened(path, refused=frozenset(_KINDS)) as number:
        return b"".join(_chunks(number, limit + 1))


def read_file_or_pipe(path: Path, *, limit: int, complete: float = COMPLETE) -> bytes:
    """Return the same, also of a pipe or a device that gives all of it within `complete` seconds.

    Raises:
        UnreadableFileError: it can't be read, or nothing comes from it.
    """
    with _opened(path, refused=frozenset({stat.S_IFDIR, stat.S_IFSOCK})) as number:
        return _read_in_time(number, limit + 1, complete)


def is_file(path: Path) -> bool:
    """Whether there is a regular file; a path that can't be followed has none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; a path that can't be followed has none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def why_unusable(path: Path, error: OSError | ValueError) -> str:
    """Say why a path can't be used, and which folder on the way to it is closed."""
    if isinstance(error, PermissionError):
        return f"{error.strerror}{_closed_folder(path)}"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is no path"  # a null character, or half of a surrogate pair


def _closed_folder(path: Path) -> str:
    folders = reversed(Path(os.path.abspath(path)).parents)  # noqa: PTH100 - follows no link
    closed = next((one for one in folders if not os.access(one, os.X_OK)), None)
    return f": this user can't enter {closed}" if closed is not None else ""


@contextmanager
def _opened(path: Path, *, refused: frozenset[int]) -> Iterator[int]:
    """Open a file without ever blocking; kinds of file that are `refused` are not opened at all."""
    try:
        _refuse(os.stat(path).st_mode, refused)  # noqa: PTH116 - one error for all that is wrong
        number = os.open(path, _FLAGS)
        try:
            _refuse(os.fstat(number).st_mode, refused)  # it may have been replaced just now
            yield number
        finally:
            os.close(number)
    except (OSError, ValueError) as error:
        raise UnreadableFileError(f"cannot read {path}: {why_unusable(path, error)}") from None


def _refuse(mode: int, refused: frozenset[int]) -> None:
    if (kind := stat.S_IFMT(mode)) in refused:
        raise OSError(0, f"it is {_KINDS[kind]}, not a file")


def _chunks(number: int, size: int) -> Iterator[bytes]:
    """Yield what is there now, up to `size` bytes. Raises BlockingIOError where a writer is not done."""
    while size and (data := os.read(number, min(size, _CHUNK))):
        size -= len(data)
        yield data


def _read_in_time(number: int, size: int, complete: float) -> bytes:
    """Read to the end; a pipe without a writer may get one yet."""
    begun, found = clock.monotonic(), bytearray()
    while True:
        passed = clock.monotonic() - begun
        try:
            for data in _chunks(number, size - len(found)):
                found += data
                if clock.monotonic() - begun > complete:
                    raise OSError(0, f"it gave no end in {complete:.0f} s")
        except BlockingIOError:
            if passed > complete:
                raise OSError(0, f"it was not complete after {complete:.0f} s") from None
        else:
            if found or not stat.S_ISFIFO(os.fstat(number).st_mode):
                return bytes(found)
            if passed > FIRST_WRITER:
                raise OSError(0, "it is a pipe, and nothing came from it")
        time.sleep(_POLL)
