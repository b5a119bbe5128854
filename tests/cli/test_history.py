"""`egressd history` with a pattern that matches nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from tests.state.test_persistence import failing, save_and_close


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration whose state has one failed target."""
    standings, events = failing()
    asyncio.run(save_and_close(tmp_path / "state", standings, list(events)))
    path = tmp_path / "egressd.yml"
    path.write_text(f"state: {{directory: {tmp_path / 'state'}}}\n", encoding="utf-8")
    return path


def history(config: Path, target: str) -> Result:
    words = ["history", "--config.file", str(config), "--since", "2000-01-01", "--target", target]
    return CliRunner().invoke(app, words)


def test_a_pattern_without_a_match_is_reported(config: Path) -> None:
    """A pattern without a match is reported, since empty output would look like no changes."""
    done = history(config, "nope*")
    message = "egressd: no change of a target that matches 'nope*' is on record for that time\n"
    assert (done.exit_code, done.stderr) == (0, message)
    assert history(config, "row*").stderr == ""
