"""What a file is named decides what is written in it, unless a format is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egressd.cli.app import app
from egressd.model.verdict import Outcome
from egressd.report.saved import to_json
from tests.report.conftest import Row, make_sweep

STARTS = {
    "x.json": "{",
    "x.html": "<!doctype html>",
    "x.HTM": "<!doctype html>",
    "x.md": "# egressd: ",
    "x.markdown": "# egressd: ",
    "x.csv": "target,endpoint,",
    "x.xml": "<?xml ",
    "x.prom": "# HELP ",
    "x.txt": "1 target, ",
    "x": "1 target, ",
    "html": "1 target, ",
    "x.json.old": "1 target, ",
}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Write a report of one failing target."""
    path = tmp_path / "saved"
    path.write_text(to_json(make_sweep(Row(outcome=Outcome.BLOCKED))), encoding="utf-8")
    return path


def run(*words: str) -> int:
    return CliRunner().invoke(app, words).exit_code


@pytest.mark.parametrize("name", STARTS)
def test_the_suffix_of_a_file_is_its_format(tmp_path: Path, report: Path, name: str) -> None:
    """Also in capitals; what is not known is a table."""
    run("replay", str(report), "--output", str(tmp_path / name))

    assert (tmp_path / name).read_text(encoding="utf-8").startswith(STARTS[name])


def test_a_format_that_is_given_wins(tmp_path: Path, report: Path) -> None:
    """Whatever the file is called, and also where that is the usual one."""
    run("replay", str(report), "--output", str(tmp_path / "a.html"), "--format", "csv")
    run("replay", str(report), "--output", str(tmp_path / "b.html"), "--format", "table")

    assert (tmp_path / "a.html").read_text(encoding="utf-8").startswith("target,endpoint,")
    assert (tmp_path / "b.html").read_text(encoding="utf-8").startswith("1 target, ")


def test_a_diff_is_json_by_its_suffix(tmp_path: Path, report: Path) -> None:
    """Of two equal reports: nothing changed, exit code 0."""
    assert run("diff", str(report), str(report), "--output", str(tmp_path / "d.json")) == 0
    assert run("diff", str(report), str(report), "--output", str(tmp_path / "d.txt")) == 0

    assert json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["schema"] == "egressd.diff/1"
    assert (tmp_path / "d.txt").read_text(encoding="utf-8").startswith("from 20")
