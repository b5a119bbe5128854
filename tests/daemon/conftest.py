"""A lab that runs for a module, and a configuration that sweeps a few of its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.process import Lab, settings
from tests.lab_process import lab_process


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab, and its configuration reduced to a few targets."""
    folder = tmp_path_factory.mktemp("lab")
    config = folder / "lab.yml"
    with lab_process(config) as process:
        yield Lab(process, config)


@pytest.fixture
def config(lab: Lab, tmp_path: Path) -> Path:
    """The configuration file of the daemon."""
    path = tmp_path / "egressd.yml"
    path.write_text(settings(lab), encoding="utf-8")
    return path
