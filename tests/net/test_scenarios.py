"""Every scenario of the table: a fault made by real software gets its reason, blame and confidence.

A sweep mostly waits, so a few worlds are swept at a time; a row reads only its own world's report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from egressd.attribution.reasons import find_reason
from tests.net.scenario import Row, World
from tests.net.shared_sweeps import Sweeps, shared_sweeps
from tests.net.worlds import WORLDS

CASES = tuple(pytest.param(world, row, id=row.name) for world in WORLDS for row in world.rows)


@pytest.fixture(scope="module")
def sweeps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, namespaces: None
) -> Iterator[Sweeps]:
    """Return the sweeps of the selected worlds."""
    with shared_sweeps(request.session.items, tmp_path_factory.getbasetemp(), "worlds") as every:
        yield every


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
