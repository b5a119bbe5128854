"""`egressd maintenance`: the file for the daemon, its output, and refused arguments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egressd.alerting import active_silences
from egressd.cli.app import app
from egressd.model.notification import Scope
from egressd.state.silences import FILE, read_silences

CONFIG = """
region: westeurope
profiles: [connected-machine]
sources: [{name: appliance-1}]
state: {directory: state}
"""
PLANNED = """
alerts:
  maintenance:
    - name: patch-night
      schedule: "0 2 * * SAT"
      timezone: Europe/Berlin
      for: 4h
      reason: monthly patches
      match: {target: "*.blob.core.windows.net", source: appliance-*, profile: "*"}
    - {name: always, schedule: "* * * * *", for: 1d}
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command with a configuration whose state is in a folder of its own."""
    (tmp_path / "state").mkdir()

    def command(*words: str, more: str = "") -> Result:
        path = tmp_path / "egressd.yml"
        path.write_text(CONFIG + more, encoding="utf-8")
        return CliRunner().invoke(app, ["maintenance", *words, "--config.file", str(path)])

    return command


def test_a_silence_is_opened_listed_and_ended(run: Run, tmp_path: Path) -> None:
    """The file has its times, user and reason; `list` shows it, `end` removes it."""
    before = datetime.now(UTC)
    done = run("start", "--for", "2h", "--reason", "new firewall")
    assert (done.exit_code, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("silence manual-1: until ")
    assert " UTC" in first
    assert rest == [
        "  covers everything",
        "  no notifications are sent for what it covers; probing, metrics and history go on",
        "  end it sooner with: egressd maintenance end manual-1",
    ]
    (one,) = read_silences(tmp_path / "state")
    began, ends = datetime.fromisoformat(one.began), datetime.fromisoformat(one.ends)
    assert ends - began == timedelta(hours=2)
    assert abs(began - before) < timedelta(minutes=1)
    assert (one.reason, one.scope) == ("new firewall", Scope())
    assert one.by
    assert [found.name for found in active_silences((), (one,), datetime.now(UTC))] == ["manual-1"]
    listed = run("list").stdout
    assert listed.startswith("active    manual-1: until ")
    assert listed.rstrip().endswith(f"; covers everything; new firewall; opened by {one.by}")
    done = run("end")
    assert done.stdout == "silence manual-1: ended, 2 h before its time; what still fails is notified now\n"
    assert read_silences(tmp_path / "state") == ()
    assert run("list").stdout.startswith("no silences: ")


def test_part_of_the_plan_is_counted(run: Run) -> None:
    """The number of targets that patterns cover is shown, so that a mistyped one is noticed."""
    done = run("start", "--for", "1h", "--target", "login.*", "--source", "appliance-*")
    assert "  covers sources appliance-*, targets login.*: " in done.stdout
    count, total = done.stdout.split("login.*: ")[1].split(" targets")[0].split(" of ")
    assert 0 < int(count) < int(total)
    assert done.stderr == ""
    done = run("start", "--for", "1h", "--target", "lgin.*")
    assert "targets lgin.*: 0 of " in done.stdout
    assert "covers no target that is planned now" in done.stderr
    assert done.exit_code == 0


def test_several_silences_are_open_at_once(run: Run, tmp_path: Path) -> None:
    """A second silence gets another name; `end` then needs a name; names of ended silences are free again."""
    run("start", "--for", "1h")
    run("start", "--for", "1h", "--name", "change-7")
    run("start", "--for", "1h")
    assert [one.name for one in read_silences(tmp_path / "state")] == ["manual-1", "change-7", "manual-2"]
    done = run("end")
    assert (done.exit_code, done.stderr) == (
        2,
        "egressd: name the silence to end: manual-1, change-7, manual-2\n",
    )
    assert run("end", "change-7").exit_code == 0
    path = tmp_path / "state" / FILE
    document = json.loads(path.read_text(encoding="utf-8"))
    document["windows"][0] |= {"began": "2020-01-01T00:00:00.000Z", "ends": "2020-01-02T00:00:00.000Z"}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert "manual-1" not in run("list").stdout
    run("start", "--for", "1h", "--name", "manual-1")
    assert [one.name for one in read_silences(tmp_path / "state")] == ["manual-2", "manual-1"]


def test_planned_silences_are_listed(run: Run) -> None:
    """`list` shows active silences, and the next start of planned ones in UTC, with their scope."""
    lines = run("list", more=PLANNED).stdout.splitlines()
    assert lines[0].startswith("active    always: until ")
    assert {line.split(":")[0] for line in lines} >= {"active    always", "planned   always"}
    (planned,) = [line for line in lines if line.startswith("planned   patch-night: from ")]
    assert planned.endswith(
        " for 4h; covers sources appliance-*, targets *.blob.core.windows.net, profiles *; monthly patches"
    )
    begins = datetime.strptime(planned.split("from ")[1][:16], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    assert begins > datetime.now(UTC)
    assert (begins.weekday(), begins.minute) == (5, 0)
    assert begins.hour in (0, 1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("start", "--for", "2"), "--for must be a duration such as 500ms, 60s, 5m, 2h or 90d, not '2'"),
        (("start", "--for", "8d"), "--for must be from 1m to 7d, not 8d; plan what comes again in "),
        (("start", "--for", "1s"), "--for must be from 1m to 7d, not 1s; "),
        (("start", "--for", "1h", "--name", "A b"), "--name must be 1 to 64 of a-z, "),
        (("start", "--for", "1h", "--name", "always"), "--name always is planned in alerts.maintenance; "),
        (("start", "--for", "1h", "--target", "a b"), "--target must be a pattern "),
        (("start", "--for", "1h", "--source", ""), "--source must be a pattern "),
        (("start", "--for", "1h", "--reason", "two\nlines"), "--reason must be one line "),
        (("end",), "no silence was opened by hand"),
        (("end", "always"), "always is planned: change alerts.maintenance in the configuration, and reload"),
    ],
)
def test_invalid_arguments_are_refused(
    run: Run, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    """Invalid arguments give one line that names them, exit code 2, and no file."""
    done = run(*words, more=PLANNED)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"egressd: {message}")
    assert list((tmp_path / "state").iterdir()) == []


def test_names_that_are_taken_or_unknown_are_refused(run: Run) -> None:
    """Adding an existing name or ending an unknown one is refused."""
    run("start", "--for", "1h", "--name", "a")
    done = run("start", "--for", "1h", "--name", "a")
    assert done.exit_code == 2
    assert done.stderr.startswith("egressd: --name a is open until ")
    assert done.stderr.endswith("; end it first\n")
    done = run("end", "b")
    assert (done.exit_code, done.stderr) == (2, "egressd: no silence is called 'b'; open are a\n")


def test_without_a_state_directory_nothing_is_opened(run: Run, tmp_path: Path) -> None:
    """Without a state directory opening is an error, since no daemon would read the file."""
    (tmp_path / "state").rmdir()
    done = run("start", "--for", "1h")
    assert done.exit_code == 2
    assert done.stderr.startswith(f"egressd: no state directory {tmp_path / 'state'}: ")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("words", [("start", "--for", "1h"), ("end",), ("list",)])
def test_a_damaged_file_is_an_error(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    """The error names the file and what to do; the file is not overwritten."""
    path = tmp_path / "state" / FILE
    path.write_text("{", encoding="utf-8")
    done = run(*words)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"egressd: cannot use {path}: ")
    assert path.read_text(encoding="utf-8") == "{"


def test_times_are_shown_in_local_time_too(run: Run, tmp_path: Path) -> None:
    """With a local time zone other than UTC both times are shown."""
    run("start", "--for", "1h")
    done = subprocess.run(
        [sys.executable, "-m", "egressd", "maintenance", "list", "--config.file", tmp_path / "egressd.yml"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "XYZ-5:30"},
    )
    (one,) = read_silences(tmp_path / "state")
    local = datetime.fromisoformat(one.ends) + timedelta(hours=5, minutes=30)
    assert f" UTC ({local:%Y-%m-%d %H:%M} XYZ); covers" in done.stdout
