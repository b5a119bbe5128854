"""Streams of sweeps: every line by the schema that ships, and the same verdicts as the JSON report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
from msgspec.structs import replace

from egressd.errors import ReportFileError
from egressd.model.verdict import Outcome, Sweep
from egressd.report.saved import from_json, to_document
from egressd.report.stream import AbortedLine, line_json, render_stream
from scripts.pages.schema import render_stream_schema

SCHEMA = Path(__file__).parents[2] / "egressd" / "report" / "stream" / "stream-1.schema.json"


@pytest.fixture
def sweep(sweep_of: Callable[..., Sweep], row: Callable[..., object]) -> Sweep:
    """A sweep with one target that works and one that does not."""
    made = sweep_of(
        row(), row(host="a.example", outcome=Outcome.BLOCKED, advice="Allow\nit \x1b[2J \u2028 now.")
    )
    plan = replace(made.recording.plan, site="oslo-1")
    return replace(made, recording=replace(made.recording, plan=plan))


def lines_of(sweep: Sweep) -> list[dict[str, Any]]:
    return [json.loads(line) for line in render_stream(sweep).split("\n")[:-1]]


def test_the_shipped_schema_is_fresh() -> None:
    """The shipped schema equals the one of the dataclasses; `make docs` writes it."""
    assert SCHEMA.read_text(encoding="utf-8") == render_stream_schema()
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text(encoding="utf-8")))


def test_each_line_is_valid_and_says_what_the_report_says(sweep: Sweep) -> None:
    """A line is one object, whatever text is in it; without one of its keys it is invalid."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    lines, report = lines_of(sweep), to_document(sweep)
    for one in lines:
        validator.validate(one)
        for key in one:
            with pytest.raises(jsonschema.ValidationError):
                validator.validate({name: value for name, value in one.items() if name != key})
    by_type: dict[str, list[dict[str, Any]]] = {}
    for one in lines:
        by_type.setdefault(one["type"], []).append(one)
    assert (lines[0]["type"], lines[-1]["type"]) == ("start", "summary")
    assert lines[0]["targets"] == len(report["targets"])
    assert (lines[0]["site"], report["plan"]["site"]) == ("oslo-1", "oslo-1")
    without_trails = [{key: one[key] for key in one if key != "trails"} for one in report["targets"]]
    assert [one["target"] for one in by_type["target"]] == without_trails
    assert [one["finding"] for one in by_type.get("finding", [])] == report["findings"]
    assert [one["rule"] for one in by_type.get("rule", [])] == report["rules"]
    assert len(by_type["probe"]) == len(report["plan"]["probes"])
    assert (lines[-1]["summary"], lines[-1]["exit_code"]) == (report["summary"], 1)


def test_a_sweep_that_was_stopped_says_so_at_its_end(sweep: Sweep) -> None:
    """Probes that did not end have no line of their own, and the last line has the exit code of Ctrl-C."""
    records = tuple(replace(one, trails=(), skipped="interrupted") for one in sweep.recording.records)
    stopped = replace(sweep, recording=replace(sweep.recording, records=records, interrupted=True))
    lines = lines_of(stopped)
    assert not [one for one in lines if one["type"] == "probe"]
    assert (lines[-1]["interrupted"], lines[-1]["exit_code"]) == (True, 130)


def test_a_stream_is_no_report(sweep: Sweep) -> None:
    """Whoever gives one to `replay` is told what to save."""
    with pytest.raises(
        ReportFileError, match="a stream of --format jsonl; a report is written with --format json"
    ):
        from_json(render_stream(sweep))


def test_an_aborted_line_is_valid() -> None:
    """It has the reason on one line."""
    line = line_json(AbortedLine(time="2026-11-20T03:10:04.120Z", why="no\nspace", exit_code=74))
    assert line.count("\n") == 1
    jsonschema.validate(json.loads(line), json.loads(SCHEMA.read_text(encoding="utf-8")))
