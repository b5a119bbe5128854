"""Run a program as an ordinary user, for whom permissions hold: root enters every folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

NOBODY = 65534
CODE = str(Path(__file__).parents[1])


SESSION = """
import json, sys
from typer.testing import CliRunner
from egressd import inputfile
from egressd.cli.app import app
from egressd.__main__ import load_daemon
inputfile.FIRST_WRITER = 0.1
for words in json.load(sys.stdin):
    done = CliRunner().invoke(app, words, obj=load_daemon)
    print(json.dumps([done.exit_code, done.stdout, done.stderr]))
"""
"""Many commands in one process: starting one takes longer than most of them."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


def run_as_ordinary_user(commands: Iterable[tuple[str, ...]]) -> tuple[Ended, ...]:
    """Run commands of egressd as an ordinary user; skip where root can't become one that reaches it."""
    wanted = tuple(commands)
    done = subprocess.run(
        [*ordinary_user(), sys.executable, "-c", SESSION],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"PYTHONPATH": CODE},
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    results = (json.loads(line) for line in done.stdout.splitlines())
    return tuple(Ended(words, *result) for words, result in zip(wanted, results, strict=True))


def ordinary_user() -> tuple[str, ...]:
    """Return the words before a command that make it an ordinary user's; none where it is one already."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("SKIPPED: no setpriv, to become an ordinary user")
    words = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
    probe = [*words, sys.executable, "-c", f"import sys; sys.path.insert(0, {CODE!r}); import egressd.errors"]
    if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode != 0:
        pytest.skip("SKIPPED: an ordinary user can't run this Python, or read this folder")
    return words
