"""Write a file that `--output` names: replaced as a whole, with the mode and the owner that it had.

A link stays a link, and what it leads to is replaced. Pipes, devices and descriptors are written to.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from egressd import clock
from egressd.errors import UsageError
from egressd.inputfile import is_folder, why_unusable

FIRST_READER = 5.0
"""Seconds until somebody must have opened the other end of a pipe."""
_POLL = 0.05
_DESCRIPTOR = re.compile(r"/dev/(?:fd/|std)(in|out|err|[0-9]{1,4})|/proc/self/fd/([0-9]{1,4})")
_STANDARD = {"in": 0, "out": 1, "err": 2}


def check_output(output: Path | None) -> None:
    """Refuse a file that can't be written, before the work is done.

    Raises:
        UsageError: it is a folder, or its folder can't be written to.
    """
    if output is None or _descriptor(output) is not None:
        return
    try:
        existing = _stat(output)
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot write {output}: {why_unusable(output, error)}") from None
    if existing is not None and stat.S_ISDIR(existing.st_mode):
        raise UsageError(f"cannot write {output}: it is a folder; name a file in it")
    folder = _target(output).parent
    if not is_folder(folder):
        raise UsageError(f"cannot write {output}: there is no folder {folder}")
    special = existing is not None and not stat.S_ISREG(existing.st_mode)
    if not os.access(output if special else folder, os.W_OK):
        raise UsageError(f"cannot write {output}: no permission")


def write_output(path: Path, pieces: Iterable[bytes], *, mode: int | None) -> None:
    """Write a file so that readers see the old one or the new one, and never a part.

    `mode` is that of a file that is new; None for what the umask allows. Raises OSError.
    """
    number = _descriptor(path)
    if number is not None:
        _write(os.dup(number), pieces)
        return
    existing = _stat(path)
    if existing is None or stat.S_ISREG(existing.st_mode):
        _replace(_target(path), pieces, mode=mode, existing=existing)
    else:
        _write(_open_special(path, existing), pieces)


def open_output(path: Path) -> int:
    """Open a file to be written bit by bit: it is empty, and keeps owner and mode. Raises OSError."""
    number = _descriptor(path)
    if number is not None:
        return os.dup(number)
    existing = _stat(path)
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        return _open_special(path, existing)
    return os.open(_target(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)


def _descriptor(path: Path) -> int | None:
    """Return the descriptor that a path stands for: the file behind it may be open for appending."""
    found = _DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    word = found[1] or found[2]
    return _STANDARD.get(word) if word in _STANDARD else int(word)


def _stat(path: Path) -> os.stat_result | None:
    """Return what a path leads to; None: nothing yet. Raises OSError, also for a link planted by another."""
    try:
        return os.stat(path)  # noqa: PTH116 - one error for all that is wrong
    except FileNotFoundError:
        return None


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _replace(
    path: Path, pieces: Iterable[bytes], *, mode: int | None, existing: os.stat_result | None
) -> None:
    temporary = path.with_name(f".egressd-{secrets.token_hex(8)}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _first_mode(existing))
    try:
        kept = os.dup(number)
        try:
            _write(number, pieces, sync=True)
            if existing is not None:
                _keep_owner_and_mode(kept, existing)
            elif mode is not None:
                os.fchmod(kept, mode)
        finally:
            os.close(kept)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _first_mode(existing: os.stat_result | None) -> int:
    """Return the mode to begin with; while a file is private, its copy must never be readable."""
    return 0o666 if existing is None else 0o600


def _keep_owner_and_mode(number: int, existing: os.stat_result) -> None:
    """Give a file the owner and mode of another; where only root could, nobody gets more than before."""
    mode = stat.S_IMODE(existing.st_mode) & 0o777
    for owner, group in ((existing.st_uid, existing.st_gid), (-1, existing.st_gid)):
        with suppress(PermissionError):
            os.fchown(number, owner, group)
            break
    else:
        mode = mode & ~0o070 | (mode & 0o007) << 3  # another group now: it gets what everybody has
    os.fchmod(number, mode)


def _open_special(path: Path, existing: os.stat_result) -> int:
    """Open a pipe or a device for writing. Raises OSError: also where nobody reads a pipe."""
    begun = clock.monotonic()
    while True:
        try:
            number = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.ENXIO or not stat.S_ISFIFO(existing.st_mode):
                raise
            if clock.monotonic() - begun > FIRST_READER:
                raise OSError(0, "it is a pipe that nobody reads") from None
            time.sleep(_POLL)
        else:
            os.set_blocking(number, True)
            return number


def _write(number: int, pieces: Iterable[bytes], *, sync: bool = False) -> None:
    """Write all of it and close. Raises OSError."""
    with os.fdopen(number, "wb", buffering=0) as file:
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[file.write(left) or 0 :]
        if sync:
            os.fsync(number)
