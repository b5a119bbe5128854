"""A watch that is asked to probe by a key, a signal or a lab's switches; the terminal is left as it was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.cli.test_watch import ENVIRONMENT, HOST, OTHER, OpenLab, open_lab
from tests.pausing_loop import EGRESSD

SHELL = """
import fcntl, os, signal, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
job = os.fork()
if not job:
    os.setpgid(0, 0)
    if sys.argv[1] == "foreground":
        os.tcsetpgrp(0, os.getpid())
    for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # whatever the tests were started with
    os.execv(sys.argv[2], sys.argv[2:])
print("JOB", job, flush=True)
while os.WIFSTOPPED(status := os.waitpid(job, os.WUNTRACED)[1]):
    os.tcsetpgrp(0, os.getpgrp())
    print("STOPPED", flush=True)
    os.read(0, 100)
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
"""
"""What a shell does for a job: a session on the terminal, a group of its own, and `fg` when it stops."""
FEW = ("--only", HOST, "--only", OTHER)


@dataclass
class Terminal:
    """A watch on a terminal of its own."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    before: list[object]
    job: int = 0
    """The process id of the watch."""
    shown: str = ""
    _read: int = field(default=0)

    def until(self, pattern: str) -> str:
        """Read on until a pattern is shown."""
        while not (found := re.compile(pattern).search(self.shown, self._read)):
            try:
                self.shown += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(self.shown) from None
        self._read = found.end()
        return found[0]

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)


@contextmanager
def on_terminal(lab: OpenLab, *more: str, job: str = "foreground") -> Iterator[Terminal]:
    """Start a watch on a terminal; it ends with the test."""
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    watch = [*EGRESSD, "watch", "--config.file", str(lab.config), *FEW, *more]
    command = [sys.executable, "-c", SHELL, job, *watch]
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        try:
            terminal = Terminal(process, master, slave, before)
            terminal.job = int(terminal.until(r"JOB \d+\r").split()[1])
            yield terminal
        finally:
            os.close(master)  # which hangs up
            process.kill()
            os.close(slave)


@pytest.fixture(scope="module")
def open_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenLab]:
    """Open a lab for all tests."""
    with open_lab(tmp_path_factory.mktemp("lab"), f"tls_reset={HOST}") as opened:
        yield opened


@pytest.fixture
def lab(open_one: OpenLab) -> Iterator[OpenLab]:
    """Return the lab, in which one host is reset."""
    yield open_one
    open_one.apply(f"on tls_reset={HOST}")


@pytest.mark.parametrize("key", [b"r", b"\r"], ids=["r", "Enter"])
def test_a_key_probes_at_once(lab: OpenLab, key: bytes) -> None:
    """Without it the next pass would be an hour later; keys are not echoed, and the terminal is restored."""
    with on_terminal(lab, "--interval", "1h") as watch:
        watch.until("Enter or r probes everything now")
        watch.until(r"\d:\d\d  \d+ of \d+ targets ok, 1 required target to go; next pass at")
        assert not watch.echoes
        lab.apply(f"off tls_reset={HOST}")
        watch.press(b"x" + key)
        watch.until(rf"GOOD     {HOST}:443: ok, was blocked")
        watch.until(r"watched for \d:\d\d, \d+ passes; since the first: 0 new failures, 1 recovered")
        watch.until(r"PASS: .* \(exit code 0\)")
        assert watch.process.wait(60) == 0
        assert watch.is_as_before


def test_a_signal_probes_at_once(lab: OpenLab) -> None:
    """SIGUSR1 needs no terminal, and is told how; one that comes before there is a plan ends nothing."""
    command = [*EGRESSD, "watch", "--config.file", str(lab.config), *FEW, "--interval", "1h"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as watch:
        assert watch.stdout is not None
        for line in watch.stdout:
            if "kill -USR1" in line:
                break
        lab.apply(f"off tls_reset={HOST}")
        watch.send_signal(signal.SIGUSR1)
        rest = watch.stdout.read()
        assert watch.wait(60) == 0
    assert re.search(rf"GOOD     {HOST}:443: ok, was blocked", rest)


@pytest.mark.parametrize(
    ("fault", "reason"), [("tls_reset", "tls_reset_after_hello"), ("tcp_refused", "tcp_refused")]
)
def test_a_lab_s_switches_are_followed(lab: OpenLab, fault: str, reason: str) -> None:
    """A fault of a host that was ok is seen before the minute is over in which all else is probed.

    Also one that moves the host to another port.
    """
    with on_terminal(lab, "--for", "50s") as watch:
        watch.until("probing everything every 2s")
        lab.apply(f"on {fault}={OTHER}")
        watch.until(rf"BAD      {OTHER}:443: blocked[^\n]*{reason}")
        lab.apply(f"off {fault}={OTHER}")
        watch.until(rf"GOOD     {OTHER}:443: ok")


def interrupt(watch: Terminal) -> int:
    watch.press(b"\x03")
    watch.until(r"INTERRUPTED: ")
    return 130


def terminate(watch: Terminal) -> int:
    os.kill(watch.job, signal.SIGTERM)
    watch.until(r"INTERRUPTED: ")
    return 130


def quit_by_key(watch: Terminal) -> int:
    watch.press(b"\x1c")
    return 128 + signal.SIGQUIT


def hang_up(watch: Terminal) -> int:
    os.kill(watch.job, signal.SIGHUP)
    return 128 + signal.SIGHUP


@pytest.mark.parametrize("end", [interrupt, terminate, quit_by_key, hang_up])
def test_the_terminal_is_restored_however_it_ends(lab: OpenLab, end: Callable[[Terminal], int]) -> None:
    """A shell without echo is what nobody forgives."""
    with on_terminal(lab, "--interval", "1h") as watch:
        watch.until("next pass at")
        assert not watch.echoes
        code = end(watch)
        assert watch.process.wait(60) == code
        assert watch.is_as_before


def test_the_terminal_is_restored_while_it_is_suspended(lab: OpenLab) -> None:
    """Ctrl-Z gives the shell its terminal; then keys are read again, and two signals at once end it."""
    with on_terminal(lab, "--interval", "1h") as watch:
        watch.until("next pass at")
        watch.press(b"\x1a")
        watch.until("STOPPED")
        assert watch.is_as_before
        watch.press(b"\n")
        watch.until("next pass at")
        assert not watch.echoes
        watch.press(b"r")
        watch.until(r"probing \d+, 0 done")
        os.kill(watch.job, signal.SIGSTOP)
        watch.until("STOPPED")
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(watch.job, number)
        watch.press(b"\n")
        assert watch.process.wait(60) == 130
        assert watch.is_as_before


def test_a_job_in_the_background_leaves_the_terminal_alone(lab: OpenLab) -> None:
    """`egressd watch &` is neither stopped nor does it take keys that are typed for the shell."""
    with on_terminal(lab, "--interval", "1h", job="background") as watch:
        watch.until("next pass at")
        assert watch.is_as_before
        watch.press(b"r\n")
        watch.until(r"0:0[3-9]  ")
        assert "STOPPED" not in watch.shown
        assert watch.shown.count(", 0 done") == 1
        os.kill(watch.job, signal.SIGTERM)
        assert watch.process.wait(60) == 130
