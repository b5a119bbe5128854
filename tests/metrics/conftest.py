"""Fixtures that build snapshots."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from egressd.model.snapshot import Snapshot
from egressd.model.standing import FindingStanding
from egressd.model.verdict import Sweep
from tests.metrics.snapshots import Row, finding, make_snapshot, make_sweep


@pytest.fixture
def row() -> type[Row]:
    return Row


@pytest.fixture
def sweep_of() -> Callable[..., Sweep]:
    return make_sweep


@pytest.fixture
def snapshot_of() -> Callable[..., Snapshot]:
    return make_snapshot


@pytest.fixture
def finding_of() -> Callable[..., FindingStanding]:
    return finding
