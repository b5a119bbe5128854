"""Every scenario of the table: a fault made by real software gets its reason, blame and confidence.

A sweep mostly waits, so a few worlds are swept at a time; a row reads only its own world's report.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pytest

from egressd.attribution.reasons import find_reason
from tests.net.run_egressd import Run
from tests.net.scenario import Row, World
from tests.net.worlds import WORLDS

AT_ONCE = 2 if "PYTEST_XDIST_WORKER" in os.environ else 4
"""More would compete for the CPU and cause timeouts."""
SWEEP_TIMEOUT = 550.0
CASES = tuple(pytest.param(world, row, id=row.name) for world in WORLDS for row in world.rows)


class Sweeps:
    """The sweeps of a test run: each world once, several at a time, shared between pytest-xdist workers."""

    def __init__(self, items: list[pytest.Item], folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[Run]] = {}
        for item in items:
            world = getattr(getattr(item, "callspec", None), "params", {}).get("world")
            if isinstance(world, World):
                self._begin(world)

    def _begin(self, world: World) -> Future[Run]:
        if world.name not in self._futures:
            self._futures[world.name] = self._pool.submit(self._swept, world)
        return self._futures[world.name]

    def of(self, world: World) -> Run:
        """Return the sweep of a world; an exception in it is raised again."""
        future = self._begin(world)
        return self._swept(world) if future.cancel() else future.result()

    def _swept(self, world: World) -> Run:
        """Sweep it, or wait for another worker that does."""
        claim, done = self._folder / f"{world.name}.claim", self._folder / f"{world.name}.json"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            return _read(done)
        fresh = self._folder / f"{world.name}.fresh"
        try:
            fresh.write_text(json.dumps(asdict(world.sweep())), encoding="utf-8")
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


@pytest.fixture(scope="module")
def sweeps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, namespaces: None
) -> Iterator[Sweeps]:
    """Return the sweeps of the selected worlds; pytest-xdist workers share their folder."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder = folder / "worlds"
    folder.mkdir(exist_ok=True)
    every = Sweeps(request.session.items, folder)
    yield every
    every.close()


@pytest.mark.parametrize(("world", "row"), CASES)
def test_scenario(world: World, row: Row, sweeps: Sweeps) -> None:
    """The target gets its outcome, reason, blame and confidence, and the healthy target stays ok."""
    run = sweeps.of(world)
    assert row.mismatches(run) + world.mismatches(run) == [], run.stderr


def test_names_are_unique() -> None:
    """The names of scenarios and of worlds are unique."""
    names = Counter([row.name for world in WORLDS for row in world.rows])
    assert [name for name, count in names.items() if count > 1] == []
    assert len({world.name for world in WORLDS}) == len(WORLDS)


def test_codes_exist() -> None:
    """Every code that a scenario expects is a known reason code."""
    codes = {code for world in WORLDS for row in world.rows for code in (row.reason, row.also, row.finding)}
    assert [code for code in codes - {""} if find_reason(code) is None] == []
