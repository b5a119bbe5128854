"""Flags in the wrong place, flags that match nothing, and proxies of the environment."""

from __future__ import annotations

import json
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


def test_a_feature_that_does_not_exist_is_refused_with_suggestions(tmp_path: Path) -> None:
    """By flag it is wrong usage, by file a bad configuration; the list of features names what there is."""
    path = tmp_path / "egressd.yml"
    path.write_text("features: [arc-gatewya]\n", encoding="utf-8")

    by_flag = run("plan", "--region", "westeurope", "--feature", "arc-gatewya")
    by_file = run("plan", "--region", "westeurope", "--config.file", str(path))

    assert (by_flag.exit_code, by_flag.stdout) == (2, "")
    assert by_flag.stderr.startswith(
        "egressd: cannot find the feature 'arc-gatewya': did you mean arc-gateway"
    )
    assert (by_file.exit_code, by_file.stdout) == (78, "")
    assert "features[0]: no such feature: 'arc-gatewya'; did you mean 'arc-gateway'?" in by_file.stderr
    assert "arc-gateway" in {
        one["name"] for one in json.loads(run("catalog", "features", "--format", "json").stdout)
    }


def test_a_flag_wins_over_what_the_file_says_of_features_and_private_link(tmp_path: Path) -> None:
    """`--no-private-link` and `--feature` replace the keys of the file."""
    path = tmp_path / "egressd.yml"
    path.write_text("features: [sql]\nprivate_link: true\nregion: westeurope\n", encoding="utf-8")
    words = ("plan", "--config.file", str(path))

    as_written, flagged = run(*words), run(*words, "--no-private-link", "--feature", "arc-gateway")

    assert "does not support a private link scope" in as_written.stdout
    assert "private_link:" not in flagged.stdout
    assert "feature sql is not in use" in " ".join(flagged.stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plan", "--cloud", "azurechina"), "is not one of public, usgov, china; did you mean china?"),
        (("rules", "x", "-f", "palo-alto"), "did you mean paloalto?"),
        (("rules", "x", "--team", "firewal"), "did you mean firewall?"),
        (("--once", "--log.level", "warning"), "did you mean warn?"),
        (("catalog", "export", "--need", "REQUIRD"), "did you mean required?"),
        (("plan", "--only", "mcr.microsft.com"), "did you mean mcr.microsoft.com?"),
        (("catalog", "list", "--only", "rb-mrc"), "did you mean rb-mcr?"),
        (("lab", "--once", "--fault", "tls_rest=x"), "did you mean tls_reset or tcp_reset?"),
        (("completion", "fsh"), "did you mean fish"),
        (("plan", "--regoin", "x"), "--region"),
        (("catalog", "lst"), "list"),
        (("plan", "-f", "nonsense"), "'nonsense' is not one of text, json"),
    ],
)
def test_what_was_meant_is_suggested(words: tuple[str, ...], message: str) -> None:
    """A name that does not exist is wrong usage, and the closest that does is named."""
    done = run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert "Value error" not in done.stderr
