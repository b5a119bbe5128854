"""The goals of what egressd costs, and the table that says which are met."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row: what egressd takes, what others take, and the goal."""

    label: str
    ours: float
    theirs: float | None = None
    """blackbox_exporter's; None: it has no such thing."""
    ratio: float | None = None
    """How many times theirs, measured in turns or at the same time; None: the goal is no multiple."""
    floor: float | None = None
    """A bare client's; None: it has no such thing."""
    goal: float
    """The most; with a ratio, of that."""

    @property
    def is_met(self) -> bool:
        """Whether the goal is met."""
        return (self.ours if self.ratio is None else self.ratio) <= self.goal


def print_goals(figures: Sequence[Figure]) -> None:
    """Print the table, with what it was measured on."""
    busy = os.getloadavg()[0]
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} processors, load {busy:.1f} at the end")
    print(f"{'':46}{'egressd':>9}{'blackbox':>10}{'ratio':>7}{'floor':>8}{'goal':>15}")
    for one in figures:
        goal = f"<= {one.goal:g}" + (" times" if one.ratio is not None else "")
        cells = f"{one.ours:9.2f}{_cell(one.theirs, 10)}{_cell(one.ratio, 7)}{_cell(one.floor, 8)}{goal:>15}"
        print(f"{one.label:46}{cells}  {'met' if one.is_met else 'MISSED'}")


def _cell(value: float | None, width: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:{width}.2f}"
