"""A wrong region is one clear line, before anything is probed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "egressd", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("command", [("--once",), ("plan",), ("catalog", "list"), ("catalog", "export")])
def test_a_wrong_flag_ends_with_2(command: tuple[str, ...]) -> None:
    """Nothing is written to stdout, and the closest names are suggested."""
    done = run(*command, "--region", "westeurop")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "called westeurop: did you mean westeurope" in done.stderr
    assert "--allow-unknown-region" in done.stderr


def test_a_wrong_file_ends_with_78(tmp_path: Path) -> None:
    """The line of the file is named; the flag's way out works from the file too."""
    file = tmp_path / "egressd.yml"
    file.write_text("cloud: usgov\nregion: East US\n")
    done = run("plan", "--config.file", str(file))
    assert done.returncode == 78
    assert f"{file}:2: region: eastus is a region of cloud public, not of cloud usgov" in done.stderr
    file.write_text("region: Nowhere West 7\nallow_unknown_region: true\n")
    assert run("plan", "--config.file", str(file)).returncode == 0
    file.write_text("region: Nowhere West 7\n")
    assert run("plan", "--config.file", str(file)).returncode == 78


def test_a_file_and_a_flag_that_do_not_fit_end_with_2(tmp_path: Path) -> None:
    """The file alone is right: the flag is the mistake."""
    file = tmp_path / "egressd.yml"
    file.write_text("region: westeurope\n")
    done = run("plan", "--config.file", str(file), "--cloud", "china")
    assert done.returncode == 2
    assert "westeurope is a region of cloud public, not of cloud china" in done.stderr


def test_display_names_are_understood() -> None:
    """As the portal and the command line of Azure print them."""
    done = run("plan", "--region", "(Europe) West Europe", "--profile", "connected-machine")
    assert done.returncode == 0
    assert "region westeurope" in done.stdout


def test_usual_products_are_left_out_where_they_do_not_exist() -> None:
    """Only a product that was asked for by name is a mistake."""
    done = run("plan", "--cloud", "china")
    assert done.returncode == 0
    assert "cm-" in done.stdout
    assert "rb-" not in done.stdout
    asked = run("plan", "--cloud", "china", "--profile", "resource-bridge")
    assert asked.returncode == 2
    assert "resource-bridge does not exist in cloud china, but in public or usgov" in asked.stderr


def test_the_regions_are_listed() -> None:
    """All clouds, or one."""
    done = run("catalog", "regions", "--cloud", "china")
    assert done.returncode == 0
    assert "chinanorth3" in done.stdout
    assert "westeurope" not in done.stdout


def test_the_lab_simulates_no_region_that_does_not_exist() -> None:
    """Nor a product where it is not offered; each cloud has a usual region."""
    done = run("lab", "--once", "--region", "westeurop")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean westeurope" in done.stderr
    away = run("lab", "--once", "--profile", "azure-local", "--region", "Brazil South")
    assert away.returncode == 2
    assert "azure-local is not offered in region brazilsouth, but in eastus" in away.stderr
    gov = run("lab", "--once", "--cloud", "usgov", "--profile", "hybrid-worker")
    assert gov.returncode == 0
    assert "region usgovvirginia, cloud usgov" in " ".join(gov.stdout.split())
