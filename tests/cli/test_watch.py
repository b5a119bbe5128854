"""`egressd watch`: what is probed when, what is printed, and a change window from its start to its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from egressd.attribution import baseline_of, judge
from egressd.cli.app import app
from egressd.cli.saved import read_saved
from egressd.cli.watch import messages
from egressd.engine.latest import LatestResults, RecordChange
from egressd.engine.schedule import MIN_GAP, WATCH_ALL_EVERY, gap_before, is_over, next_turn
from egressd.model.recording import Recording
from egressd.model.verdict import Outcome, Sweep
from egressd.report.diff.sweep_diff import compare_baselines
from tests.pausing_loop import EGRESSD, with_long_timeouts

HOST, OTHER = "mcr.microsoft.com", "packages.microsoft.com"
ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}
CLOCK = r"\d\d:\d\d:\d\dZ  "


@pytest.fixture(scope="module")
def failing_sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A sweep of the lab in which one required host is reset."""
    return _swept(tmp_path_factory.mktemp("broken"), "--fault", f"tls_reset={HOST}")


@pytest.fixture(scope="module")
def all_ok_sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """A sweep of the lab without a fault."""
    return _swept(tmp_path_factory.mktemp("sound"))


def _swept(folder: Path, *words_: str) -> Sweep:
    path = folder / "report.json"
    command = [*EGRESSD, "lab", "--once", "--format", "json", "--output", str(path)]
    subprocess.run([*command, *words_], check=False, capture_output=True, timeout=300)
    return read_saved(path)


def _hosts(sweep: Sweep, ids: tuple[str, ...]) -> set[str]:
    return {one.host for one in sweep.recording.plan.probes if one.id in ids}


def test_the_first_pass_probes_everything(failing_sweep: Sweep) -> None:
    """The first pass probes every target."""
    plan = failing_sweep.recording.plan
    turn = next_turn(plan, None, since=0.0, every=5.0)
    assert (turn.probes, turn.everything, turn.last) == (plan.probes, True, True)


def test_failing_targets_are_probed_more_often(failing_sweep: Sweep) -> None:
    """For a minute only failing targets are probed; then all, failing ones first."""
    plan = failing_sweep.recording.plan
    quick = next_turn(plan, failing_sweep, since=WATCH_ALL_EVERY - 1, every=5.0)
    assert {one.host for one in quick.probes} == {HOST}
    assert not quick.everything
    full = next_turn(plan, failing_sweep, since=WATCH_ALL_EVERY, every=5.0)
    assert full.everything
    assert full.probes[: len(quick.probes)] == quick.probes
    assert len(full.probes) > len(quick.probes)
    assert not next_turn(plan, failing_sweep, since=WATCH_ALL_EVERY, every=300.0).everything


def test_wildcard_rules_that_are_ok_wait_for_the_last_pass(failing_sweep: Sweep, all_ok_sweep: Sweep) -> None:
    """Random labels are not probed every minute, but once more before everything is called ok."""
    plan = failing_sweep.recording.plan
    minute = next_turn(plan, failing_sweep, since=WATCH_ALL_EVERY, every=5.0)
    last = next_turn(plan, all_ok_sweep, since=0.0, every=5.0)
    assert not any("egressd-probe" in one.host for one in minute.probes)
    assert set(last.probes) == set(plan.probes)
    assert (last.everything, last.last) == (True, True)


def test_it_is_over_when_every_required_target_can_be_reached(
    failing_sweep: Sweep, all_ok_sweep: Sweep
) -> None:
    """A watch is over when the exit code of a sweep would be 0."""
    assert is_over(all_ok_sweep)
    assert not is_over(failing_sweep)


@pytest.mark.parametrize(("now", "left"), [(100.5, 4.5), (104.9, MIN_GAP), (130.0, MIN_GAP)])
def test_passes_never_follow_without_a_gap(now: float, left: float) -> None:
    """After a long pass the minimum gap follows, after a short one the rest of the interval."""
    assert gap_before(began=100.0, now=now, every=5.0) == pytest.approx(left)


def _results(recording: Recording) -> LatestResults:
    """Return the results of a watch after one pass over everything."""
    results = LatestResults(reuse=True)
    for record in recording.records:
        assert results.add(record) is RecordChange.FIRST
    results.finish(recording, renewed={one.id for one in recording.plan.probes})
    return results


def test_a_probe_with_another_signature_loses_its_controls(failing_sweep: Sweep, all_ok_sweep: Sweep) -> None:
    """Controls of a failure are dropped when its signature changes; other controls are kept."""
    recording = failing_sweep.recording
    plan = recording.plan
    results = _results(recording)
    assert results.recording(plan, recording).controls == recording.controls
    (failing,) = (one.id for one in plan.probes if one.host == HOST)
    assert any(one.subject == failing for one in recording.controls)

    good = next(one for one in all_ok_sweep.recording.plan.probes if one.host == HOST).id
    fixed = next(one for one in all_ok_sweep.recording.records if one.probe == good)
    assert {results.add(one) for one in recording.records} == {RecordChange.UNCHANGED}
    assert results.add(replace(fixed, probe=failing)) is RecordChange.CHANGED
    whole = results.recording(plan, replace(recording, controls=()))
    assert {one.subject for one in whole.controls} == {one.subject for one in recording.controls} - {failing}
    assert is_over(judge(whole))


def test_what_was_not_probed_stays_known(failing_sweep: Sweep) -> None:
    """Targets that an interrupted pass did not probe keep their results."""
    recording = failing_sweep.recording
    results = _results(recording)
    cut = tuple(replace(one, trails=(), skipped="interrupted") for one in recording.records)
    results.finish(replace(recording, records=cut, interrupted=True), renewed=frozenset())
    assert results.recording(recording.plan, recording).records == recording.records


def test_a_change_is_printed_with_time_and_both_reasons(failing_sweep: Sweep, all_ok_sweep: Sweep) -> None:
    """A change for the better is a line; one for the worse has evidence and advice."""
    good = compare_baselines(baseline_of(failing_sweep), baseline_of(all_ok_sweep)).changes
    fixed = tuple(one for one in good if HOST in one.target)
    lines = list(messages.change_lines(fixed, all_ok_sweep, at="10:11:12Z", width=80, colour=False))
    assert lines == [
        f"10:11:12Z  GOOD     {HOST}:443: ok, was blocked",
        f"{'':20}(tls_reset_after_hello)",
    ]
    bad = compare_baselines(baseline_of(all_ok_sweep), baseline_of(failing_sweep)).changes
    worse = tuple(one for one in bad if HOST in one.target)
    lines = list(messages.change_lines(worse, failing_sweep, at="10:11:12Z", width=80, colour=False))
    assert " ".join(" ".join(lines[:2]).split()) == (
        f"10:11:12Z BAD {HOST}:443: blocked (tls_reset_after_hello), was ok"
    )
    assert lines[2].startswith("           seen 127.0.0.1:")
    assert any(line.startswith("           ask  ") for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_many_changes_at_once_take_a_line_each(failing_sweep: Sweep) -> None:
    """Many changes at once are one line each, without details."""
    marks = tuple(
        replace(one, outcome=Outcome.OK.value, reason=None) for one in baseline_of(failing_sweep).marks
    )
    before = replace(baseline_of(failing_sweep), marks=marks)
    (one,) = compare_baselines(before, baseline_of(failing_sweep)).changes
    many = tuple(replace(one, reason_after=f"reason_{number}") for number in range(9))
    lines = list(messages.change_lines(many, failing_sweep, at="10:11:12Z", width=100, colour=False))
    assert len(lines) == 9


def test_the_status_line_counts_targets(failing_sweep: Sweep, all_ok_sweep: Sweep) -> None:
    """The status line has the numbers of ok and failing required targets, and the current activity."""
    count = len(failing_sweep.verdicts)
    failing = messages.progress_text(failing_sweep, "x")
    assert failing == f"{count - 1} of {count} targets ok, 1 required target to go; x"
    ok = messages.progress_text(all_ok_sweep, "x")
    assert ok == f"{count} of {count} targets ok, every required target is ok; x"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--interval", "5"], "egressd: --interval must be a duration"),
        (["--interval", "200ms"], "egressd: --interval must be at least 1s, not '200ms'"),
        (["--for", "never"], "egressd: --for must be a duration"),
        (["--format", "json"], "egressd: --format needs --output: stdout shows what changes"),
        (["--only", "no.such.host"], "no.such.host"),
        (["--source", "203.0.113.7"], "203.0.113.7"),
    ],
)
def test_wrong_usage_is_reported_before_probing(given: list[str], message: str) -> None:
    """Wrong usage is one line, and nothing is probed."""
    done = CliRunner().invoke(app, ["watch", *given], env={"COLUMNS": "80"})
    assert done.exit_code in {2, 78}
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@dataclass(frozen=True)
class OpenLab:
    """A running lab, and its commands."""

    config: Path
    process: subprocess.Popen[str]

    def apply(self, command: str) -> None:
        """Switch a fault on or off, and wait until it is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        self.process.stdout.readline()


@contextmanager
def open_lab(folder: Path, *faults: str) -> Iterator[OpenLab]:
    """Open a lab, for the bridge alone."""
    config = folder / "lab.yml"
    given = [word for fault in faults for word in ("--fault", fault)]
    command = [sys.executable, "-m", "egressd", "lab", "--profile", "resource-bridge", *given]
    with subprocess.Popen(
        [*command, "--config.write", str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        config.write_text(with_long_timeouts(config.read_text(encoding="utf-8")), encoding="utf-8")
        try:
            yield OpenLab(config, process)
        finally:
            process.terminate()


@contextmanager
def _start(lab: OpenLab, *given: str, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Start a watch that ends with the test, however that ends."""
    command = [*EGRESSD, "watch", "--config.file", str(lab.config), "--interval", "1s"]
    with subprocess.Popen(
        [*command, *given],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**ENVIRONMENT, "TERM": "xterm"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _until(watch: subprocess.Popen[str], pattern: str) -> str:
    """Read lines up to one that matches."""
    assert watch.stdout is not None
    seen = ""
    for line in watch.stdout:
        seen += line
        if re.search(pattern, line):
            return seen
    raise AssertionError(seen)


def test_a_change_window(tmp_path: Path) -> None:
    """Each change is printed at once; the watch ends with 0 by itself and writes a report."""
    report = tmp_path / "after.json"
    with (
        open_lab(tmp_path, f"tls_reset={HOST}") as lab,
        _start(lab, "--format", "json", "--output", str(report)) as watch,
    ):
        start = _until(watch, "probing everything every 1s")
        assert re.match(CLOCK + r"\d+ targets, \d+ ok, 1 blocked; from ", start)
        assert "tls_reset_after_hello; blocked in tls" in start
        lab.apply(f"on tls_reset={OTHER}")
        seen = _until(watch, CLOCK + rf"BAD      {OTHER}:443: blocked")
        lab.apply(f"off tls_reset={HOST}")
        _until(watch, CLOCK + rf"GOOD     {HOST}:443: ok, was blocked")
        lab.apply(f"off tls_reset={OTHER}")
        _until(watch, CLOCK + rf"GOOD     {OTHER}:443: ")
        rest, errors = watch.communicate(timeout=300)
    assert watch.returncode == 0
    assert re.search(r"^PASS: \d+ required targets, all reachable \(exit code 0\)\n\Z", rest, re.MULTILINE)
    assert errors == f"egressd: wrote {report}: {rest.splitlines()[-1]}\n"
    assert "\x1b" not in start + seen + rest + errors
    assert is_over(read_saved(report))


def test_a_watch_ends_at_once_where_nothing_fails(tmp_path: Path) -> None:
    """A watch without failures ends after one pass."""
    with open_lab(tmp_path) as lab, _start(lab) as watch:
        out, errors = watch.communicate(timeout=300)
    assert (watch.returncode, errors) == (0, "")
    assert "probing" not in out
    assert out.endswith("(exit code 0)\n")


def test_ctrl_c_prints_what_still_fails(tmp_path: Path) -> None:
    """Ctrl-C is exit code 130, and the last lines on stdout are the failing targets."""
    with open_lab(tmp_path, f"tls_reset={HOST}") as lab, _start(lab) as watch:
        _until(watch, "probing everything every")
        watch.send_signal(signal.SIGINT)
        out, errors = watch.communicate(timeout=300)
    assert watch.returncode == 130
    assert "FAILING" in out
    assert f"hosts  {HOST}:443" in out
    assert "INTERRUPTED: 1 required target blocked or down" in out.splitlines()[-2]
    assert out.endswith("code 130)\n")
    assert errors == "egressd: stopping; once more to abort\n"


def test_it_ends_when_its_time_is_over(tmp_path: Path) -> None:
    """`--for` ends it with the exit code of the last state."""
    with open_lab(tmp_path, f"tls_reset={HOST}") as lab, _start(lab, "--for", "6s") as watch:
        out, errors = watch.communicate(timeout=300)
    assert (watch.returncode, errors) == (1, "")
    assert out.endswith("FAIL: 1 required target blocked or down (exit code 1)\n")


def test_a_terminal_gets_a_status_line(tmp_path: Path) -> None:
    """A terminal on stderr has one status line that is overwritten; stdout is plain."""
    terminal, stderr = os.openpty()
    with open_lab(tmp_path, f"tls_reset={HOST}") as lab, _start(lab, stderr=stderr) as watch:
        shown = b""
        while not re.search(rb"next pass at .*probing \d+, 0 done", shown):
            shown += os.read(terminal, 4096)
        watch.send_signal(signal.SIGINT)
        out, _ = watch.communicate(timeout=300)
    os.close(terminal)
    os.close(stderr)
    assert re.search(
        rb"\r\x1b\[K\d+:\d\d  \d+ of \d+ targets ok, 1 required target to go; next pass at ", shown
    )
    assert b"\n" not in shown
    assert "\x1b" not in out


def test_a_closed_pipe_ends_the_watch(tmp_path: Path) -> None:
    """`| head -1` ends the watch at the next line it would print."""
    with open_lab(tmp_path, f"tls_reset={HOST}") as lab, _start(lab) as watch:
        assert watch.stdout is not None
        _until(watch, "probing everything every")
        watch.stdout.close()
        lab.apply(f"on tls_reset={OTHER}")
        lab.apply(f"off tls_reset={HOST}")
        assert watch.wait(300) in {0, 1}
        assert watch.stderr is not None
        assert watch.stderr.read() == ""
