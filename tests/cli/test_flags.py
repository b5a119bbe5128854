"""Flags in the wrong place, flags that match nothing, and proxies of the environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.cli.app import app

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words, env={"COLUMNS": "80"})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--region", "x", "plan"], "cannot use --region before a command; write egressd plan --region ..."),
        (
            ["--config.file", "x", "catalog", "list"],
            "cannot use --config.file before a command; write egressd catalog COMMAND --config.file ...",
        ),
        (["--once", "plan"], "cannot use --once with egressd plan: leave one of them out"),
        (["--baseline", "x", "maintenance", "list"], "cannot use --baseline with egressd maintenance"),
    ],
)
def test_a_misplaced_flag_gets_a_correction_that_works(words: list[str], message: str) -> None:
    """The suggested command line is valid."""
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("words", [("--once",), ("watch",)], ids=" ".join)
def test_a_source_of_the_command_line_is_wrong_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The message names the flag, not a key of the file, and the interfaces of this host."""
    path = tmp_path / "egressd.yml"
    path.write_text("resolvers: [127.0.0.1]\n", encoding="utf-8")
    done = run(*words, "--config.file", str(path), "--source", "nope0")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("egressd: --source: cannot leave from nope0")
    assert "its interfaces lo" in done.stderr


def test_a_watch_without_targets_is_refused(tmp_path: Path) -> None:
    """A watch whose filters match no target is refused."""
    path = tmp_path / "egressd.yml"
    path.write_text("resolvers: [127.0.0.1]\nprofiles: []\n", encoding="utf-8")
    done = run("watch", "--config.file", str(path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "egressd: cannot watch: the plan has no target; `egressd plan` says why\n"


def test_proxy_env_without_variables_is_noted_in_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--proxy env` without a variable goes direct, and a note says so."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    path = tmp_path / "egressd.yml"
    path.write_text("resolvers: [127.0.0.1]\n", encoding="utf-8")
    asked = run("plan", "--config.file", str(path), "--proxy", "env")
    assert "neither HTTPS_PROXY nor HTTP_PROXY" in " ".join(asked.stdout.split())
    assert "HTTPS_PROXY" not in run("plan", "--config.file", str(path)).stdout
