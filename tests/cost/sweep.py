"""Count what warm sweeps of the lab take: a program, so that nothing else runs in its process.

`python -m tests.cost.sweep lab.yml 10 40` sweeps 10 targets and 40, each some times, and prints as JSON, for
each number, the calls of each function, and the memory that a sweep takes at its most and keeps.

Where this host pauses, what was probed meanwhile is probed again: what counts is what two sweeps agree on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import yaml

from egressd.catalog import load_catalog
from egressd.cli.log import Form, Level, configure_logging
from egressd.config import Flags, load_settings
from egressd.engine.once import run_once
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings
from egressd.model.verdict import Outcome, Sweep
from egressd.report.saved import to_json

Found = TypeVar("Found")
MOST_ROUNDS = 8
AGREE = 1.01
"""Two sweeps that differ by no more say what a sweep costs."""


def settings_for(lab: Path, catalog: Catalog, targets: int) -> Settings:
    """Return settings with so many https targets of the lab, each of a host of its own."""
    rows = (one for one in catalog.endpoints if one.port == 443 and Cloud.PUBLIC in one.clouds)
    names = {one.pattern for one in rows if not one.is_wildcard and "{" not in one.pattern}
    hosts = sorted(names, key=crc32_of)  # so that the first ones are as the last ones
    document = yaml.safe_load(lab.read_text(encoding="utf-8"))
    document |= {
        "profiles": [],
        "overrides": [],
        "values": {},
        "endpoints": [
            {"id": f"cost-{number}", "host": host, "port": 443, "protocol": "https"}
            for number, host in enumerate(hosts[:targets])
        ],
    }
    path = lab.with_name(f"cost-{targets}.yml")
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_settings(path, Flags(), catalog=catalog)


def crc32_of(name: str) -> int:
    """Return a number that has nothing to do with the order of names."""
    return zlib.crc32(name.encode())


def sweep(settings: Settings, catalog: Catalog) -> Sweep:
    """Sweep once and write the report; every target must be ok."""
    found = asyncio.run(run_once(settings, catalog))
    bad = [one.target for one in found.verdicts if one.verdict.outcome is not Outcome.OK]
    if bad:
        sys.exit(f"not ok: {', '.join(bad)}")
    to_json(found)
    return found


def count_calls(settings: Settings, catalog: Catalog) -> Counter[str]:
    """Return how often each function was called in a sweep, whatever its thread."""
    calls: Counter[Any] = Counter()

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            calls[frame.f_code] += 1
        elif event == "c_call":
            calls[getattr(argument, "__qualname__", "?")] += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        sweep(settings, catalog)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    named: Counter[str] = Counter()
    for code, times in calls.items():
        named[f"built in: {code}" if isinstance(code, str) else name_of(code)] += times
    return named


def name_of(code: Any) -> str:
    """Return file and function, without the folder where Python or its packages are."""
    known = max((one for one in sys.path if code.co_filename.startswith(f"{one}/")), key=len, default="")
    return f"{code.co_filename.removeprefix(known).lstrip('/')} {code.co_qualname}"


def measure_memory(settings: Settings, catalog: Catalog) -> tuple[int, int]:
    """Return the bytes that a sweep takes at its most, and keeps."""
    gc.collect()
    gc.disable()  # when it collects decides what there is at the most
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = sweep(settings, catalog)
    most = tracemalloc.get_traced_memory()[1]
    gc.enable()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del found
    return most - before, kept - before


def repeat(measure: Callable[[], Found], size: Callable[[Found], int]) -> Found:
    """Measure until the least two agree; return the least."""
    found = [measure()]
    while len(found) < MOST_ROUNDS:
        found = sorted([*found, measure()], key=size)
        if size(found[1]) <= AGREE * size(found[0]):
            break
    return found[0]


def main() -> None:
    """Sweep each number of targets and print the figures."""
    lab, numbers = Path(sys.argv[1]), [int(one) for one in sys.argv[2:]]
    configure_logging(Level.ERROR, Form.JSON)
    catalog = load_catalog()
    figures: dict[int, dict[str, Any]] = {}
    for number in numbers:
        settings = settings_for(lab, catalog, number)
        sweep(settings, catalog)  # what is made once for many sweeps is not of interest
        most, kept = repeat(partial(measure_memory, settings, catalog), size=itemgetter(0))
        calls = repeat(partial(count_calls, settings, catalog), size=Counter.total)
        figures[number] = {"calls": calls, "most_bytes": most, "kept_bytes": kept}
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
