"""Files that commands read; `-` is stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from egressd.errors import UnreadableFileError, UsageError
from egressd.inputfile import read_file_or_pipe


def read_input(file: Path, *, limit: int) -> str:
    """Read UTF-8 text, up to one byte beyond `limit`. Raises UsageError with the reason alone."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit + 1).decode()
        return read_file_or_pipe(file, limit=limit).decode()
    except UnicodeDecodeError:
        raise UsageError("not UTF-8 text") from None
    except UnreadableFileError as error:
        raise UsageError(str(error).removeprefix(f"cannot read {file}: ")) from None
    except OSError as error:  # of stdin
        raise UsageError(error.strerror or str(error)) from None
