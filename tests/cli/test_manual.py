"""The manual pages: one for each command, from the same words as `--help`, and readable by man."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup, TyperOption

from egressd.cli.app import app
from egressd.cli.reference.exitcodes import EXIT_CODES, exit_codes
from egressd.cli.reference.variables import all_commands
from egressd.config.daemon import File
from scripts.pages.manual import manual_pages, roff_text

ROOT = Path(__file__).parents[2]
MAN = ROOT / "share" / "man"


def rendered(page: Path) -> str:
    """What man shows of a page."""
    program = shutil.which("man")
    if program is None or shutil.which("groff") is None:
        pytest.skip("SKIPPED: man or groff is not installed")
    done = subprocess.run(
        [program, "--warnings=w", "-l", str(page)],
        env={
            **os.environ,
            "MANWIDTH": "300",
            "MANROFFOPT": "",
            "LC_ALL": "C.UTF-8",
            "MAN_KEEP_FORMATTING": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return " ".join(re.sub(r".\x08", "", done.stdout).replace("\u2010", "-").split())


def test_there_is_a_page_for_each_command_and_no_other_file() -> None:
    """A command that is gone leaves no page behind."""
    kept = {str(path.relative_to(ROOT)) for path in (ROOT / "share").rglob("*") if path.is_file()}
    assert kept == set(manual_pages())
    named = {f"share/man/man1/{'-'.join(['egressd', *words.split()])}.1" for words in EXIT_CODES}
    assert {one for one in kept if one.endswith(".1")} == named


def test_man_renders_every_page_without_a_warning() -> None:
    """Warnings of groff are all switched on."""
    groff = shutil.which("groff")
    if groff is None:
        pytest.skip("SKIPPED: groff is not installed")
    pages = sorted(str(one) for one in MAN.rglob("*.[15]"))
    for page in pages:
        done = subprocess.run(
            [groff, "-man", "-ww", "-Tutf8", "-z", page], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), page
    assert len(pages) > 25


@pytest.mark.parametrize("words", ["", "plan", "catalog export", "maintenance start"])
def test_a_page_says_all_that_help_says(words: str) -> None:
    """Each option with its variable, each exit code, and what the command does."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    command = dict(all_commands(root))[tuple(words.split())]
    shown = rendered(MAN / "man1" / f"{'-'.join(['egressd', *words.split()])}.1")
    for one in command.params:
        if isinstance(one, TyperOption):
            assert all(spelling in shown for spelling in one.opts)
            assert " ".join((one.help or "").replace("`", "").split()) in shown
            assert one.envvar is None or f"Environment variable: {one.envvar}" in shown
    for code, means in exit_codes(words).items():
        assert f"{code.value} {means}" in shown
    assert " ".join((command.help or "").split("\n\n")[0].replace("`", "").split()) in shown


def test_the_page_of_the_configuration_names_every_key() -> None:
    """And what each means."""
    shown = rendered(MAN / "man5" / "egressd.yml.5")
    assert [one for one in File.model_fields if f" {one} " not in shown] == []
    assert "The Azure region, such as westeurope or West Europe" in shown


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (".so /etc/passwd", "\\&.so /etc/passwd"),
        ("'br", "\\(aqbr"),
        ("a\\b", "a\\eb"),
        ("a `--b-c` d-e", "a \\fB\\-\\-b\\-c\\fR d-e"),
        ("two\nlines", "two lines"),
        ("*daemon* only", "\\fBdaemon\\fR only"),
        ("`*.x` and `*.y`", "\\fB*.x\\fR and \\fB*.y\\fR"),
    ],
)
def test_no_text_is_taken_for_a_request(text: str, made: str) -> None:
    """Dots, quotes and backslashes of a text are text."""
    assert roff_text(text) == made
