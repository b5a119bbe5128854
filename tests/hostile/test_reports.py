"""Saved reports with anything in them: a verdict or one line with exit code 2, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from egressd.attribution import judge
from egressd.cli.app import app
from egressd.cli.options import Format
from egressd.errors import ReportFileError
from egressd.report.saved import from_json, to_json
from tests.attribution.cases import SCENES
from tests.hostile.json_values import changed_document
from tests.hostile.outputs import produce_everything
from tests.hostile.values import BAD_TEXTS

REPORTS = tuple(to_json(judge(one.build().recording())) for one in SCENES)
"""A report of every scene."""
ENDS = frozenset({0, 1, 2, 3, 130})
"""130: the report says that its sweep was interrupted."""
TOO_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
DOCUMENTS = st.sampled_from(REPORTS).map(json.loads).flatmap(changed_document)
"""A report with up to four of its values exchanged, left out, doubled or moved."""


@settings(max_examples=120, suppress_health_check=TOO_SLOW)
@given(DOCUMENTS)
def test_a_changed_report_is_judged_or_refused(document: Any) -> None:
    """A report with other values is a recording like any other, or is refused in one line."""
    recording, refusal = None, ""
    try:
        recording = from_json(json.dumps(document))
    except ReportFileError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert len(refusal) < 500
    if recording is not None:
        produce_everything(recording)


@settings(max_examples=40, suppress_health_check=[*TOO_SLOW, HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, other=st.sampled_from(REPORTS), fmt=st.sampled_from(Format), text=st.booleans())
def test_commands_end_with_a_verdict_or_one_line(
    tmp_path: Path, document: Any, other: str, fmt: Format, *, text: bool
) -> None:
    """`replay` and `diff` end with 0, 1, 3 or 130 and a report, or with 2 and one line."""
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(document), encoding="utf-8")
    after.write_text(other, encoding="utf-8")
    form = "text" if text else "json"
    for words in (
        ("replay", str(before), "--format", fmt.value),
        ("diff", str(before), str(after), "--format", form),
        ("diff", str(after), str(before), "--format", form),
    ):
        assert_ends_well(*words)


def assert_ends_well(*words: str) -> None:
    """Run a command, and check its exit code and what it wrote."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code in ENDS, done.output
    if done.exit_code == 2:
        (line,) = done.stderr.splitlines()
        assert line.startswith("egressd: cannot read ")
        assert line.isprintable()
    else:
        assert done.stdout.strip()
        assert "Traceback" not in done.output


NO_REPORTS = {
    "empty": b"",
    "spaces": b" \n\t",
    "a-nul": b"\0",
    "not-utf-8": b'{"schema": "\xff\xfe"}',
    "utf-16": '{"schema": "egressd.sweep/1"}'.encode("utf-16"),
    "a-mark-before-it": b"\xef\xbb\xbf{}",
    "a-number": b"1e999",
    "nan": b"NaN",
    "a-text": b'"egressd.sweep/1"',
    "deep-lists": b"[" * 200_000,
    "deep-objects": b'{"a":' * 200_000,
    "deep-in-place": REPORTS[0].replace('"targets": [', '"targets": ' + "[" * 50_000, 1).encode(),
    "cut-off": REPORTS[0][: len(REPORTS[0]) // 2].encode(),
    "a-lone-surrogate": b'{"schema": "\\ud800"}',
    "a-long-number": b'{"schema": ' + b"9" * 5000 + b"}",
    "another-schema": b'{"schema": "egressd.sweep/99"}',
    "a-hostile-schema": json.dumps({"schema": BAD_TEXTS[3]}).encode(),
    "hostile-keys": json.dumps(dict.fromkeys(BAD_TEXTS, 1) | {"schema": "egressd.sweep/1"}).encode(),
}


@pytest.mark.parametrize("name", NO_REPORTS)
def test_a_file_that_is_no_report(name: str, tmp_path: Path) -> None:
    """Every command that reads a report refuses such a file in one line, with exit code 2."""
    bad, good = tmp_path / "bad.json", tmp_path / "good.json"
    bad.write_bytes(NO_REPORTS[name])
    good.write_text(REPORTS[0], encoding="utf-8")
    for words in (
        ("replay", str(bad)),
        ("diff", str(good), str(bad)),
        ("diff", str(bad), str(good)),
        ("--once", "--baseline", str(bad), "--only", "nothing.example"),
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2, (words, done.output)
        (line,) = done.stderr.splitlines()
        assert line.isprintable(), words


@pytest.mark.parametrize("bad", ["", "x", "10.0.0.1/8", "10.0.0.0/8 ", "::/129"])
def test_a_network_that_cannot_be_read(bad: str) -> None:
    """It is refused with its place: addresses could not be compared with it."""
    document = json.loads(REPORTS[0])
    document["plan"]["trust"]["public_networks"] = ["203.0.113.0/24", bad]
    with pytest.raises(ReportFileError, match=r"plan\.trust\.public_networks\[1\]: it should be a network"):
        from_json(json.dumps(document))
    document["plan"]["trust"]["public_networks"] = []
    named = {"name": "AzureArc", "prefixes": [bad]}
    tags = {"dated": "2026-11-20", "change_number": 1, "tags": [named], "digest": ""}
    document["plan"]["service_tags"] = tags
    with pytest.raises(ReportFileError, match=r"plan\.service_tags\.tags\[0\]\.prefixes\[0\]: it should be"):
        from_json(json.dumps(document))
