"""The daemon and a real webhook: notifications arrive once and in order over kills, reloads and outages."""

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

from tests.daemon.process import HOSTS, Lab, Running, daemon, put, settings
from tests.daemon.webhook_server import WebhookServer

SECRET = "the-secret-part"
ONE, TWO, THREE = HOSTS
QUICK = {"patience": {"explicit": 1, "silent": 1, "better": 1}}


def with_webhook(lab: Lab, webhook: WebhookServer, **more: Any) -> str:
    """Return a configuration that notifies a webhook without delay."""
    receiver = {"name": "webhook", "type": "webhook", "url": f"{webhook.url}/{SECRET}", **more}
    return settings(lab, interval="1s", alerts=QUICK, notify={"receivers": [receiver]})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the path of the configuration."""
    return tmp_path / "egressd.yml"


def logged(running: Running) -> list[tuple[str, str]]:
    """Return host and kind of each notification in the log."""
    lines = [line for line in running.lines() if line["event"].startswith("alert ")]
    return [(host_in(line["alert"]), line["event"].removeprefix("alert ")) for line in lines]


def host_in(alert: str) -> str:
    return next((one for one in HOSTS if one in alert), alert)


def value(running: Running, metric: str) -> float:
    """Return a metric of the receiver."""
    found = re.search(
        rf'^egressd_{metric}{{receiver="webhook"}} (\S+)$', running.get("/metrics")[1], re.MULTILINE
    )
    assert found, metric
    return float(found[1])


def test_no_notification_is_lost_or_repeated_over_kill_9_without_a_network(
    tmp_path: Path, config: Path, lab: Lab
) -> None:
    """The receiver can't be reached while the daemon is killed twice; then all arrives, in order, once."""
    with WebhookServer() as webhook:
        config.write_text(with_webhook(lab, webhook), encoding="utf-8")
        with daemon(tmp_path, config) as first:
            first.wait_for("3 targets")
            lab.do(f"on tls_reset={ONE}")
            first.until(lambda: logged(first) == [(ONE, "opened")], "opened")
            first.until(lambda: value(first, "notifications_failed_total") >= 2, "tried")
            assert value(first, "notifications_queue_length") == 1
            assert first.stop(signal.SIGKILL)[0] == -signal.SIGKILL
            assert SECRET not in first.errors.read_text(encoding="utf-8")
        with daemon(tmp_path, config) as second:
            second.wait_for("1 alert (1 critical)")
            lab.do("off")
            second.until(lambda: logged(second) == [(ONE, "closed")], "closed, and not opened again")
            lab.do(f"on tls_reset={TWO}")
            second.until(lambda: logged(second)[1:] == [(TWO, "opened")], "opened")
            assert second.stop(signal.SIGKILL)[0] == -signal.SIGKILL
        webhook.open()
        with daemon(tmp_path, config) as third:
            third.until(lambda: len(webhook.received) == 3, "delivered what waited")
            third.wait_for("3 targets, 1 failing")
            lab.do("off")
            third.until(lambda: len(webhook.received) == 4, "delivered the end")
            time.sleep(3)
            wanted = [(ONE, "firing"), (ONE, "resolved"), (TWO, "firing"), (TWO, "resolved")]
            assert webhook.statuses == wanted
            assert logged(third) == [(TWO, "closed")]
            third.until(lambda: value(third, "notifications_queue_length") == 0, "nothing waits")
            assert value(third, "notifications_total") == 4
            assert third.stop()[0] == 0
        assert webhook.calls == 4


def test_dropped_notifications_are_counted_and_reported(tmp_path: Path, config: Path, lab: Lab) -> None:
    """The queue of a busy receiver is too short: it gets the newest, and the number dropped."""
    with WebhookServer(status=503) as webhook:
        webhook.open()
        config.write_text(with_webhook(lab, webhook, queue=2), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            for fault in (f"on tls_reset={ONE}", "off", f"on tls_reset={TWO}", "off"):
                before = len(logged(running))
                lab.do(fault)
                running.until(lambda known=before: len(logged(running)) > known, fault)  # type: ignore[misc]  # a default
            lost = len(logged(running)) - 2
            running.until(lambda: value(running, "notifications_dropped_total") == lost, "counted")
            assert value(running, "notifications_queue_length") == 2
            full = running.events(
                "the queue of a receiver is full, the least urgent notifications are dropped"
            )
            assert [(one["receiver"], one["level"]) for one in full] == [("webhook", "error")]
            webhook.status = 200
            running.until(lambda: len(webhook.received) == 2, "delivered")
            assert webhook.statuses == [(TWO, "firing"), (TWO, "resolved")]
            first, second = (json.dumps(one) for one in webhook.received)
            assert "2 notifications" in first
            assert "2 notifications" not in second
            dropped_reported = "dropped notifications were reported to a receiver"
            running.until(lambda: running.events(dropped_reported), "logged")
            assert [one["dropped"] for one in running.events(dropped_reported)] == [2]


def test_no_notification_is_lost_or_repeated_over_many_reloads(
    tmp_path: Path, config: Path, lab: Lab
) -> None:
    """Over many reloads, with invalid files among them, each notice arrives once."""
    with WebhookServer() as webhook:
        webhook.open()
        config.write_text(with_webhook(lab, webhook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            for fault in (f"on tls_reset={ONE}", "off"):
                lab.do(fault)
                for number in range(80):
                    good = with_webhook(lab, webhook, timeout=f"{5 + number % 3}s", queue=10 + number % 2)
                    put(config, "nonsense" if number % 4 == 3 else good)
                    running.process.send_signal(signal.SIGHUP)
                    time.sleep(0.05)
            put(config, with_webhook(lab, webhook))
            running.process.send_signal(signal.SIGHUP)
            running.until(lambda: len(webhook.received) == 2, "both")
            time.sleep(2)
            assert webhook.statuses == [(ONE, "firing"), (ONE, "resolved")]
            assert logged(running) == [(ONE, "opened"), (ONE, "closed")]
            assert running.stop()[0] == 0


def test_stopping_does_not_wait_for_a_receiver_that_hangs(tmp_path: Path, config: Path, lab: Lab) -> None:
    """With a hanging receiver the daemon stops in time, and delivers the rest after the next start."""
    with WebhookServer(hangs=True) as webhook:
        webhook.open()
        config.write_text(with_webhook(lab, webhook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            lab.do(f"on tls_reset={ONE}")
            running.until(lambda: webhook.calls, "called")
            code, seconds = running.stop()
            assert (code, seconds < 9) == (0, True)
        webhook.hangs = False
        with daemon(tmp_path, config) as again:
            again.until(lambda: webhook.statuses, "delivered")
            lab.do("off")
            again.until(lambda: len(webhook.statuses) == 2, "closed")
            assert webhook.statuses == [(ONE, "firing"), (ONE, "resolved")]


def maintain(folder: Path, config: Path, *words: str) -> None:
    """Run `egressd maintenance`."""
    command = [sys.executable, "-m", "egressd", "maintenance", *words, f"--config.file={config}"]
    surroundings = {**os.environ, "STATE_DIRECTORY": str(folder / "state")}
    subprocess.run(command, env=surroundings, check=True, capture_output=True, timeout=300)


def test_a_silence_stops_notifications_but_not_the_heartbeat(tmp_path: Path, config: Path, lab: Lab) -> None:
    """A silence is active within seconds; probes and heartbeat go on; at its end failures are notified."""
    with WebhookServer() as webhook:
        webhook.open()
        document = with_webhook(lab, webhook).replace(
            "receivers:", f"receivers:\n  - {{name: heart, type: heartbeat, url: '{webhook.url}/beat'}}"
        )
        config.write_text(document, encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("3 targets")
            maintain(tmp_path, config, "start", "--for", "10m", "--reason", "a new rule", "--name", "change")
            running.until(lambda: "egressd_maintenance_active 1.0" in running.get("/metrics")[1], "in force")
            lab.do(f"on tls_reset={ONE}")
            running.until(lambda: f'target="own-0/{ONE}:443"}} 0.0' in running.get("/metrics")[1], "seen")
            beats = webhook.beats
            running.until(lambda: webhook.beats > beats + 2, "sweeps")
            assert (webhook.received, logged(running)) == ([], [])
            assert "a new rule" in running.get("/")[1]
            (quiet,) = json.loads(running.get("/api/v1/alerts")[1])["alerts"]
            assert (quiet["state"], quiet["kept_quiet_by"]) == ("pending", ["maintenance/change"])
            maintain(tmp_path, config, "end", "change")
            running.until(lambda: webhook.statuses == [(ONE, "firing")], "received")
            lab.do("off")
            running.until(lambda: webhook.statuses == [(ONE, "firing"), (ONE, "resolved")], "ended")
            running.stop()
