"""Lines of egressd in a program that configures no logging."""

from __future__ import annotations

import pytest

from egressd.log import get_logger


def test_lines_go_to_stderr_where_nobody_configured_logging(capsys: pytest.CaptureFixture[str]) -> None:
    """A script's stdout has what the script prints."""
    get_logger("egressd").info("this host paused")
    said = capsys.readouterr()
    assert said.out == ""
    assert "this host paused" in said.err
