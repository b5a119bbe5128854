"""A daemon on the lab: targets that share a cause are repaired one by one, and nobody is paged for it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.process import Lab, Running, daemon, settings
from tests.daemon.webhook_server import WebhookServer

BROKEN = ("mcr.microsoft.com", "management.azure.com", "login.microsoftonline.com")
WORKING = ("sts.windows.net", "graph.microsoft.com", "login.windows.net")


def with_webhook(lab: Lab, webhook: WebhookServer) -> str:
    """Return a configuration of hosts that break and hosts that work, with the usual patience."""
    own = [
        {"id": f"own-{number}", "host": host, "port": 443, "protocol": "https"}
        for number, host in enumerate((*BROKEN, *WORKING))
    ]
    receiver = {"name": "webhook", "type": "webhook", "url": f"{webhook.url}/x"}
    return settings(lab, interval="2s", endpoints=own, notify={"receivers": [receiver]})


def alerts(running: Running) -> list[dict[str, Any]]:
    """Return the open alerts that the API shows."""
    document = json.loads(running.get("/api/v1/alerts")[1])
    return [one for one in document["alerts"] if one["state"] != "pending"]


def standings(running: Running) -> dict[str, str]:
    """Return the confirmed outcome of each host."""
    document = json.loads(running.get("/api/v1/targets")[1])
    return {
        one["host"]: seen["standing"]["belief"]["outcome"]
        for one in document["targets"]
        for seen in one["sources"]
    }


@pytest.mark.parametrize("fault", ["tls_reset"])
def test_one_by_one_the_cause_is_told_once_and_resolved_once(tmp_path: Path, lab: Lab, fault: str) -> None:
    """Three names break; each repair is watched until it is confirmed, and only the cause is ever open."""
    config = tmp_path / "egressd.yml"
    with WebhookServer() as webhook:
        webhook.open()
        config.write_text(with_webhook(lab, webhook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.wait_for("6 targets")
            lab.do("on " + " ".join(f"{fault}={one}" for one in BROKEN))
            running.until(lambda: alerts(running), "opened")
            (cause,) = alerts(running)
            assert (cause["name"], len(cause["targets"])) == ("EgressCause", 3)
            seen = {cause["id"]}
            for host in BROKEN:
                lab.do(f"off {fault}={host}")
                end = time.monotonic() + 60
                while standings(running)[host] != "ok":
                    seen |= {one["id"] for one in alerts(running)}
                    assert time.monotonic() < end
                    time.sleep(0.05)
            running.until(lambda: not alerts(running), "closed")
            running.until(lambda: len(webhook.received) == 2, "told")
            assert seen == {cause["id"]}
            told = [(one["alerts"][0]["labels"]["alertname"], one["status"]) for one in webhook.received]
            assert told == [("EgressCause", "firing"), ("EgressCause", "resolved")]
            assert running.stop()[0] == 0
