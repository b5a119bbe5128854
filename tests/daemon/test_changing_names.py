"""A daemon behind a device that signs with another authority on each connection: one cause, one alert."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.daemon.process import HOSTS, Lab, daemon, settings
from tests.daemon.renaming_inspector import RenamingInspector
from tests.daemon.webhook_server import WebhookServer

CONNECTIONS = 60


def behind(lab: Lab, inspector: RenamingInspector, webhook: WebhookServer) -> str:
    """Return a configuration whose connections to port 443 lead to the device."""
    places: list[dict[str, Any]] = yaml.safe_load(lab.config.read_text(encoding="utf-8"))["connect_to"]
    lead = {"match": "*:443", "address": "127.0.0.1", "port": inspector.port}
    receiver = {"name": "webhook", "type": "webhook", "url": f"{webhook.url}/x"}
    return settings(
        lab,
        interval="1s",
        connect_to=[lead, *(one for one in places if one["match"] != "*:443")],
        notify={"receivers": [receiver]},
    )


def test_one_device_is_one_cause_whatever_it_calls_itself(tmp_path: Path, lab: Lab) -> None:
    """After many authorities there are as many series as after the first few, and one notification."""
    config = tmp_path / "egressd.yml"
    with WebhookServer() as webhook, RenamingInspector(tmp_path) as inspector:
        webhook.open()
        config.write_text(behind(lab, inspector, webhook), encoding="utf-8")
        with daemon(tmp_path, config) as running:
            running.until(lambda: webhook.received, "notified")
            series: set[str] = set()

            def is_enough() -> bool:
                page = running.get("/metrics")[1]
                series.update(
                    re.findall(r"^(egressd_(?:finding|target_failure)\S*\{.*\}) ", page, re.MULTILINE)
                )
                return inspector.connections >= CONNECTIONS

            running.until(is_enough, "inspected often enough")
            findings = {one for line in series for one in re.findall(r'finding="([^"]*)"', line)}
            assert findings == {"tls_mitm_untrusted:default"}
            assert not any("Inspector" in line or "Box" in line for line in series)
            document = json.loads(running.get("/api/v1/alerts")[1])
            assert [one["name"] for one in document["alerts"]] == ["EgressCause"]
            assert "Inspector" in document["alerts"][0]["title"]
            assert len(document["alerts"][0]["targets"]) == len(HOSTS)
            told = [(one["alerts"][0]["labels"]["alertname"], one["status"]) for one in webhook.received]
            assert told == [("EgressCause", "firing")]
            assert running.stop()[0] == 0
