"""The command line with closed, full and endless streams, and with signals at start-up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-m", "egressd")


def closed(words: tuple[str, ...], *, how: str) -> subprocess.CompletedProcess[str]:
    """Run a command from a shell with redirected or closed streams."""
    line = f'exec "$@" {how}'
    return subprocess.run(
        ["sh", "-c", line, "sh", *PROGRAM, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A configuration without any network access."""
    folder = tmp_path_factory.mktemp("streams")
    path = folder / "egressd.yml"
    path.write_text(f"resolvers: [127.0.0.1]\nstate: {{directory: {folder}}}\n", encoding="utf-8")
    return str(path)


COMMANDS = [
    ("--version",),
    ("--help",),
    ("catalog", "list"),
    ("config", "check"),
    ("maintenance", "list"),
    ("notify", "list"),
]


def with_config(words: tuple[str, ...], config: str) -> tuple[str, ...]:
    return words if words[0].startswith("-") else (*words, "--config.file", config)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_full_disk_is_no_internal_error(words: tuple[str, ...], config: str) -> None:
    """A full disk is exit code 74 with one line that names stdout, and no traceback."""
    done = closed(with_config(words, config), how=">/dev/full")
    assert done.returncode == 74
    assert done.stderr == "egressd: cannot write to stdout: No space left on device\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_closed_stdout_keeps_the_exit_code(words: tuple[str, ...], config: str) -> None:
    """With stdout closed, the exit code is the same."""
    done = closed(with_config(words, config), how=">&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_full_stderr_keeps_the_exit_code(config: str) -> None:
    """With stderr full the exit code of an error is unchanged."""
    done = closed(("plan", "--config.file", config, "--profile", "nope"), how="2>/dev/full")
    assert (done.returncode, done.stdout) == (2, "")


def test_a_closed_stdin_is_an_empty_one() -> None:
    """A closed stdin is an empty report, and a lab without commands."""
    done = closed(("replay", "-"), how="<&-")
    assert (done.returncode, done.stderr) == (2, "egressd: cannot read - as a report: it is empty\n")


def test_a_lab_without_stdin_runs_until_a_signal() -> None:
    """A lab without stdin runs until a signal, without an error."""
    lab = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM, "lab"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert lab.stdout is not None
    assert lab.stdout.readline().startswith("the lab is open on 127.0.0.1")
    lab.send_signal(signal.SIGTERM)
    _, output = lab.communicate(timeout=300)
    assert (lab.returncode, output) == (0, "egressd: stopping; once more to abort\n")


def test_an_endless_list_to_import_is_not_read_to_its_end() -> None:
    """An endless list is refused in bounded memory."""
    done = closed(("catalog", "import", "/dev/zero"), how="")
    assert done.returncode == 2
    assert done.stderr.startswith("egressd: cannot import /dev/zero: more than ")


def test_ctrl_c_while_modules_are_loaded_shows_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C before the command begins is exit code 130, without output."""
    (tmp_path / "typer").mkdir()
    (tmp_path / "typer" / "__init__.py").write_text(
        "import os, time\nos.write(2, b'loading\\n')\ntime.sleep(60)\n", encoding="utf-8"
    )
    program = subprocess.Popen(
        [*PROGRAM, "explain"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert program.stderr is not None
    assert program.stderr.readline() == "loading\n"
    time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    _, output = program.communicate(timeout=300)
    assert (program.returncode, output) == (130, "")
