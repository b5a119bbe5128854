"""Files that commands read; `-` is stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from egressd.errors import UsageError


def read_input(file: Path, *, limit: int) -> str:
    """Read UTF-8 text, up to one byte beyond `limit`. Raises UsageError with the reason alone."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit + 1).decode()
        with file.open("rb") as opened:
            return opened.read(limit + 1).decode()
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text") from None
    except OSError as error:
        raise UsageError(error.strerror or str(error)) from None
