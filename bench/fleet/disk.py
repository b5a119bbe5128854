"""Bytes on disk: two hours of a few sites, written by promtool as Prometheus writes a block."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.fleet.pages import SWEEP, Pages, last_sweep
from bench.fleet.programs import CENTRAL, PROMTOOL
from bench.fleet.scenarios import FleetState
from bench.fleet.server import site_name
from tests.fleet.files import keep_lists

SITES = 4
HOURS = 2
"""A block holds as long."""
BEGIN = 1_796_083_200
"""When a block begins: an even hour, in Unix seconds."""
_NAME = re.compile(r"^([a-z_]+)")
_OUTCOME = re.compile(r'egressd_target_outcome="(\w+)"')


@dataclass(frozen=True, kw_only=True)
class BlockSize:
    """What a block takes."""

    series: int
    samples: int
    chunk_bytes: int
    index_bytes: int

    def bytes_per_day(self, *, series: float, samples: float) -> float:
        """Return what so many series and samples per second take a day, in blocks of two hours.

        Prometheus merges them later, and then needs less of the index.
        """
        chunks = self.chunk_bytes / self.samples * samples * 86_400
        return chunks + self.index_bytes / self.series * series * 24 / HOURS


def is_kept_line(line: str) -> bool:
    """Whether the fleet keeps a sample, by its line."""
    name, outcome = _NAME.match(line), _OUTCOME.search(line)
    text = f"{name[1] if name else ''};{outcome[1] if outcome else ''}"
    return _kept().fullmatch(text) is not None


@cache
def _kept() -> re.Pattern[str]:
    (rule,) = keep_lists()[CENTRAL.stem]
    return re.compile(rule["regex"])


def block_size(folder: Path, *, targets: int, scraped_every: int, full: bool) -> BlockSize:
    """Write a block of some sites, every series of which is scraped so often, in seconds."""
    text, into = folder / "samples.txt", folder / "block"
    keeps = (lambda _line: True) if full else is_kept_line
    with text.open("w", encoding="utf-8") as stream:
        samples = sum(stream.write(line) > 0 for line in _samples(targets, scraped_every, keeps))
        stream.write("# EOF\n")
    subprocess.run(
        [PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", str(text), str(into)],
        check=True,
        capture_output=True,
    )
    text.unlink()
    chunks = sum(one.stat().st_size for one in into.glob("*/chunks/*"))
    index = sum(one.stat().st_size for one in into.glob("*/index"))
    return BlockSize(
        series=samples // (HOURS * 3600 // scraped_every),
        samples=samples,
        chunk_bytes=chunks,
        index_bytes=index,
    )


def _samples(targets: int, scraped_every: int, keeps: Callable[[str], bool]) -> Iterator[str]:
    """Yield lines with their time, scrape after scrape."""
    pages = Pages(targets=targets)
    state = FleetState(pages.targets, start=BEGIN, event=None)
    for now in range(BEGIN, BEGIN + HOURS * 3600, scraped_every):
        for site in range(SITES):
            at = last_sweep(site, now + SWEEP)
            text = pages.page(site_name(site), at, state.faults(at))
            for line in text.splitlines():
                if not line.startswith("#") and keeps(line):
                    yield _labelled(line, site_name(site), now)


def _labelled(line: str, site: str, now: int) -> str:
    """Return a sample as Prometheus stores it: with the labels of what it was scraped from."""
    added = f'instance="arc1.{site}.corp.example",job="egressd",site="{site}"'
    head, _, value = line.rpartition(" ")
    head = head.replace('{site="', '{exported_site="')
    name, brace, labels = head.partition("{")
    return f"{name}{{{added}{',' + labels if brace else '}'} {value} {now}\n"
