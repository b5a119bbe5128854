"""A lab that runs for a module, and a configuration that sweeps a few of its hosts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.process import Lab, settings


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab, and its configuration reduced to a few targets."""
    folder = tmp_path_factory.mktemp("lab")
    command = [sys.executable, "-m", "egressd", "lab", "--config.write", str(folder / "lab.yml")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "the lab is open" not in process.stdout.readline():
            assert process.poll() is None
        yield Lab(process, folder / "lab.yml")
        process.terminate()
        process.communicate()


@pytest.fixture
def config(lab: Lab, tmp_path: Path) -> Path:
    """The configuration file of the daemon."""
    path = tmp_path / "egressd.yml"
    path.write_text(settings(lab), encoding="utf-8")
    return path
