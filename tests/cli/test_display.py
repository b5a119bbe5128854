"""How much is printed, how wide, and in which colours: for terminals, pipes and files."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.cli.app import app
from egressd.cli.display import DISPLAY, WIDEST
from egressd.cli.watch import screen
from tests.pausing_loop import EGRESSD

BARE = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
HOST = "management.azure.com"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Saved reports of the lab: a sound one (True), and one in which a required host is reset (False)."""
    folder = tmp_path_factory.mktemp("saved")
    words = ("lab", "--once", "-p", "connected-machine", "-f", "json", "-o")
    for name, fault in (("sound", ()), ("broken", ("--fault", f"tls_reset={HOST}"))):
        subprocess.run([*EGRESSD, *words, str(folder / name), *fault], check=False, capture_output=True)
    return {True: str(folder / "sound"), False: str(folder / "broken")}


def run(*words: str, **environment: str) -> Result:
    """Run a command whose stdout is no terminal."""
    unset = dict.fromkeys(("COLUMNS", "NO_COLOR"))
    return CliRunner().invoke(app, words, env={**unset, **environment})


def on_terminal(*words: str, columns: int, **environment: str) -> str:
    """Return what a command prints on a terminal of so many columns."""
    terminal, stdout = os.openpty()
    fcntl.ioctl(stdout, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "egressd", *words],
        stdout=stdout,
        env={**BARE, "TERM": "xterm", **environment},
    ) as process:
        os.close(stdout)
        seen = b""
        while chunk := _read(terminal):
            seen += chunk
        process.wait(60)
    os.close(terminal)
    return seen.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end has closed
        return b""


def same(text: str) -> str:
    """Return a text without random labels, which are others in each plan."""
    return re.sub(r"egressd-probe-[0-9a-f]+", "", text)


def widest(text: str) -> int:
    """Return the length of the longest line."""
    return max(len(line) for line in text.splitlines())


@pytest.mark.parametrize(
    "words",
    [("replay",), ("plan", "--region", "westeurope"), ("explain", "tls_sni_reset"), ("catalog", "profiles")],
    ids=" ".join,
)
def test_piped_text_is_not_wrapped(reports: dict[bool, str], words: tuple[str, ...], tmp_path: Path) -> None:
    """A pipe and a file get whole lines; COLUMNS wraps them, whatever else it holds does not."""
    words = (*words, reports[False]) if words == ("replay",) else words
    whole, wrapped = run(*words), run(*words, COLUMNS="80")
    assert widest(whole.stdout) > WIDEST
    assert widest(wrapped.stdout) < widest(whole.stdout)
    assert same(whole.stdout).split() == same(wrapped.stdout).split()
    assert {same(run(*words, COLUMNS=odd).stdout) for odd in ("0", "-1", "wide", "")} == {same(whole.stdout)}
    if words[0] in ("replay", "plan"):
        run(*words, "-o", str(tmp_path / "file"))
        assert (tmp_path / "file").read_text(encoding="utf-8").count("\n") == whole.stdout.count("\n")


def test_a_terminal_is_filled_up_to_a_readable_width(reports: dict[bool, str]) -> None:
    """A terminal's width is kept, of a very wide one a part is used, and COLUMNS wins."""
    words = ("replay", reports[False], "--color", "never")
    assert widest(on_terminal(*words, columns=70)) <= 70
    assert 100 < widest(on_terminal(*words, columns=300)) <= WIDEST
    assert WIDEST < widest(on_terminal(*words, columns=70, COLUMNS="200")) <= 200


def test_colour_is_as_asked_for(reports: dict[bool, str], tmp_path: Path) -> None:
    """`always` colours a pipe even with NO_COLOR, `never` no terminal; no other format has colours."""
    name = reports[False]
    assert "\x1b[1;31m" in run("replay", name, "--color", "always", NO_COLOR="1").stdout
    assert "\x1b" not in run("replay", name, "--colour=auto").stdout
    assert "\x1b" not in on_terminal("replay", name, "--color", "never", columns=80)
    for fmt in ("json", "csv", "markdown", "html", "junit"):
        assert "\x1b" not in run("replay", name, "--color", "always", "-f", fmt).stdout
    run("replay", name, "--color", "always", "-o", str(tmp_path / "file"))
    assert "\x1b[1;31m" in (tmp_path / "file").read_text(encoding="utf-8")


def test_quiet_prints_only_what_fails(reports: dict[bool, str], tmp_path: Path) -> None:
    """A sweep without failures prints nothing, so that cron sends no mail; another what fails."""
    sound, broken = run("replay", "-q", reports[True]), run("replay", "--quiet", reports[False])
    assert (sound.exit_code, sound.stdout, sound.stderr) == (0, "", "")
    assert broken.exit_code == 1
    assert broken.stdout.startswith("FAILING\n")
    assert broken.stdout.endswith("(exit code 1)\n")
    assert HOST in broken.stdout
    assert "PROFILE" not in broken.stdout
    written = run("replay", "-q", reports[True], "-f", "json", "-o", str(tmp_path / "file"))
    assert (written.stdout, written.stderr) == ("", "")
    assert (tmp_path / "file").stat().st_size > 10_000
    assert run("replay", "-q", reports[True], "-f", "csv").stdout.startswith("target,")


def test_quiet_leaves_notes_out_and_mistakes_in(tmp_path: Path) -> None:
    """With `-q` a mistake is still named."""
    done = run("plan", "-q", "--region", "westeuorpe")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "did you mean westeurope" in done.stderr


def test_verbose_lists_what_passed(reports: dict[bool, str]) -> None:
    """`-v` adds the targets that are ok, each once, and no random label."""
    plain, more = run("replay", reports[False]).stdout, run("replay", "-v", reports[False]).stdout
    assert "PASSED" not in plain
    passed = more[more.index("PASSED") :].split("\n\n")[0].splitlines()
    assert len(set(passed)) == len(passed) > 20
    assert [line for line in passed if f" {HOST}:" in line] == []
    assert "egressd-probe-" not in "".join(passed)


def test_quiet_and_verbose_exclude_each_other(reports: dict[bool, str]) -> None:
    """Both together are wrong usage."""
    done = run("replay", "-q", "-v", reports[True])
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "egressd: --quiet and --verbose exclude each other\n"


def test_one_command_does_not_shape_the_next(reports: dict[bool, str]) -> None:
    """Options of display hold for one command."""
    run("replay", "-q", "--color", "always", reports[False])
    after = run("replay", reports[False]).stdout
    assert "\x1b" not in after
    assert "PROFILE" in after


@pytest.mark.parametrize(
    ("short", "long"),
    [
        (("-r", "westeurope"), ("--region", "westeurope")),
        (("-p", "wsus"), ("--profile", "wsus")),
        (("-s", "one=127.0.0.1"), ("--source", "one=127.0.0.1")),
        (("-x", "http://127.0.0.1:3128"), ("--proxy", "http://127.0.0.1:3128")),
        (("-c", "/dev/null"), ("--config.file", "/dev/null")),
    ],
)
def test_short_options_mean_the_long_ones(short: tuple[str, ...], long: tuple[str, ...]) -> None:
    """A plan is the same by either spelling."""
    one, other = run("plan", *short), run("plan", *long)
    assert (one.exit_code, other.exit_code) == (0, 0)
    assert same(one.stdout) == same(other.stdout)


def test_a_quiet_watch_has_no_status_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its status line is progress, which nobody asked for."""
    monkeypatch.setattr(screen, "is_rewritable", lambda _stream: True)
    for quiet in (False, True):
        monkeypatch.setattr(DISPLAY, "quiet", quiet)
        screen.Screen().show_status("1 of 2 targets ok")
        assert ("targets ok" in capsys.readouterr().err) is not quiet
