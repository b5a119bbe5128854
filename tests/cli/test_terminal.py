"""Text of files, paths and flags moves no cursor and writes no clipboard: messages show it escaped."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from egressd.cli.app import app

HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J\u202eevil\x9b31m\u2066\r"


def config_with(folder: Path, **document: object) -> str:
    """Write a configuration; return its path."""
    path = folder / "egressd.yml"
    path.write_text(yaml.safe_dump({"profiles": [], **document}, allow_unicode=True), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "document",
    [
        {f"key{HOSTILE}": 1},
        {"trust": {"store": f"/nope{HOSTILE}"}},
        {"region": HOSTILE},
        {"profiles": [HOSTILE]},
        {"sources": [{"name": HOSTILE, "address": HOSTILE}]},
        {"state": {"directory": f"/dev/null/{HOSTILE}"}},
        {"web": {"config_file": HOSTILE}},
        {"endpoints": [{"id": "a", "host": "a.e", "port": 1, "protocol": "tcp", "service": HOSTILE}]},
        {"endpoints": [{"id": "a", "host": "a.e", "port": 1, "protocol": "tcp", "purpose": "two\nlines"}]},
        {"overrides": [{"match": HOSTILE, "skip": True}]},
    ],
)
def test_a_configuration_writes_nothing_to_the_terminal(tmp_path: Path, document: dict[str, object]) -> None:
    """Keys, paths and texts of a file that are no plain text are mistakes, and are shown escaped."""
    done = CliRunner().invoke(app, ["config", "check", "--config.file", config_with(tmp_path, **document)])
    assert (done.exit_code, done.stdout) == (78, "")
    assert done.stderr.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "words",
    [
        ("replay", f"/nope{HOSTILE}"),
        ("catalog", "diff", f"/nope{HOSTILE}"),
        ("config", "check", "--config.file", f"/nope{HOSTILE}"),
        ("plan", "--output", f"/nope{HOSTILE}/x"),
        ("plan", "--profile", HOSTILE),
        ("healthcheck", "--url", f"http://{HOSTILE}"),
        ("history", "--since", HOSTILE),
        ("plan", f"--regi{HOSTILE}"),
        ("plan", HOSTILE),
        (f"pla{HOSTILE}",),
        ("catalog", f"lis{HOSTILE}"),
        ("plan", "--cloud", f"public{HOSTILE}"),
        ("lab", "--port.base", HOSTILE),
        ("rules", "x", "--team", HOSTILE),
        ("explain", HOSTILE),
        ("completion", HOSTILE),
    ],
)
def test_a_flag_writes_nothing_to_the_terminal(words: tuple[str, ...]) -> None:
    """What a script passes on from others is shown escaped."""
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code in (2, 78)
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()


@pytest.mark.parametrize("skip", [(), ("--skip-bad",)])
def test_an_imported_list_writes_nothing_to_the_terminal(tmp_path: Path, skip: tuple[str, ...]) -> None:
    """A vendor's list with such text is refused or written without it."""
    path = tmp_path / "list.csv"
    path.write_text(
        f"host,port,purpose\na.example,443,for\u202eyou\n{HOSTILE},1,x\n", encoding="utf-8", newline=""
    )
    done = CliRunner().invoke(app, ["catalog", "import", *skip, str(path)])
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()
