"""The whole daemon and a real webhook: all is told once and in order, whatever happens."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.hook import Hook
from tests.daemon.process import HOSTS, Lab, Running, daemon, put, settings

SECRET = "the-secret-part"
ONE, TWO, THREE = HOSTS
QUICK = {"patience": {"explicit": 1, "silent": 1, "better": 1}}


def telling(lab: Lab, hook: Hook, **more: Any) -> str:
    """Return a configuration that tells a webhook what it finds, as soon as it is sure."""
    receiver = {"name": "hook", "type": "webhook", "url": f"{hook.url}/{SECRET}", **more}
    return settings(lab, interval="1s", alerts=QUICK, notify={"receivers": [receiver]})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration is."""
    return tmp_path / "egressd.yml"


def said(running: Running) -> list[tuple[str, str]]:
    """Return what the log says was to be told: the host, and what."""
    lines = [line for line in running.lines() if line["event"].startswith("alert ")]
    return [(host_in(line["alert"]), line["event"].removeprefix("alert ")) for line in lines]


def host_in(alert: str) -> str:
    return next((one for one in HOSTS if one in alert), alert)


def value(running: Running, metric: str) -> float:
    """Return a metric of the receiver."""
    found = re.search(
        rf'^egressd_{metric}{{receiver="hook"}} (\S+)$', running.get("/metrics")[1], re.MULTILINE
    )
    assert found, metric
    return float(found[1])


def test_a_cut_network_and_kill_9_lose_and_repeat_nothing(tmp_path: Path, config: Path, lab: Lab) -> None:
    """The receiver can't be reached over two violent deaths; then all arrives, in order, once."""
    with Hook() as hook:
        config.write_text(telling(lab, hook), encoding="utf-8")
        with daemon(tmp_path, config) as first:
            first.wait_for("3 targets")
            lab.do(f"on tls_reset={ONE}")
            first.until(lambda: said(first) == [(ONE, "opened")], "opened")
            first.until(lambda: value(first, "notifications_failed_total") >= 2, "tried")
            assert value(first, "notifications_queue_length") == 1
            assert first.stop(signal.SIGKILL)[0] == -signal.SIGKILL
            assert SECRET not in first.errors.read_text(encoding="utf-8")
        with daemon(tmp_path, config) as second:
            second.wait_for("1 alert (1 critical)")
            lab.do("off")
            second.until(lambda: said(second) == [(ONE, "closed")], "closed, and not opened again")
            lab.do(f"on tls_reset={TWO}")
            second.until(lambda: said(second)[1:] == [(TWO, "opened")], "opened")
            assert second.stop(signal.SIGKILL)[0] == -signal.SIGKILL
        hook.open()
        with daemon(tmp_path, config) as third:
            third.until(lambda: len(hook.told) == 3, "delivered what waited")
            third.wait_for("3 targets, 1 failing")
            lab.do("off")
            third.until(lambda: len(hook.told) == 4, "delivered the end")
            time.sleep(3)
            wanted = [(ONE, "firing"), (ONE, "resolved"), (TWO, "firing"), (TWO, "resolved")]
            assert hook.heard == wanted
            assert said(third) == [(TWO, "closed")]
            third.until(lambda: value(third, "notifications_queue_length") == 0, "nothing waits")
            assert value(third, "notifications_total") == 4
            assert third.stop()[0] == 0
        assert hook.calls == 4


def test_what_the_bound_costs_is_counted_and_confessed(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A busy receiver's queue holds less than is to be told: it gets the newest, and how many are lost."""
    with Hook(status=503) as hook:
        hook.open()
        config.write_text(telling(lab, hook, queue=2), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            for fault in (f"on tls_reset={ONE}", "off", f"on tls_reset={TWO}", "off"):
                before = len(said(running))
                lab.do(fault)
                running.until(lambda known=before: len(said(running)) > known, fault)  # type: ignore[misc]  # a default
            lost = len(said(running)) - 2
            running.until(lambda: value(running, "notifications_dropped_total") == lost, "counted")
            assert value(running, "notifications_queue_length") == 2
            full = running.events("the queue of a receiver is full, the oldest notifications are dropped")
            assert [(one["receiver"], one["level"]) for one in full] == [("hook", "error")]
            hook.status = 200
            running.until(lambda: len(hook.told) == 2, "delivered")
            assert hook.heard == [(TWO, "firing"), (TWO, "resolved")]
            first, second = (json.dumps(one) for one in hook.told)
            assert "2 notifications" in first
            assert "2 notifications" not in second
            dropped_reported = "dropped notifications were reported to a receiver"
            running.until(lambda: running.events(dropped_reported), "logged")
            assert [one["dropped"] for one in running.events(dropped_reported)] == [2]


def test_a_storm_of_reloads_loses_and_repeats_nothing(tmp_path: Path, config: Path, lab: Lab) -> None:
    """Receivers that change all the time, bad files among them: each notice arrives once."""
    with Hook() as hook:
        hook.open()
        config.write_text(telling(lab, hook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            for fault in (f"on tls_reset={ONE}", "off"):
                lab.do(fault)
                for number in range(80):
                    good = telling(lab, hook, timeout=f"{5 + number % 3}s", queue=10 + number % 2)
                    put(config, "nonsense" if number % 4 == 3 else good)
                    running.process.send_signal(signal.SIGHUP)
                    time.sleep(0.05)
            put(config, telling(lab, hook))
            running.process.send_signal(signal.SIGHUP)
            running.until(lambda: len(hook.told) == 2, "both")
            time.sleep(2)
            assert hook.heard == [(ONE, "firing"), (ONE, "resolved")]
            assert said(running) == [(ONE, "opened"), (ONE, "closed")]
            assert running.stop()[0] == 0


def test_the_end_does_not_wait_for_a_receiver_that_hangs(tmp_path: Path, config: Path, lab: Lab) -> None:
    """It stops in time, keeps what it could not deliver, and delivers it in its next life."""
    with Hook(hangs=True) as hook:
        hook.open()
        config.write_text(telling(lab, hook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            lab.do(f"on tls_reset={ONE}")
            running.until(lambda: hook.calls, "called")
            code, seconds = running.stop()
            assert (code, seconds < 9) == (0, True)
        hook.hangs = False
        with daemon(tmp_path, config) as again:
            again.until(lambda: hook.heard, "delivered")
            lab.do("off")
            again.until(lambda: len(hook.heard) == 2, "closed")
            assert hook.heard == [(ONE, "firing"), (ONE, "resolved")]


def maintain(folder: Path, config: Path, *words: str) -> None:
    """Open or end a maintenance window by hand."""
    command = [sys.executable, "-m", "egressd", "maintenance", *words, f"--config.file={config}"]
    surroundings = {**os.environ, "STATE_DIRECTORY": str(folder / "state")}
    subprocess.run(command, env=surroundings, check=True, capture_output=True, timeout=300)


def test_maintenance_keeps_quiet_and_a_heartbeat_goes_on(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A window holds within seconds: looks go on, nothing is told; when it ends, what still fails is told."""
    with Hook() as hook:
        hook.open()
        document = telling(lab, hook).replace(
            "receivers:", f"receivers:\n  - {{name: heart, type: heartbeat, url: '{hook.url}/beat'}}"
        )
        config.write_text(document, encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            maintain(tmp_path, config, "start", "--for", "10m", "--reason", "a new rule", "--name", "change")
            running.until(lambda: "egressd_maintenance_active 1.0" in running.get("/metrics")[1], "in force")
            lab.do(f"on tls_reset={ONE}")
            running.until(lambda: f'target="own-0/{ONE}:443"}} 0.0' in running.get("/metrics")[1], "seen")
            beats = hook.beats
            running.until(lambda: hook.beats > beats + 2, "sweeps")
            assert (hook.told, said(running)) == ([], [])
            assert "a new rule" in running.get("/")[1]
            (quiet,) = json.loads(running.get("/api/v1/alerts")[1])["alerts"]
            assert (quiet["state"], quiet["kept_quiet_by"]) == ("pending", ["maintenance/change"])
            maintain(tmp_path, config, "end", "change")
            running.until(lambda: hook.heard == [(ONE, "firing")], "told")
            lab.do("off")
            running.until(lambda: hook.heard == [(ONE, "firing"), (ONE, "resolved")], "ended")
            running.stop()
