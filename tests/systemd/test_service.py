"""The shipped unit under systemd: start, reload, watchdog, crash, stop, sandbox and journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.systemd.conftest import CONFIG, DROP_INS, configure, drop_in
from tests.systemd.debian import ROOT
from tests.systemd.machine import UNIT, Machine

pytestmark = pytest.mark.machine

BAD = "interval: sometimes\nregion: [\n"
ASKING = (
    "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1], timeout=9).read().decode())"
)

STALL = """
import asyncio, pathlib

from egressd.daemon import scheduler
from egressd.engine.session import Session

scheduler.MARGIN = 1.0
probe = Session.probe


async def probe_or_stall(*arguments, **words):
    while pathlib.Path("/srv/stall").exists():
        await asyncio.sleep(0.1)
    return await probe(*arguments, **words)


Session.probe = probe_or_stall
"""
"""A sitecustomize module: makes the scheduler hang on demand, while the rest of the process runs."""


def start(machine: Machine) -> str:
    """Start the service, wait for the first sweep, and return its process id."""
    machine.must("systemctl", "start", UNIT)
    machine.wait(until="targets", of="StatusText")
    return machine.show("MainPID")


def get(machine: Machine, path: str) -> str:
    """Get a page of the daemon, from the same machine."""
    return machine.must("python3", "-c", ASKING, f"http://127.0.0.1:10980{path}")


def test_start_waits_for_ready_and_status_counts_targets(machine: Machine) -> None:
    """`systemctl start` returns once the daemon is ready; the status line counts targets after a sweep."""
    machine.must("systemctl", "start", UNIT)
    assert machine.show("ActiveState") == "active"
    assert get(machine, "/-/healthy")
    machine.wait(until="targets, 0 failing", of="StatusText")
    assert "egressd_sweep_last_completed_timestamp_seconds" in get(machine, "/metrics")
    assert machine.show("StatusText") in machine.must("systemctl", "status", UNIT)


def test_starts_without_a_network(machine: Machine) -> None:
    """Without a network the daemon becomes ready, reports failing targets, and keeps running."""
    configure(machine, resolvers=["127.0.0.1:9"])
    machine.must("systemctl", "start", UNIT)
    machine.wait(until="dns_no_listener", of="StatusText", seconds=90)
    assert machine.show("ActiveState") == "active"


def test_is_confined(machine: Machine) -> None:
    """It runs as a dynamic user, without capabilities, under a system call filter, and owns its state."""
    pid = start(machine)
    status = dict(
        line.split(":\t", 1)
        for line in machine.must("cat", f"/proc/{pid}/status").splitlines()
        if ":\t" in line
    )
    assert int(status["Uid"].split()[0]) >= 61184  # the first uid of systemd's dynamic users
    assert (status["CapEff"], status["NoNewPrivs"], status["Seccomp"]) == ("0" * 16, "1", "2")
    assert machine.must("stat", "--format=%a", "/var/lib/private/egressd").strip() == "700"
    assert machine.must("sh", "-c", "ls /var/lib/private/egressd").strip()
    assert "process_cpu_seconds_total" in get(machine, "/metrics")


def test_reload_takes_a_good_configuration(machine: Machine) -> None:
    """A reload returns 0 and applies the new settings in the same process."""
    pid = start(machine)
    configure(machine, overrides=[{"match": "*", "need": "optional"}])
    machine.must("systemctl", "reload", UNIT)
    machine.wait_log("configuration read again")
    machine.settle(lambda: machine.show("ActiveState") == "active", "the end of the reload")
    assert machine.show("MainPID") == pid
    assert "egressd_config_last_reload_successful 1.0" in get(machine, "/metrics")


def test_reload_refuses_a_bad_configuration(machine: Machine) -> None:
    """With a bad file the old settings stay active, and status, metrics and journal report it."""
    pid = start(machine)
    machine.write(CONFIG, BAD)
    machine.must("systemctl", "reload", UNIT)
    machine.wait(until="refused", of="StatusText")
    assert (machine.show("MainPID"), machine.show("ActiveState")) == (pid, "active")
    assert "egressd_config_last_reload_successful 0.0" in get(machine, "/metrics")
    machine.wait_log("bad", "--priority=err")
    configure(machine)
    machine.must("systemctl", "reload", UNIT)
    machine.wait_without("refused", of="StatusText")


def test_does_not_start_with_a_bad_configuration(machine: Machine) -> None:
    """Start fails with exit code 78, every error is in the journal, and systemd does not restart it."""
    machine.write(CONFIG, BAD)
    assert machine.run("systemctl", "start", UNIT).returncode != 0
    assert (machine.show("ExecMainStatus"), machine.show("NRestarts")) == ("78", "0")
    assert machine.show("ActiveState") == "failed"
    machine.wait_log("egressd.yml")


def test_wrong_usage_is_not_restarted(machine: Machine) -> None:
    """An unknown flag is exit code 2, and systemd does not restart it."""
    drop_in(machine, "ExecStart=", "ExecStart=/usr/bin/egressd --no.such.flag")
    assert machine.run("systemctl", "start", UNIT).returncode != 0
    assert (machine.show("ExecMainStatus"), machine.show("NRestarts")) == ("2", "0")


def test_a_stopped_process_is_restarted(machine: Machine) -> None:
    """A process that no longer notifies the watchdog is killed and restarted."""
    drop_in(machine, "WatchdogSec=3s", "RestartSec=100ms")
    pid = start(machine)
    machine.must("sh", "-c", f"kill -STOP {pid}")
    machine.wait(until="1", of="NRestarts")
    machine.wait(until="targets", of="StatusText")
    assert machine.show("MainPID") != pid
    machine.wait_log("Watchdog timeout")


def test_a_stalled_scheduler_is_restarted(machine: Machine) -> None:
    """A hanging scheduler in a running process is detected and reported, and the process is restarted."""
    machine.write("/srv/hook/sitecustomize.py", STALL)
    drop_in(machine, "WatchdogSec=3s", "RestartSec=100ms", "Environment=PYTHONPATH=/srv/hook")
    pid = start(machine)
    machine.write("/srv/stall", "")
    machine.wait(until="stalled", of="StatusText")
    machine.wait(until="1", of="NRestarts")
    machine.must("rm", "/srv/stall")
    machine.wait(until="targets", of="StatusText")
    assert machine.show("MainPID") != pid
    log = machine.log()
    assert "Watchdog timeout" in log
    assert "Fatal Python error" in log  # and with it the stack of every thread


def test_a_crash_loses_nothing(machine: Machine) -> None:
    """A killed process is restarted, loads the failing targets, and does not report them again."""
    configure(machine, resolvers=["127.0.0.1:9"])
    drop_in(machine, "RestartSec=100ms")
    machine.must("systemctl", "start", UNIT)
    machine.wait(until="dns_no_listener", of="StatusText")
    machine.must("systemctl", "kill", "--kill-whom=main", "--signal=KILL", UNIT)
    machine.wait(until="1", of="NRestarts")
    machine.wait(until="dns_no_listener", of="StatusText")
    machine.wait_log('"finding opened"')
    assert machine.log().count('"finding opened"') == 1


def test_stops_within_ten_seconds(machine: Machine) -> None:
    """Stopped during its first sweep it exits by itself, with 0, before systemd's timeout."""
    drop_in(machine, "TimeoutStopSec=10s")
    machine.must("systemctl", "start", UNIT)
    machine.must("systemctl", "stop", UNIT)
    assert (machine.show("Result"), machine.show("ExecMainStatus")) == ("success", "0")
    assert machine.show("ActiveState") == "inactive"


def test_systemctl_exit_codes(machine: Machine) -> None:
    """`systemctl is-active` and `status` exit with 3 while stopped, and with 0 while running."""
    assert machine.run("systemctl", "is-active", UNIT).returncode == 3
    assert machine.run("systemctl", "status", UNIT).returncode == 3
    start(machine)
    assert machine.run("systemctl", "is-active", UNIT).returncode == 0
    assert machine.run("systemctl", "status", UNIT).returncode == 0
    assert machine.run("systemctl", "is-failed", UNIT).returncode == 1


def test_journal_priorities(machine: Machine) -> None:
    """A start without problems logs JSON lines of priority 6 only."""
    start(machine)
    lines = [json.loads(line) for line in machine.log("--output=json").splitlines()]
    ours = [line for line in lines if line.get("SYSLOG_IDENTIFIER") == "egressd"]
    started = next(line for line in ours if '"started"' in line["MESSAGE"])
    assert started["PRIORITY"] == "6"
    assert json.loads(started["MESSAGE"])["event"] == "started"
    assert {line["PRIORITY"] for line in ours} == {"6"}


def test_systemd_credentials_are_read(machine: Machine) -> None:
    """The shipped LoadCredential example passes root's password file to the service; no output shows it."""
    machine.write("/etc/egressd/credentials/proxy-password", "Tr0ub4dor\n", mode=0o600)
    example = (ROOT / "systemd/egressd.service.d/credentials.conf.example").read_text(encoding="utf-8")
    machine.write(f"{DROP_INS}/credentials.conf", example)
    machine.must("systemctl", "daemon-reload")
    path = "/run/credentials/egressd.service/proxy-password"
    proxy = {"url": "http://127.0.0.1:3128", "username": "svc-arc", "password_file": path}
    configure(machine, proxy=proxy)
    machine.must("systemctl", "start", UNIT)
    machine.must("test", "-s", path)
    machine.wait(until="targets", of="StatusText")
    assert "Tr0ub4dor" not in machine.log() + get(machine, "/api/v1/sweep")


def test_a_missing_credential_is_named(machine: Machine) -> None:
    """Without the file the start fails with 243/CREDENTIALS, as the example says."""
    example = (ROOT / "systemd/egressd.service.d/credentials.conf.example").read_text(encoding="utf-8")
    machine.write(f"{DROP_INS}/credentials.conf", example)
    drop_in(machine, "Restart=no")
    assert machine.run("systemctl", "start", UNIT).returncode != 0
    assert machine.show("ExecMainStatus") == "243"


def test_installed_units_verify(machine: Machine) -> None:
    """`systemd-analyze verify` accepts the installed units."""
    for name in ("egressd.service", "egressd-once.service", "egressd-once.timer"):
        path = Path("/usr/local/lib/systemd/system") / name
        ended = machine.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=one", str(path))
        assert ended.returncode == 0, ended.stderr
