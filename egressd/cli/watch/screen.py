"""The output of a watch: lines on stdout, and on a terminal one status line below them, on stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable

from msgspec import Struct

from egressd.cli.display import DISPLAY, is_terminal, wants_colour, width
from egressd.cli.guard import write_stderr
from egressd.cli.output import to_stdout
from egressd.cli.sweep.once import is_rewritable


class Screen(Struct, kw_only=True):
    """stdout and stderr, which may be one terminal."""

    muted: bool = False
    """Whether stdout is for lines of JSON, so that nothing else may be written there."""
    closed: bool = False
    """Whether the reader of stdout has gone."""
    _status: str = ""

    @property
    def width(self) -> int:
        """Columns to fill."""
        return width()

    @property
    def colour(self) -> bool:
        """Whether stdout may be coloured."""
        return wants_colour()

    def print(self, lines: Iterable[str]) -> None:
        """Print lines above the status line. Raises OutputError where they can't be written."""
        text = "".join(f"{line}\n" for line in lines)
        if not text or self.muted:
            return
        self._rewrite("")
        self.closed |= not to_stdout(text)
        self._rewrite(self._status)

    def show_status(self, text: str) -> None:
        """Set the status line; does nothing where stderr is no terminal."""
        self._status = text
        self._rewrite(text)

    def clear(self) -> None:
        """Remove the status line, to make room for another message."""
        self._rewrite("")

    def _rewrite(self, text: str) -> None:
        taken = self.muted and is_terminal()
        if DISPLAY.quiet or taken or not is_rewritable(sys.stderr):
            return
        columns = _columns() - 1  # a full line would scroll
        write_stderr(f"\r\x1b[K{text[:columns]}")


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return shutil.get_terminal_size((80, 24)).columns
