"""Certificates and secrets that a configuration names: their problems are reported as the configuration's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct, field

from egressd.errors import ConfigError, UnreadableFileError
from egressd.inputfile import read_file
from egressd.model.settings import Trust

MAX_SECRET = 4096
ALL_READ, OTHERS_WRITE, ALL_ENTER = 0o004, 0o022, 0o001
"""Permissions of stat(2): everybody reads a file, others than its owner write it, all enter a folder."""


class FileReading(Struct, frozen=True, kw_only=True):
    """How the files that a configuration names are treated while it is validated."""

    folder: Path
    """Where relative paths start."""
    host: bool = True
    """Whether they are read; else only their names are checked."""
    secrets: list[Path] = field(default_factory=list)
    """Those that hold a secret; filled while the file is validated."""

    @property
    def context(self) -> dict[str, object]:
        """The context of a validation."""
        return {"reading": self}


def exposed_secrets(paths: Iterable[Path]) -> tuple[str, ...]:
    """Return a warning for each secret file that every user of this host can read, or others change."""
    found = dict.fromkeys(paths)
    return tuple(f"{path}: {why}" for path in found if (why := _exposure(path)))


def _exposure(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        reachable = all(folder.stat().st_mode & ALL_ENTER for folder in path.resolve().parents)
    except OSError:
        return ""  # reported where it is read
    if mode & ALL_READ and reachable:
        return "every user of this host can read this secret; chmod 600 or 640 it"
    if mode & OTHERS_WRITE and reachable:
        return "others than its owner can change this secret; chmod 600 or 640 it"
    return ""


def read_secret(path: Path) -> str:
    """Return a file's only line. Raises ValueError; the content is never part of the message."""
    try:
        data = read_file(path, limit=MAX_SECRET)
        secret = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnreadableFileError as error:
        raise ValueError(str(error)) from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot use {path}: not UTF-8 text") from None
    if not secret or len(data) > MAX_SECRET or not secret.isprintable():
        raise ValueError(f"cannot use {path}: must hold one line of 1 to {MAX_SECRET} characters")
    return secret


def check_certificates(path: Path) -> None:
    """Refuse a file without certificates in PEM. Raises ValueError."""
    # Importing the TLS library is slow, and most configurations name no certificate file.
    from egressd.net.trust import load_trust  # noqa: PLC0415

    try:
        load_trust(Trust(store=str(path)))
    except ConfigError as error:
        raise ValueError(error.problems[0].removeprefix("trust.store: ")) from None


def check_readable(path: Path) -> None:
    """Refuse a path that can't be opened or is not a file. Raises ValueError."""
    try:
        read_file(path, limit=0)
    except UnreadableFileError as error:
        raise ValueError(str(error)) from None
