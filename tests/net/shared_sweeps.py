"""Sweeps that many tests read: each world once, a few at a time, shared between pytest-xdist workers."""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest
from msgspec import to_builtins

from tests.net.run_egressd import Run

AT_ONCE = 2 if "PYTEST_XDIST_WORKER" in os.environ else 4
"""More would compete for the CPU and cause timeouts."""
SWEEP_TIMEOUT = 550.0


@runtime_checkable
class SweptOnce(Protocol):
    """What can be swept: a world with a name of its own."""

    @property
    def name(self) -> str:
        """The name, also of its files."""

    def sweep(self) -> Run:
        """Build the network, sweep it once, and remove it."""


class Sweeps:
    """The sweeps of a test run; those that the selected tests take as a parameter begin at once."""

    def __init__(self, items: list[pytest.Item], folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[Run]] = {}
        for item in items:
            for one in getattr(getattr(item, "callspec", None), "params", {}).values():
                if isinstance(one, SweptOnce):
                    self._begin(one)

    def _begin(self, world: SweptOnce) -> Future[Run]:
        if world.name not in self._futures:
            self._futures[world.name] = self._pool.submit(self._swept, world)
        return self._futures[world.name]

    def of(self, world: SweptOnce) -> Run:
        """Return the sweep of a world; an exception in it is raised again."""
        future = self._begin(world)
        return self._swept(world) if future.cancel() else future.result()

    def _swept(self, world: SweptOnce) -> Run:
        """Sweep it, or wait for another worker that does."""
        claim, done = self._folder / f"{world.name}.claim", self._folder / f"{world.name}.json"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            return _read(done)
        fresh = self._folder / f"{world.name}.fresh"
        try:
            fresh.write_text(json.dumps(to_builtins(world.sweep())), encoding="utf-8")
        except BaseException:
            fresh.write_text(json.dumps(traceback.format_exc()), encoding="utf-8")
            raise
        finally:
            fresh.rename(done)
        return _read(done)

    def close(self) -> None:
        """Start nothing more, and wait for what runs: it has namespaces to remove."""
        self._pool.shutdown(cancel_futures=True)


def _read(path: Path) -> Run:
    end = time.monotonic() + SWEEP_TIMEOUT
    while not path.exists():
        assert time.monotonic() < end, f"{path.stem} was never swept"
        time.sleep(0.05)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict), found
    return Run(**found)


@contextmanager
def shared_sweeps(items: list[pytest.Item], folder: Path, part: str) -> Iterator[Sweeps]:
    """Keep sweeps in a part of the run's temporary folder, which pytest-xdist workers share."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / part
    folder.mkdir(exist_ok=True)
    every = Sweeps(items, folder)
    try:
        yield every
    finally:
        every.close()
