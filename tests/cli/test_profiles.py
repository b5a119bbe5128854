"""Choosing a product: the list of profiles, and a lab for any of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from egressd.catalog import load_catalog
from tests.cli.test_app import egressd, run_in_process


def test_profiles_as_text() -> None:
    """It fits 80 columns, says how to choose, and names every profile."""
    done = egressd("catalog", "profiles")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "--profile NAME" in done.stdout
    for profile in load_catalog().profiles:
        assert f"\n{profile.name}: {profile.title[:20]}" in done.stdout.replace(" (default)", "")


def test_profiles_as_json_in_a_file(tmp_path: Path) -> None:
    """A program gets every profile, and which of them are checked without a choice."""
    path = tmp_path / "profiles.json"
    done = run_in_process("catalog", "profiles", "--format", "json", "--output", str(path))
    assert done.exit_code == 0, done.output
    document = json.loads(path.read_text(encoding="utf-8"))
    names = [one["name"] for one in document["profiles"]]
    assert names == sorted(one.name for one in load_catalog().profiles)
    assert document["default"] == [one["name"] for one in document["profiles"] if one["default"]][::-1]


def test_the_lab_serves_azure_local() -> None:
    """Nothing of the longest list is missing, and what can't be sampled is said."""
    done = egressd("lab", "--once", "--profile", "azure-local", "--region", "East US", "--format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["plan"]["region"] == "eastus"
    assert len(report["targets"]) > 150


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--region", "westeurop"), "no region of cloud public is called westeurop: did you mean westeurope"),
        (
            ("--cloud", "usgov", "--region", "eastus"),
            "eastus is a region of cloud public, not of cloud usgov",
        ),
        (("--profile", "defender", "--cloud", "china"), "defender does not exist in cloud china"),
        (
            ("--profile", "windows-admin-center", "--region", "italynorth"),
            "windows-admin-center is not offered in region italynorth",
        ),
        (
            (
                "--profile",
                "windows-admin-centre",
            ),
            "cannot find the profile 'windows-admin-centre'",
        ),
        (("--region", "../etc"), "--region must be a region such as westeurope"),
    ],
)
def test_the_lab_is_as_strict_as_a_sweep(words: tuple[str, ...], says: str) -> None:
    """A place that does not exist, or lacks the product, is one line, and no lab opens."""
    done = run_in_process("lab", "--once", *words)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"egressd: {says}")
    assert done.stderr.count("\n") == 1


def test_the_lab_takes_the_usual_region_of_a_cloud() -> None:
    """Without a region each cloud has one; usual products that do not exist there are left out."""
    done = egressd("lab", "--once", "--cloud", "china", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["plan"]["region"] == "chinaeast2"


def test_the_lab_serves_the_repositories_of_this_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What apt is configured to use is simulated without the proxy it goes through."""
    sources = tmp_path / "etc/apt/sources.list"
    sources.parent.mkdir(parents=True)
    sources.write_text("deb http://mirror.corp.example:8081/ubuntu jammy main\n")
    (tmp_path / "etc/apt/apt.conf").write_text('Acquire::http::Proxy "http://proxy.corp.example:3128";\n')
    monkeypatch.setattr("egressd.config.load.HOST_ROOT", tmp_path)
    done = run_in_process("lab", "--once", "--profile", "this-host", "--format", "json")
    assert done.exit_code == 0, done.output
    (target,) = json.loads(done.stdout)["targets"]
    assert (target["host"], target["port"]) == ("mirror.corp.example", 8081)
