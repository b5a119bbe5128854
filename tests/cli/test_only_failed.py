"""`--only-failed`: probe again what failed in a report, by `--once`, `plan` and `watch`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from egressd.cli.app import app
from tests.cli.test_watch import HOST, OTHER, OpenLab, open_lab
from tests.pausing_loop import EGRESSD


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Open a lab in which two hosts are reset."""
    folder = tmp_path_factory.mktemp("lab")
    with open_lab(folder, f"tls_reset={HOST}", f"tls_reset={OTHER}") as opened:
        yield opened


@pytest.fixture(scope="module")
def before(lab: OpenLab) -> Path:
    """Return the report of a whole sweep."""
    return sweep(lab, "before.json")[0]


def sweep(lab: OpenLab, name: str, *more: str, **streams: Any) -> tuple[Path, dict[str, Any], int]:
    path = lab.config.parent / name
    words = ["--once", "--config.file", str(lab.config), "--format", "json", "--output", str(path), *more]
    done = subprocess.run([*EGRESSD, *words], check=False, capture_output=True, timeout=300, **streams)
    assert b"Traceback" not in done.stderr
    return path, json.loads(path.read_text(encoding="utf-8")), done.returncode


def failing(report: dict[str, Any]) -> dict[str, str]:
    return {one["id"]: one["reason"] for one in report["targets"] if one["outcome"] != "ok"}


def test_a_sweep_of_what_failed_says_the_same_of_it(lab: OpenLab, before: Path) -> None:
    """Targets are those that failed; what worked is a control, also when that report is used in turn."""
    first = json.loads(before.read_text(encoding="utf-8"))
    again, second, code = sweep(lab, "again.json", "--only-failed", str(before))
    _, third, _ = sweep(lab, "third.json", "--only-failed", "-", input=again.read_bytes())
    assert code == 1
    for one in (second, third):
        assert {target["id"] for target in one["targets"]} == set(failing(first))
        assert failing(one) == failing(first)
        good = [control for control in one["controls"] if control["kind"] == "known_good"]
        assert good
        assert all(trail["observations"][-1]["failure"] is None for one in good for trail in one["trails"])
    assert "only what failed in the report of" in second["plan"]["notes"][0]


def test_a_repaired_rule_passes(lab: OpenLab, before: Path) -> None:
    """The exit code is that of what was probed again."""
    lab.apply(f"off tls_reset={HOST}")
    lab.apply(f"off tls_reset={OTHER}")
    try:
        _, report, code = sweep(lab, "fixed.json", "--only-failed", str(before))
    finally:
        lab.apply(f"on tls_reset={HOST}")
        lab.apply(f"on tls_reset={OTHER}")
    assert (failing(report), code) == ({}, 0)
    done = CliRunner().invoke(
        app,
        ["plan", "--config.file", str(lab.config), "--only-failed", str(lab.config.parent / "fixed.json")],
    )
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip().endswith("leave --only-failed out to probe everything")


def test_the_plan_shows_what_would_be_probed(lab: OpenLab, before: Path) -> None:
    """Failed hosts are targets, and the controls beside them are named."""
    done = CliRunner().invoke(app, ["plan", "--config.file", str(lab.config), "--only-failed", str(before)])
    assert done.exit_code == 0
    targets, controls = done.stdout.partition("Controls\n")[::2]
    assert {HOST, OTHER} == {one for one in (HOST, OTHER, "management.azure.com") if one in targets}
    assert "probe https://" in " ".join(controls.split())


def test_a_watch_ends_when_what_failed_is_repaired(lab: OpenLab, before: Path) -> None:
    """It has the failed targets only."""
    words = ["watch", "--config.file", str(lab.config), "--only-failed", str(before), "--for", "1s"]
    done = subprocess.run([*EGRESSD, *words], check=False, capture_output=True, timeout=300, text=True)
    assert done.returncode == 1
    assert "2 targets, 0 ok, 2 blocked" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--once", "--only-failed", "/nope.json"], "cannot read /nope.json as a report"),
        (["watch", "--only-failed", "/dev/null"], "cannot read /dev/null as a report: it is empty"),
        (["--only-failed", "x.json"], "--only-failed needs --once"),
        (["--once", "--only-failed", "-", "--baseline", "-"], "can come from stdin"),
    ],
)
def test_wrong_usage(words: list[str], message: str) -> None:
    """What can't be read or has no effect is one line."""
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_report_of_other_products_is_refused(before: Path) -> None:
    """Both places are named; nothing is probed."""
    words = ["plan", "--profile", "certificates", "--only-failed", str(before)]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "it was made for cloud public, region westeurope, and this is cloud public" in done.stderr
