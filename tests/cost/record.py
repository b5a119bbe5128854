"""Read and write what is recorded of the cost, a file for each version of Python (`make cost-record`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.cost.measure import Cost, measure_cost, python_version
from tests.lab_process import ROOT

FEW_CALLS, FEW_BYTES = 2.0, 100.0
"""What a function or a file takes per target at the least to be recorded."""
NAMED = 15
"""Rows in a message."""
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
    recorded = {
        **{name: round(getattr(cost, name)) for name in FIGURES},
        "imported": dict(sorted(cost.imported.items())),
        "functions": _large(cost.functions, FEW_CALLS),
        "files": _large(cost.files, FEW_BYTES),
    }
    path_of(python_version()).write_bytes(
        msgspec.json.format(msgspec.json.encode(recorded), indent=1) + b"\n"
    )


def _large(found: Mapping[str, float], least: float) -> Mapping[str, float]:
    return {name: round(found[name], 1) for name in sorted(found) if found[name] >= least}


def grown(before: Cost, now: Cost) -> Sequence[str]:
    """Return the functions that are called more often than was recorded, the largest growth first."""
    return _grown(before.functions, now.functions, FEW_CALLS, noise=0.5)


def files_grown(before: Cost, now: Cost) -> Sequence[str]:
    """Return the files whose objects take more bytes than was recorded, the largest growth first."""
    return _grown(before.files, now.files, FEW_BYTES, noise=FEW_BYTES)


def imports_grown(before: Cost, now: Cost) -> Sequence[str]:
    """Return the modules that are new, and those with more classes than was recorded."""
    news = [f"{'new':>20}  {name}" for name in sorted(now.imported.keys() - before.imported.keys())]
    known = {name: classes for name, classes in now.imported.items() if name in before.imported}
    return [*news, *_grown(before.imported, known, 0.0, noise=0.0)][: 2 * NAMED]


def _grown(
    before: Mapping[str, float], now: Mapping[str, float], least: float, *, noise: float
) -> Sequence[str]:
    """Return rows of what has grown; what was not recorded was less than `least`."""
    was = {name: before.get(name, least) for name in now}
    more = {name: found - was[name] for name, found in now.items()}
    most = sorted((name for name in more if more[name] > noise), key=more.__getitem__, reverse=True)
    return [f"{was[name]:8.1f} -> {now[name]:8.1f}  {name}" for name in most[:NAMED]]


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
