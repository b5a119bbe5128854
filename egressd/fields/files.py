"""Certificates and secrets that a configuration names: their problems are reported as the configuration's."""

from __future__ import annotations

from pathlib import Path

from egressd.errors import ConfigError, UnreadableFileError
from egressd.inputfile import read_file
from egressd.model.settings import Trust

MAX_SECRET = 4096


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
