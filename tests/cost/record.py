"""Read and write what is recorded of the cost, a file for each version of Python (`make cost-record`)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.cost.measure import ROOT, Cost, measure_cost, python_version

WORTH_RECORDING = 2.0
"""Calls per target below which a function is left out of the file."""
NAMED = 15
"""Functions in a message."""
FIGURES = ("calls", "calls_among_few", "calls_among_many", "most_bytes", "kept_bytes", "modules", "classes")


def path_of(version: str) -> Path:
    """Return the file of a version of Python."""
    return ROOT / "tests" / "cost" / f"python{version}.json"


def read(version: str) -> Cost | None:
    """Return what was recorded; None: nothing was for this version."""
    path = path_of(version)
    return msgspec.json.decode(path.read_bytes(), type=Cost) if path.exists() else None


def write(cost: Cost) -> None:
    """Record a cost, one figure a line."""
    often = {name: times for name, times in cost.functions.items() if times >= WORTH_RECORDING}
    functions = {name: round(often[name], 1) for name in sorted(often)}
    figures = {name: round(getattr(cost, name)) for name in FIGURES}
    text = msgspec.json.format(msgspec.json.encode({**figures, "functions": functions}), indent=1)
    path_of(python_version()).write_bytes(text + b"\n")


def grown(before: Cost, now: Cost) -> Sequence[str]:
    """Return the functions that are called more often than was recorded, the largest growth first."""
    was = {name: before.functions.get(name, WORTH_RECORDING) for name in now.functions}
    more = {name: times - was[name] for name, times in now.functions.items()}
    most = sorted((name for name in more if more[name] > 0.5), key=more.__getitem__, reverse=True)
    return [f"{was[name]:8.1f} -> {now.functions[name]:8.1f}  {name}" for name in most[:NAMED]]


def main() -> None:
    """Record what is measured now, and say what has changed."""
    before = read(python_version())
    with TemporaryDirectory() as folder:
        now = measure_cost(Path(folder))
    write(now)
    for name in FIGURES:
        was = "" if before is None else f"{getattr(before, name):10.0f} ->"
        sys.stdout.write(f"{name:18}{was}{getattr(now, name):10.0f}\n")
    if before is not None:
        sys.stdout.write("\n".join(("called more often per target:", *grown(before, now), "")))


if __name__ == "__main__":
    main()
