"""A large report is written target by target: its text never stands in memory as a whole."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from egressd.attribution import judge
from egressd.cli.options import Format
from egressd.cli.output import write_report
from egressd.errors import OutputError
from egressd.model.verdict import Outcome, Sweep
from egressd.report.pieces import BATCH
from egressd.report.saved import json_pieces, to_json, to_report
from tests.attribution.cases import SCENES
from tests.metrics.snapshots import Row, make_sweep

LARGEST_ENTRY = 64 * 1024


def large() -> Sweep:
    """A sweep whose report is many batches long."""
    return make_sweep(*(Row(host=f"host-{number}.corp.example") for number in range(1500)))


def whole_text(sweep: Sweep) -> str:
    """Write a report at once."""
    return msgspec.json.format(msgspec.json.encode(to_report(sweep)), indent=2).decode() + "\n"


@pytest.mark.parametrize("scene", SCENES, ids=lambda one: one.name)
def test_the_pieces_are_the_report(scene: Any) -> None:
    """Every scene, with findings, controls, empty lists and texts of all kinds, reads as written at once."""
    sweep = judge(scene.build().recording())
    assert to_json(sweep) == whole_text(sweep)


def test_line_ends_and_quotes_in_texts_stay_texts() -> None:
    """A text with line ends and quotes is not indented as the document is."""
    sweep = make_sweep(Row(outcome=Outcome.BLOCKED), Row(host="b.example"))
    assert to_json(sweep) == whole_text(sweep)
    assert r"A \"service\"\\ of two\nlines" in to_json(sweep)


def test_a_piece_is_a_batch_of_targets() -> None:
    """A text of some megabytes comes in batches, each larger than asked for by one entry at most."""
    sizes = [len(one) for one in json_pieces(large())]
    assert len(sizes) > 5
    assert max(sizes) < BATCH + LARGEST_ENTRY


def test_writing_takes_a_part_of_the_memory_of_the_text(tmp_path: Path) -> None:
    """While a report is written to a file, less than half of its text is in memory."""
    sweep, path = large(), tmp_path / "sweep.json"
    write_report(sweep, Format.JSON, path)  # what is imported or remembered once
    tracemalloc.start()
    try:
        write_report(sweep, Format.JSON, path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.read_text(encoding="utf-8") == to_json(sweep)
    assert peak < path.stat().st_size / 2


def test_what_a_file_does_not_take_goes_to_stdout_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is gone costs the file and not the report."""
    sweep = large()
    with pytest.raises(OutputError, match="the report went to stdout"):
        write_report(sweep, Format.JSON, tmp_path / "gone" / "sweep.json")
    assert capsys.readouterr().out == to_json(sweep)
