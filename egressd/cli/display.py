"""How the process prints: wide or narrow, coloured or not, much or little."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from egressd.cli.guard import print_stderr
from egressd.report.text import UNWRAPPED

NARROWEST, WIDEST = 40, 120
"""Columns: the least and, unless COLUMNS says more, the most that is used of a terminal."""


class Colour(StrEnum):
    """When text for people is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Display(Struct, kw_only=True):
    """What the options of a command ask for."""

    colour: Colour = Colour.AUTO
    quiet: bool = False
    """Whether only what is wrong is printed."""
    verbose: bool = False
    """Whether what passed is printed too."""


DISPLAY = Display()
"""One for the process, as stdout is one."""


def set_display(*, colour: Colour = Colour.AUTO, quiet: bool = False, verbose: bool = False) -> None:
    """Take over what the options of a command ask for."""
    DISPLAY.colour, DISPLAY.quiet, DISPLAY.verbose = colour, quiet, verbose


def note(text: str) -> None:
    """Print on stderr what is good to know, and nobody must act on; with `--quiet` nothing."""
    if not DISPLAY.quiet:
        print_stderr(text)


def width(output: Path | None = None, *, most: int = WIDEST) -> int:
    """Return the columns to fill: COLUMNS if that is set, those of a terminal up to `most`, or `UNWRAPPED`.

    `output` is the file that is written to; None for stdout.
    """
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdecimal() and int(asked) > 0:
        return min(max(int(asked), NARROWEST), UNWRAPPED)
    if output is not None or not is_terminal():
        return UNWRAPPED
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), most)


def is_terminal() -> bool:
    """Return whether people read stdout directly."""
    return sys.stdout.isatty()


def wants_colour(output: Path | None = None) -> bool:
    """Return whether text for people is to be coloured; `output` is the file that is written to."""
    match DISPLAY.colour:
        case Colour.ALWAYS:
            return True
        case Colour.NEVER:
            return False
        case Colour.AUTO:
            plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
            return output is None and is_terminal() and not plain
