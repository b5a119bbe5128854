"""The unit files pass `systemd-analyze verify` and `security`; nothing is booted."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.systemd.debian import ROOT

UNITS = sorted((ROOT / "systemd").glob("*.service"))
SETTINGS = [*UNITS, *sorted((ROOT / "systemd").glob("*.timer"))]
EXPOSURE = 13
"""The highest allowed exposure level: 1.3, in tenths."""

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="not installed: systemd-analyze"
)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder with the units, whose program is replaced by one of this host."""
    for unit in SETTINGS:
        text = unit.read_text(encoding="utf-8")
        (tmp_path / unit.name).write_text(text.replace("=/usr/bin/egressd ", "=/bin/true "), encoding="utf-8")
    return tmp_path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def verify(unit: Path) -> subprocess.CompletedProcess[str]:
    """Run `systemd-analyze verify` so that warnings, such as unknown keys, fail."""
    return analyze("verify", "--man=no", "--recursive-errors=one", str(unit))


@pytest.mark.parametrize("name", [unit.name for unit in SETTINGS])
def test_a_unit_has_no_error(units: Path, name: str) -> None:
    """No key is unknown and no value is invalid."""
    ended = verify(units / name)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_an_unknown_key_is_found(units: Path) -> None:
    """An unknown key fails the check above."""
    unit = units / "egressd.service"
    unit.write_text(
        unit.read_text(encoding="utf-8").replace("ProtectSystem", "ProtectSystm"), encoding="utf-8"
    )
    ended = verify(unit)
    assert ended.returncode != 0
    assert "ProtectSystm" in ended.stderr


@pytest.mark.parametrize("name", [unit.name for unit in UNITS])
def test_exposure_of_a_service_is_low(units: Path, name: str) -> None:
    """The exposure level of `systemd-analyze security` is at most 1.3 of 10."""
    ended = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(units / name))
    assert ended.returncode == 0, ended.stdout


def test_a_missing_sandbox_is_found(units: Path) -> None:
    """Without its sandbox options the service fails the check above."""
    unit = units / "egressd.service"
    text = unit.read_text(encoding="utf-8").replace("ProtectSystem=strict", "").replace("DynamicUser=yes", "")
    unit.write_text(text, encoding="utf-8")
    assert analyze("security", "--offline=true", f"--threshold={EXPOSURE}", str(unit)).returncode != 0
