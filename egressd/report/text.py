"""Text for a terminal: cleaned, wrapped, coloured.

Law of the file: what came from elsewhere can neither move the cursor nor change a colour, and no line
is wider than asked for.
"""

from __future__ import annotations

import textwrap
import unicodedata
from enum import StrEnum


class Ink(StrEnum):
    """SGR parameters (ECMA-48)."""

    BOLD = "1"
    RED = "1;31"
    GREEN = "1;32"
    YELLOW = "1;33"
    DIM = "2"


def paint(text: str, ink: Ink, *, colour: bool) -> str:
    """Colour a line, if colours are wanted."""
    return f"\x1b[{ink}m{text}\x1b[0m" if colour and text else text


def clean(text: str) -> str:
    """Replace what is not printable, so that a report shows text and nothing else."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))


def fold(text: str, *, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Wrap a cleaned text; `first` opens the first line, `rest` the others (blank as wide, if not given)."""
    rest = " " * len(first) if rest is None else rest
    # Wide characters take two cells, so a text with them gets half the room.
    room = width if _narrow(text) else len(first) + (width - len(first)) // 2
    return textwrap.wrap(
        clean(text),
        max(room, len(first) + 8),
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def _narrow(text: str) -> bool:
    return text.isascii() or not any(unicodedata.east_asian_width(one) in "WF" for one in text)
