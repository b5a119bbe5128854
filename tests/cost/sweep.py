"""Count what warm sweeps of the lab take: a program, so that nothing else runs in its process.

`python -m tests.cost.sweep lab.yml 10 40` sweeps 10 targets and 40, each some times, and prints as JSON, for
each number, the calls of each function, and the memory that a sweep takes at its most and keeps. A call of a
function in C counts for the function that makes it, so that a loop is found where it is.

Where this host pauses for a share of the shortest time limit, what was probed meanwhile is probed again: the
limits are long, and what counts is what two sweeps agree on.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import itemgetter
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import yaml

from egressd.catalog import load_catalog
from egressd.cli.log import Form, Level, configure_logging
from egressd.config import Flags, load_settings
from egressd.engine.once import run_sweep
from egressd.model.catalog import Catalog
from egressd.model.endpoint import Cloud
from egressd.model.settings import Settings
from egressd.model.verdict import Outcome, Sweep
from egressd.report.saved import to_json

Found = TypeVar("Found")
MOST_ROUNDS = 16
LONG = ("dns_timeout", "connect_timeout", "tls_timeout", "http_timeout")
PATIENT = {**dict.fromkeys(LONG, "60s"), "deadline": "300s"}
"""Limits under which a busy host has no pauses."""
AGREE = 1.005
"""Two sweeps that differ by no more say what a sweep costs."""


def settings_for(lab: Path, catalog: Catalog, targets: int) -> Settings:
    """Return settings with so many https targets of the lab, each of a host of its own."""
    rows = (one for one in catalog.endpoints if one.port == 443 and Cloud.PUBLIC in one.clouds)
    names = {one.pattern for one in rows if not one.is_wildcard and "{" not in one.pattern}
    hosts = sorted(names, key=crc32_of)  # so that the first ones are as the last ones
    document = yaml.safe_load(lab.read_text(encoding="utf-8"))
    document |= {
        "probe": document["probe"] | PATIENT,
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
    found = run_sweep(settings, catalog)
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
            calls[frame.f_code, getattr(argument, "__qualname__", "?")] += 1

    threading.setprofile(count)
    sys.setprofile(count)
    try:
        sweep(settings, catalog)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    named: Counter[str] = Counter()
    for called, times in calls.items():
        named[name_of(called)] += times
    return named


def name_of(called: Any) -> str:
    """Return file and function; of one in C, those that call it, as they are where to look."""
    code, in_c = called if isinstance(called, tuple) else (called, None)
    return f"{short(code.co_filename)} {code.co_qualname}" + ("" if in_c is None else f" > {in_c}")


@cache
def short(path: str) -> str:
    """Return a path without the folder where Python or its packages are."""
    known = max((one for one in sys.path if path.startswith(f"{one}/")), key=len, default="")
    return path.removeprefix(known).lstrip("/")


def measure_memory(settings: Settings, catalog: Catalog) -> tuple[int, int, Mapping[str, int]]:
    """Return the bytes that a sweep takes at its most, and keeps; of the latter, by file that made them."""
    gc.collect()
    gc.disable()  # when it collects decides what there is at the most
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    found = sweep(settings, catalog)
    most = tracemalloc.get_traced_memory()[1]
    gc.enable()
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    files = tracemalloc.take_snapshot().statistics("filename")
    tracemalloc.stop()
    del found
    return most - before, kept - before, {short(one.traceback[0].filename): one.size for one in files}


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
        most, kept, files = repeat(partial(measure_memory, settings, catalog), size=itemgetter(0))
        calls = repeat(partial(count_calls, settings, catalog), size=Counter.total)
        figures[number] = {"calls": calls, "most_bytes": most, "kept_bytes": kept, "files": files}
    json.dump(figures, sys.stdout)


if __name__ == "__main__":
    main()
