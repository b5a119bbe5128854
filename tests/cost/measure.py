"""Measure what a healthy target and a start cost, in figures that don't depend on the machine's speed."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.lab_process import ROOT, lab_process

FEW, SOME, MANY = 10, 30, 50
"""Targets of three sweeps; what does not depend on them falls out of the differences."""


class Cost(Struct, frozen=True, kw_only=True):
    """The cost of one more healthy https target, and of a start."""

    calls: float
    """Calls of functions, in Python and in C."""
    calls_among_few: float
    """The same from 10 to 30 targets."""
    calls_among_many: float
    """The same from 30 to 50 targets."""
    most_bytes: float
    """Memory at the most, the text of the report and garbage in cycles included."""
    kept_bytes: float
    """Memory of the result."""
    modules: int
    """Modules that a healthy `--once` imports."""
    classes: int
    """Classes that it has at its end."""
    imported: Mapping[str, int]
    """Those modules, with the classes that each makes."""
    functions: Mapping[str, float]
    """Calls by function; of one in C, by the function that calls it, too."""
    files: Mapping[str, float]
    """Bytes of the result by the file that made them."""


def python_version() -> str:
    """Return the version without its last number: another one compiles to other calls."""
    return ".".join(platform.python_version_tuple()[:2])


def measure_cost(folder: Path) -> Cost:
    """Sweep a lab and start a process; `folder` is for their files."""
    lab = folder / "lab.yml"
    with lab_process(lab):
        swept = _run("tests.cost.sweep", str(lab), str(FEW), str(SOME), str(MANY))
        one = ("--config.file", str(lab.with_name(f"cost-{FEW}.yml")), "--only", "cost-0")
        output = ("--format", "json", "--output", str(folder / "report.json"))
        started = _run("tests.cost.start", "--once", *one, *output)
    few, many = swept[str(FEW)], swept[str(MANY)]
    totals = {number: sum(swept[str(number)]["calls"].values()) for number in (FEW, SOME, MANY)}
    functions = _per_target(few["calls"], many["calls"])
    return Cost(
        calls=sum(functions.values()),
        calls_among_few=(totals[SOME] - totals[FEW]) / (SOME - FEW),
        calls_among_many=(totals[MANY] - totals[SOME]) / (MANY - SOME),
        most_bytes=(many["most_bytes"] - few["most_bytes"]) / (MANY - FEW),
        kept_bytes=(many["kept_bytes"] - few["kept_bytes"]) / (MANY - FEW),
        modules=len(started["modules"]),
        classes=started["classes"],
        imported=started["modules"],
        functions=functions,
        files=_per_target(few["files"], many["files"]),
    )


def _per_target(few: Mapping[str, int], many: Mapping[str, int]) -> Mapping[str, float]:
    return {name: (found - few.get(name, 0)) / (MANY - FEW) for name, found in many.items()}


def _run(module: str, *arguments: str) -> Any:
    """Run a module of the tests; return the JSON of its last line. Sets have the same order each time."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "NO_COLOR": "1"}
    completed = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    assert completed.returncode == 0, completed.stdout[-2000:] + completed.stderr[-2000:]
    return json.loads(completed.stdout.splitlines()[-1])
