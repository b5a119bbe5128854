"""`import egressd`: the examples of docs/library.md run and type-check, and the page names every name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import cast

import pytest

import egressd
from egressd.engine import once
from egressd.lab import Lab
from egressd.model.settings import Settings
from scripts.examples import PAGE, examples
from tests.lab_process import ROOT, lab_process
from tests.pausing_loop import with_long_timeouts

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
CONSUMER = """
from typing import assert_type

import egressd

sweep = egressd.run_sweep(egressd.load_settings(None), egressd.load_catalog())
assert_type(sweep, egressd.Sweep)
for target in sweep.verdicts:
    assert_type(target.verdict.outcome, egressd.Outcome)
    assert_type(target.verdict.reason, str | None)
assert_type(egressd.judge(egressd.from_json(egressd.to_json(sweep))), egressd.Sweep)


async def main(session: egressd.Session) -> egressd.Sweep:
    return await session.sweep()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the configuration of a lab that is open."""
    folder = tmp_path_factory.mktemp("library")
    config = folder / "egressd.yml"
    with lab_process(config, "--profile", "resource-bridge", "--fault", "tls_reset=mcr.microsoft.com"):
        config.write_text(with_long_timeouts(config.read_text(encoding="utf-8")), encoding="utf-8")
        yield folder


@pytest.mark.parametrize(
    ("number", "code", "shown"),
    [
        (0, 1, "tls_reset_after_hello firewall_l7"),
        (1, 0, "egressd.sweep/1"),
        (2, 0, "1 probes run again; "),
    ],
)
def test_the_examples_run(folder: Path, number: int, code: int, shown: str) -> None:
    """Each block of the page is a program; the first ends with the exit code of its sweep."""
    done = subprocess.run(
        [sys.executable, "-c", examples()[number]],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert shown in done.stdout


def test_consumers_see_real_types(tmp_path: Path) -> None:
    """`mypy --strict` of the examples and of a consumer finds what is asserted, and misspelt names."""
    pytest.importorskip("mypy")
    for number, text in enumerate((*examples(), CONSUMER)):
        (tmp_path / f"consumer_{number}.py").write_text(text, encoding="utf-8")
    (tmp_path / "wrong.py").write_text("import egressd\n\negressd.run_sweeep\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", "."],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    (error, _) = done.stdout.splitlines()
    assert error.startswith('wrong.py:3: error: Module has no attribute "run_sweeep"')


def test_the_page_names_every_name() -> None:
    """The table says of each whether it is stable; nothing else is in the table, and each can be had."""
    cells = re.findall(r"^\| (`.+?) \| (?:stable|not yet) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(set(egressd.__all__) - {"__version__"})
    assert dir(egressd) == sorted(egressd.__all__)
    for name in named:
        assert getattr(egressd, name).__name__ == name


def test_importing_loads_nothing_else() -> None:
    """Names are loaded when they are used: `egressd --version` pays for none of them."""
    program = "import sys; old = set(sys.modules); import egressd; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["egressd"]


async def test_mistakes_are_errors_of_the_library(tmp_path: Path) -> None:
    """Whatever a user can correct is an EgressdError with an exit code."""
    (tmp_path / "bad.yml").write_text("interval: sometimes\n", encoding="utf-8")
    with pytest.raises(egressd.ConfigError) as caught:
        egressd.load_settings(tmp_path / "bad.yml")
    assert caught.value.exit_code is egressd.ExitCode.CONFIG
    with pytest.raises(egressd.ReportFileError):
        egressd.from_json("{}")
    async with Lab() as lab:
        with pytest.raises(egressd.UsageError):
            egressd.Session(lab.settings("no-such-profile"), lab.catalog)
    assert issubclass(egressd.UsageError, egressd.EgressdError)


def test_a_sweep_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run_sweep` hands over what was found; Python 3.11 writes out what a loop returns."""
    found = _Written()
    monkeypatch.setattr(once, "run_once", partial(_find, found))
    assert once.run_sweep(Settings(), egressd.load_catalog()) is cast(object, found)
    assert found.times == 0


class _Written:
    """Counts how often it was written out."""

    times = 0

    def __repr__(self) -> str:
        self.times += 1
        return "found"


async def _find(found: _Written, *_arguments: object, **_more: object) -> _Written:
    return found
