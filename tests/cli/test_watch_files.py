"""What a watch leaves behind: what changed since its start, and lines for scripts."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.cli.test_watch import ENVIRONMENT, HOST, OTHER, OpenLab, open_lab
from tests.pausing_loop import EGRESSD

FEW = ("--only", HOST, "--only", OTHER)
SCHEMA = Path(__file__).parents[2] / "egressd" / "report" / "stream" / "stream-1.schema.json"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLab]:
    """Open a lab in which one host is reset."""
    with open_lab(tmp_path_factory.mktemp("lab"), f"tls_reset={HOST}") as opened:
        yield opened


@contextmanager
def watching(lab: OpenLab, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a watch that ends with the test."""
    command = [*EGRESSD, "watch", "--config.file", str(lab.config), *FEW, *more]
    streams: dict[str, Any] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, text=True, env=ENVIRONMENT, **streams
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Read lines up to one that has some words."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return seen
    raise AssertionError(seen)


def until_type(process: subprocess.Popen[str], kind: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in until(process, f'{{"type":"{kind}"')]


@pytest.mark.parametrize(
    ("name", "starts", "says"),
    [
        ("x.md", "# egressd: what changed", "## As it happened\n\n- "),
        ("x.json", "{", '"kind": "mended"'),
    ],
)
def test_what_changed_can_be_attached(
    lab: OpenLab, tmp_path: Path, name: str, starts: str, says: str
) -> None:
    """The suffix chooses the form; what came and went is in the timeline alone."""
    path = tmp_path / name
    try:
        with watching(lab, "--interval", "1s", "--diff", str(path)) as watch:
            until(watch, "probing everything every 1s")
            lab.apply(f"on tls_reset={OTHER}")
            until(watch, f"BAD      {OTHER}")
            lab.apply(f"off tls_reset={OTHER}")
            until(watch, f"GOOD     {OTHER}")
            lab.apply(f"off tls_reset={HOST}")
            out, _ = watch.communicate(timeout=300)
    finally:
        lab.apply(f"on tls_reset={HOST}")
    text = path.read_text(encoding="utf-8")
    assert watch.returncode == 0
    assert text.startswith(starts)
    assert says in text
    net, _, happened = text.partition("timeline" if name == "x.json" else "As it happened")
    assert OTHER not in net
    assert happened.count(OTHER) >= 2
    assert "since the first: 0 new failures, 1 recovered" in " ".join(out.split())


def test_a_stream_of_a_watch(lab: OpenLab, tmp_path: Path) -> None:
    """States, changes and passes come as lines; after Ctrl-C the last one has what changed in all."""
    report = tmp_path / "diff.json"
    with watching(lab, "--format", "jsonl", "--diff", str(report)) as watch:
        lines = until_type(watch, "pass")
        assert [one["type"] for one in lines][:2] == ["start", "target"]
        lab.apply(f"on tls_reset={OTHER}")
        changed = until_type(watch, "change")
        watch.send_signal(signal.SIGUSR1)
        while not (more := until_type(watch, "pass"))[-1]["requested"]:
            lines += more
        watch.send_signal(signal.SIGINT)
        rest, _ = watch.communicate(timeout=300)
    lab.apply(f"off tls_reset={OTHER}")
    change = changed[-1]
    assert (change["change"]["kind"], change["target"]["host"]) == ("new_failure", OTHER)
    lines += [*changed, *more, *(json.loads(line) for line in rest.splitlines())]
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for one in lines:
        validator.validate(one)
    last = lines[-1]
    assert (last["type"], last["interrupted"], last["exit_code"]) == ("summary", True, 130)
    assert {one["target"].partition("/")[2] for one in last["changes"]["changes"]} == {f"{OTHER}:443"}
    assert json.loads(report.read_text(encoding="utf-8"))["changes"] == last["changes"]["changes"]
    assert watch.returncode == 130


def test_lines_in_a_file_and_text_on_stdout(lab: OpenLab, tmp_path: Path) -> None:
    """A file named by its suffix has the lines, and people read on."""
    path = tmp_path / "watch.jsonl"
    with watching(lab, "--for", "1s", "--output", str(path)) as watch:
        out, errors = watch.communicate(timeout=300)
    kinds = [json.loads(line)["type"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert (kinds[0], kinds[-1]) == ("start", "summary")
    assert "FAILING" in out
    assert errors.startswith(f"egressd: wrote {path}: FAIL: ")
