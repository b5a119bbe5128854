"""Text for a terminal: cleaned, wrapped, coloured.

Text from the network can neither move the cursor nor change a colour.
"""

from __future__ import annotations

import textwrap
import unicodedata
from enum import StrEnum

UNWRAPPED = 1_000_000
"""A width for text that is not to be wrapped: `grep` finds a sentence only where it is one line."""


class Style(StrEnum):
    """SGR parameters (ECMA-48)."""

    BOLD = "1"
    RED = "1;31"
    GREEN = "1;32"
    YELLOW = "1;33"
    DIM = "2"


def colourize(text: str, style: Style, *, colour: bool) -> str:
    """Wrap a line in SGR codes if `colour`."""
    return f"\x1b[{style}m{text}\x1b[0m" if colour and text else text


def clean(text: str) -> str:
    """Replace unprintable characters by `?`, and join whitespace."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))


def fold(text: str, *, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Wrap a cleaned text; `first` prefixes the first line, `rest` the others (default: as many blanks)."""
    rest = " " * len(first) if rest is None else rest
    # East Asian wide characters take two cells each.
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
