"""The unit files are right, and harden what they start: systemd's own tools say so, nothing boots."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.debian import ROOT

UNITS = sorted((ROOT / "systemd").glob("*.service"))
SETTINGS = [*UNITS, *sorted((ROOT / "systemd").glob("*.timer"))]
EXPOSURE = 13
"""The most that is tolerated: 1.3, in tenths."""

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="not installed: systemd-analyze"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units; what they start is a program that this host has."""
    for unit in SETTINGS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("=/usr/bin/egressd ", "=/bin/true "), encoding="utf-8")
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    """Verify a unit; an unknown key fails only when asked for."""
    return analyze("verify", "--man=no", "--recursive-errors=one", str(unit))


@pytest.mark.parametrize("name", [unit.name for unit in SETTINGS])
def test_a_unit_has_no_mistake(units: Path, name: str) -> None:
    """No key is unknown and no value refused."""
    ended = verify(units / name)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_mistake_would_be_found(units: Path) -> None:
    """A key that does not exist fails the check above."""
    unit = units / "egressd.service"
    unit.write_text(
        unit.read_text(encoding="utf-8").replace("ProtectSystem", "ProtectSystm"), encoding="utf-8"
    )
    ended = verify(unit)
    assert ended.returncode != 0
    assert "ProtectSystm" in ended.stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_a_service_is_exposed_little(units: Path, name: str) -> None:
    """What a service could do beyond its work is at most 1.3 of 10."""
    ended = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(units / name))
    assert ended.returncode == 0, ended.stdout


def test_too_much_would_be_found(units: Path) -> None:
    """Without its sandbox the service fails the check above."""
    unit = units / "egressd.service"
    text = unit.read_text(encoding="utf-8").replace("ProtectSystem=strict", "").replace("DynamicUser=yes", "")
    unit.write_text(text, encoding="utf-8")
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit)).returncode != 0
