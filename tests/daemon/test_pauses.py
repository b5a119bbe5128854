"""A host that is stopped for seconds: nobody else is blamed, and what is wrong is still found.

`TEST_PAUSES` is how often a sweep and a daemon are stopped, at other moments each time.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.process import Lab, Running, daemon, put, settings

PAUSES = int(os.environ.get("TEST_PAUSES", "1"))
SECONDS = 4.0
"""Longer than every timeout of the configuration."""
BLOCKED = "mcr.microsoft.com"
SHORT = {"dns_timeout": "3s", "connect_timeout": "3s", "tls_timeout": "3s", "http_timeout": "3s"}


def stop_for(process: subprocess.Popen[bytes] | subprocess.Popen[str], seconds: float) -> None:
    """Stop a process as a frozen container or a debugger does."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def wait_for_sockets(process: subprocess.Popen[bytes], least: int = 5) -> None:
    """Wait until a sweep has begun."""
    folder = Path(f"/proc/{process.pid}/fd")
    while process.poll() is None:
        try:
            if sum(str(one.readlink()).startswith("socket:") for one in folder.iterdir()) >= least:
                return
        except OSError:
            pass
        time.sleep(0.002)


def wait_for_sweeps(running: Running, more: int) -> None:
    """Wait until so many more sweeps have ended."""
    least = len(running.events("sweep")) + more
    running.until(lambda: len(running.events("sweep")) >= least, "sweeps")


@pytest.mark.parametrize("number", range(PAUSES))
def test_a_sweep_that_was_stopped_accuses_nobody(number: int, lab: Lab, tmp_path: Path) -> None:
    """Of a hundred targets only the one with a fault fails, whenever the pause comes."""
    after = random.Random(number).uniform(0.02, 0.6)
    config = tmp_path / "egressd.yml"
    limits = re.sub(r"(connect|tls|dns|http)_timeout: \S+", r"\1_timeout: 3s", lab.config.read_text("utf-8"))
    config.write_text(limits, encoding="utf-8")
    lab.do(f"on tls_reset={BLOCKED}")
    try:
        command = [
            sys.executable,
            "-m",
            "egressd",
            "--once",
            "--config.file",
            str(config),
            "--format",
            "json",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_for_sockets(process)
            time.sleep(after)
            stop_for(process, SECONDS)
            written, errors = process.communicate(timeout=120)
    finally:
        lab.do("off")
    assert process.returncode == 1, errors.decode()
    report = json.loads(written)
    bad = {one["host"]: one["outcome"] for one in report["targets"] if one["outcome"] != "ok"}
    assert bad == {BLOCKED: "blocked"}
    assert {one["reason"] for one in report["findings"]} <= {"tls_reset_after_hello", "site_port80_blocked"}


def test_a_host_that_stands_still_again_and_again_is_named(lab: Lab, tmp_path: Path) -> None:
    """Where no try is free of pauses, silence is this host's; what answers nevertheless is ok."""
    config = tmp_path / "egressd.yml"
    limits = {**dict.fromkeys(SHORT, "1s"), "families": ["ipv4"], "deadline": "5s"}
    put(config, settings(lab, probe=limits))
    lab.do(f"on tls_silence={BLOCKED}")
    try:
        command = [
            sys.executable,
            "-m",
            "egressd",
            "--once",
            "--config.file",
            str(config),
            "--format",
            "json",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            wait_for_sockets(process, least=1)
            while process.poll() is None:
                stop_for(process, 0.5)
                time.sleep(0.2)
            assert process.stdout is not None
            report = json.load(process.stdout)
    finally:
        lab.do("off")
    found = {one["host"]: (one["outcome"], one["reason"], one["blame"]) for one in report["targets"]}
    assert found.pop(BLOCKED) == ("unknown", "local_paused", "local_host")
    assert {outcome for outcome, _, _ in found.values()} == {"ok"}
    assert process.returncode == 3


def test_a_daemon_that_was_stopped_alerts_nobody(lab: Lab, tmp_path: Path) -> None:
    """No target changes and no alert opens for pauses; a fault that begins during one is confirmed."""
    config = tmp_path / "egressd.yml"
    put(config, settings(lab, probe={**SHORT, "families": ["ipv4"], "deadline": "10s"}))
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        for number in range(PAUSES):
            stop_for(running.process, SECONDS)
            wait_for_sweeps(running, 2)
            assert running.events("target changed") == [], number
        assert running.events("alert") == []
        running.process.send_signal(signal.SIGSTOP)
        lab.do(f"on tls_reset={BLOCKED}")
        time.sleep(SECONDS)
        running.process.send_signal(signal.SIGCONT)
        try:
            running.until(lambda: running.events("target changed"), "confirmed")
        finally:
            lab.do("off")
        (changed,) = running.events("target changed")
        assert BLOCKED in json.dumps(changed)
        assert running.get("/-/healthy")[0] == 200
