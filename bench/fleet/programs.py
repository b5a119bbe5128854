"""A real Prometheus and Alertmanager with the shipped configuration, and what they say of themselves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.fleet.server import HOST, site_name
from tests.ports import free_port

CONFIG = Path(__file__).parents[2] / "config"
CENTRAL = CONFIG / "fleet" / "prometheus-central.yml"
ROUTES = CONFIG / "fleet" / "alertmanager.yml"
RULES = tuple(sorted((CONFIG / "prometheus").glob("egressd-*.yml")))
FLEET_RULES = tuple(one for one in RULES if one.name.startswith("egressd-fleet-"))
PROMETHEUS, ALERTMANAGER, PROMTOOL = "prometheus", "prometheus-alertmanager", "promtool"
READY = 60.0
"""Seconds that a program may take until it answers."""
ANSWER = 600.0
_SAMPLE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
_RECEIVER_TYPES = re.compile(r"_configs$")


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """How many sites, of what size, and what happens at them."""

    sites: int
    targets: int
    sources: int = 1
    full: bool = False
    """Whether all series are kept, not only those of the fleet."""
    host_rules: bool = False
    """Whether the rules of single hosts are evaluated, too; a large fleet leaves them to the sites."""
    event: str = "normal hour"
    after: float = 120.0
    """Seconds until it happens."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """The programs while they run."""

    server: str
    prometheus: str
    alertmanager: str
    pid: int
    """Prometheus'."""

    def get(self, address: str, path: str) -> bytes:
        """Return what one of them answers."""
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=ANSWER) as answer:
            text: bytes = answer.read()
        return text

    def api(self, path: str, **query: str) -> Any:
        """Return what Prometheus' API answers."""
        asked = f"api/v1/{path}?{urllib.parse.urlencode(query)}"
        return json.loads(self.get(self.prometheus, asked))["data"]

    def ask(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Return labels and value of each series that an instant query finds."""
        found = self.api("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def number(self, expression: str) -> float:
        """Return the sum of what an instant query finds."""
        return sum(value for _, value in self.ask(expression))

    def own(self, name: str) -> float:
        """Return a metric of Prometheus itself, added up."""
        page = self.get(self.prometheus, "metrics").decode()
        return sum(float(value) for one, _, value in _SAMPLE.findall(page) if one == name)

    def notified(self) -> list[Mapping[str, Any]]:
        """Return what Alertmanager has notified."""
        found: list[Mapping[str, Any]] = json.loads(self.get(self.server, "notified"))
        return found

    def alerts(self) -> list[Mapping[str, Any]]:
        """Return the alerts that Alertmanager has, with their status."""
        found: list[Mapping[str, Any]] = json.loads(self.get(self.alertmanager, "api/v2/alerts"))
        return found


@contextmanager
def running(fleet: Fleet, folder: Path) -> Iterator[Running]:
    """Start the fleet's server, Alertmanager and Prometheus; stop them in the end."""
    server, prometheus, alertmanager = (f"{HOST}:{free_port()}" for _ in range(3))
    _write_prometheus(folder, fleet, server=server, alertmanager=alertmanager)
    _write_alertmanager(folder, server)
    with ExitStack() as stack:
        words = (server.rpartition(":")[2], fleet.targets, fleet.sources, fleet.event, fleet.after)
        _start(stack, folder, sys.executable, "-m", "bench.fleet.server", *map(str, words))
        _start(
            stack,
            folder,
            ALERTMANAGER,
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--web.listen-address={alertmanager}",
            f"--storage.path={folder / 'alertmanager'}",
            "--cluster.listen-address=",
            "--log.level=warn",
        )
        pid = _start(
            stack,
            folder,
            PROMETHEUS,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.listen-address={prometheus}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.enable-admin-api",
            "--log.level=warn",
        )
        made = Running(server=server, prometheus=prometheus, alertmanager=alertmanager, pid=pid)
        for address, path in ((server, "0/metrics"), (alertmanager, "-/ready"), (prometheus, "-/ready")):
            _wait_for(made, address, path)
        yield made


def _start(stack: ExitStack, folder: Path, *command: str) -> int:
    log = stack.enter_context((folder / f"{Path(command[-1]).name or 'program'}.log").open("w"))
    process = subprocess.Popen(command, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process.pid


def _wait_for(made: Running, address: str, path: str) -> None:
    end = time.monotonic() + READY
    while True:
        try:
            made.get(address, path)
        except (OSError, urllib.error.URLError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


def _write_prometheus(folder: Path, fleet: Fleet, *, server: str, alertmanager: str) -> None:
    """Write the central configuration, with the bench's sites in the place of real ones."""
    document = yaml.safe_load(CENTRAL.read_text(encoding="utf-8"))
    (job,) = document["scrape_configs"]
    for name in ("scheme", "tls_config", "basic_auth"):
        job.pop(name, None)
    if fleet.full:
        job.pop("metric_relabel_configs")
    job["file_sd_configs"] = [{"files": [str(folder / "sites.json")]}]
    document["rule_files"] = [str(one) for one in (RULES if fleet.host_rules else FLEET_RULES)]
    document["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    sites = [
        {
            "targets": [server],
            "labels": {
                "site": site_name(one),
                "instance": f"arc1.{site_name(one)}.corp.example",
                "__metrics_path__": f"/{one}/metrics",
            },
        }
        for one in range(fleet.sites)
    ]
    (folder / "sites.json").write_text(json.dumps(sites), encoding="utf-8")


def _write_alertmanager(folder: Path, server: str) -> None:
    """Write the fleet's routes and inhibit rules; every receiver is the bench's server."""
    document = yaml.safe_load(ROUTES.read_text(encoding="utf-8"))
    document.pop("global", None)
    document["receivers"] = [
        {"name": one["name"]}
        | ({"webhook_configs": [{"url": f"http://{server}/notify"}]} if len(one) > 1 else {})
        for one in document["receivers"]
    ]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
