"""The daemon as a process, with the lab: start, reload, many signals, stop, restart."""

from __future__ import annotations

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.daemon.process import HOSTS, Lab, daemon, put, settings

HANGING_FILE = """
import os, time
found = os.stat
def stat(path, *words, **more):
    try:
        return found(path, *words, **more)
    except FileNotFoundError:
        if str(path).endswith("/secret"):
            time.sleep(600)
        raise
os.stat = stat
"""
"""A secret that is gone hangs whoever looks for it, as on a dead NFS server."""


def test_readiness_status_and_stop(tmp_path: Path, config: Path, lab: Lab) -> None:
    """READY is sent once the port is bound, /-/ready is 200 after a sweep, and the daemon stops with 0."""
    put(config, settings(lab, interval="10m"))  # slow responses of the lab on a busy machine are warnings
    with daemon(tmp_path, config, WATCHDOG_USEC="2000000") as running:
        assert "first sweep is running" in running.wait_for("READY=1")
        assert running.get("/-/healthy")[0] == 200
        assert "3 targets, 0 failing, 0 suspect" in running.wait_for("3 targets")
        running.wait_for("WATCHDOG=1")
        assert running.get("/-/ready")[0] == 200
        assert (
            'egressd_target_up{source="default",target="own-0/mcr.microsoft.com:443"} 1.0'
            in running.get("/metrics")[1]
        )
        code, seconds = running.stop()
        running_out = running.lines()
    assert (code, seconds < 10) == (0, True)
    assert [line["event"] for line in running_out][-1] == "stopped"
    assert not [line for line in running_out if line["level"] in ("warning", "error")]


def test_a_good_reload_takes_effect_and_a_bad_one_does_not(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A valid configuration is applied soon; an invalid one is reported, and the old one stays active."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        fewer = [{"id": "own-0", "host": HOSTS[0], "port": 443, "protocol": "https"}]
        config.write_text(settings(lab, endpoints=fewer, site="oslo-1"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in running.wait_for("RELOADING=1")
        running.wait_for("READY=1")
        running.until(lambda: "own-1" not in running.get("/metrics")[1], "one target")
        config.write_text("profiles: [nope]\ninterval: often\n", encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("RELOADING=1")
        assert "the last reload was refused" in running.wait_for("READY=1")
        assert "egressd_config_last_reload_successful 0.0" in running.get("/metrics")[1]
        history = json.loads(running.get("/api/v1/history?since=1h")[1])
        assert history["sites"] == [platform.node(), "oslo-1"]
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before, "another sweep")
        assert running.stop()[0] == 0
        (refused,) = running.events("configuration is bad, the old one stays")
        assert len(refused["problems"]) == 2


def test_a_bad_web_configuration_is_reported_and_not_loaded(tmp_path: Path, config: Path, lab: Lab) -> None:
    """An invalid web configuration is reported at a reload, and stays reported over further reloads."""
    web = tmp_path / "web.yml"
    put(web, "")
    put(config, settings(lab, web={"config_file": str(web)}))
    good = "egressd_config_last_reload_successful 1.0"
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        put(web, "basic_auth_user: {}")
        running.wait_for("the web configuration is bad, the one before stays")
        assert good not in running.get("/metrics")[1]
        running.process.send_signal(signal.SIGHUP)
        assert "the last reload was refused" in running.wait_for("READY=1")
        said = "configuration is bad, the old one stays"
        running.until(lambda: running.events(said), said)
        (refused,) = running.events(said)
        assert [one.startswith(f"{web}:1: basic_auth_user: unknown") for one in refused["problems"]] == [True]
        put(config, settings(lab))
        running.process.send_signal(signal.SIGHUP)
        assert "the last reload" not in running.wait_for("READY=1")
        running.until(lambda: good in running.get("/metrics")[1], "without that file all is well")
        assert running.stop()[0] == 0


def test_configuration_warnings_are_logged(tmp_path: Path, config: Path, lab: Lab) -> None:
    """The warnings of `config check` are logged at the start and after each reload."""
    always = {"maintenance": [{"name": "m", "schedule": "0 * * * *", "for": "1h"}]}
    config.write_text(settings(lab, alerts=always), encoding="utf-8")
    with daemon(tmp_path, config) as running:
        running.wait_for("READY=1")
        line, _ = running.events("configuration")  # the other one is about the short interval of this test
        assert (line["level"], line["warning"][:31]) == ("warning", "maintenance m: lasts 1h and beg")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("RELOADING=1")
        running.wait_for("READY=1")
        assert len(running.events("configuration")) == 4


def test_a_file_that_hangs_does_not_hold_up_stopping(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A thread that hangs reading a file, as on a dead NFS server, delays neither sweeps nor stopping."""
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(HANGING_FILE, encoding="utf-8")
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    row = {"name": "hook", "type": "webhook", "url": "http://127.0.0.1:9", "bearer_token_file": str(secret)}
    config.write_text(settings(lab, notify={"receivers": [row]}), encoding="utf-8")
    with daemon(tmp_path, config, PYTHONPATH=str(hook)) as running:
        running.wait_for("3 targets")
        secret.unlink()
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("RELOADING=1")
        before = len(running.events("sweep"))
        running.until(lambda: len(running.events("sweep")) > before + 1, "more sweeps")
        code, seconds = running.stop()
        assert (code, seconds < 10) == (0, True)
        assert [one["event"] for one in running.lines()][-2:] == [
            "stopped",
            "a file can't be read to its end; ending without it",
        ]


def test_hundreds_of_reload_signals_lead_to_few_reloads(tmp_path: Path, config: Path, lab: Lab) -> None:
    """After hundreds of SIGHUPs sweeps go on, reloads are few, and the last file is active."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        before = len(running.events("sweep"))
        for number in range(400):
            put(config, "nonsense" if number % 3 else settings(lab, interval="1s"))
            running.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
        put(config, settings(lab, interval="1s"))
        running.process.send_signal(signal.SIGHUP)
        running.until(lambda: running.lines()[-1]["event"] == "sweep", "a sweep after the storm")
        running.until(
            lambda: "egressd_config_last_reload_successful 1.0" in running.get("/metrics")[1], "good"
        )
        assert len(running.events("sweep")) > before
        reloads = [line for line in running.lines() if "configuration" in line["event"]]
        assert 0 < len(reloads) < 100
        assert running.stop()[0] == 0


def test_a_fault_is_logged_once_even_over_a_restart(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A fault is logged within seconds, with evidence; after kill and restart it is not logged again."""
    with daemon(tmp_path, config) as running:
        running.wait_for("3 targets")
        lab.do("on tls_reset=mcr.microsoft.com")
        running.until(lambda: running.events("target changed"), "confirmed")
        (change,) = running.events("target changed")
        assert (change["target"], change["outcome"]) == ("own-0/mcr.microsoft.com:443", "blocked")
        assert "RST" in change["evidence"][0]
        assert running.stop(signal.SIGKILL)[0] == -signal.SIGKILL
    with daemon(tmp_path, config) as again:
        assert "1 failing" in again.wait_for("targets, ")
        again.until(lambda: len(again.events("sweep")) > 2, "sweeps")
        assert again.events("target changed") == []
        lab.do("off")
        again.until(lambda: again.events("target changed"), "fixed")
        again.stop()
    history = [sys.executable, "-m", "egressd", "history", "--format=json", f"--config.file={config}"]
    done = subprocess.run(
        history,
        env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        check=True,
    )
    events = json.loads(done.stdout)["events"]
    told = [one for one in events if one["kind"] != "overrun"]  # what fails is repeated for some seconds
    kinds = [(one["kind"], one.get("target", one.get("said", ""))) for one in told]
    changed, opened, closed = (
        ("target", "own-0/mcr.microsoft.com:443"),
        ("notice", "opened"),
        ("notice", "closed"),
    )
    life, end = ("started", ""), ("stopped", "")
    assert kinds == [life, changed, opened, life, changed, closed, end]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("interval: often\n", 78, "interval"),
        ("profiles: [nope]\n", 78, "nope"),
        ("sources: [{name: a, address: 192.0.2.77}]\nregion: westeurope\n", 78, "192.0.2.77"),
        ("web: {listen: '192.0.2.1:10980'}\nprofiles: []\n", 75, "cannot"),
    ],
)
def test_bad_configurations_end_the_start(tmp_path: Path, text: str, code: int, message: str) -> None:
    """An invalid configuration is exit code 78 with a message, an absent address 75; READY is not sent."""
    path = tmp_path / "bad.yml"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "egressd", f"--config.file={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_silent_resolver_does_not_delay_sweeps_or_stopping(tmp_path: Path, lab: Lab) -> None:
    """With a silent resolver sweeps end in time with the reason, and the daemon stops at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        path = tmp_path / "egressd.yml"
        resolvers = [f"127.0.0.1:{silent.getsockname()[1]}"]
        probe = {"dns_timeout": "1s", "deadline": "2s", "families": ["ipv4"]}
        path.write_text(settings(lab, resolvers=resolvers, probe=probe, interval="12s"), encoding="utf-8")
        with daemon(tmp_path, path) as running:
            running.wait_for("READY=1")
            running.until(lambda: len(running.events("target changed")) == len(HOSTS), "all confirmed")
            assert running.get("/-/healthy")[0] == 200
            assert not running.events("sweep overran")
            code, seconds = running.stop()
            assert (code, seconds < 10) == (0, True)
            assert {one["phase"] for one in running.events("target changed")} == {"dns"}
