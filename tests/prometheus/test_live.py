"""A real Prometheus scrapes the daemon on the lab: the right alert fires, and resolves."""

from __future__ import annotations

import base64
import json
import re
import shutil
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import bcrypt
import pytest
import trustme
import yaml

from tests.pausing_loop import with_long_timeouts
from tests.ports import free_port
from tests.prometheus.conftest import CONFIG, RULES
from tests.prometheus.expressions import DASHBOARDS, panels, shown_annotations
from tests.waiting import until

pytestmark = [
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package)"
    ),
]
TIMEOUT = 120.0
HOSTS = ("mcr.microsoft.com", "management.azure.com", "login.microsoftonline.com")
PASSWORD = "a password of the test"
Alert = dict[str, Any]


@dataclass(kw_only=True)
class LiveSetup:
    """A running lab, the daemon's metrics page, and Prometheus' API."""

    commands: IO[str]
    prometheus: str
    metrics: str
    trust: ssl.SSLContext

    def fault(self, command: str) -> None:
        """Send a command to the lab, which switches a fault."""
        self.commands.write(f"{command}\n")
        self.commands.flush()

    def query(self, path: str) -> Any:
        """Query Prometheus' API."""
        with urllib.request.urlopen(f"http://{self.prometheus}/api/v1/{path}", timeout=TIMEOUT) as answer:
            return json.load(answer)["data"]

    def ask(self, expression: str) -> Any:
        """Return the answer to an instant query."""
        return self.query(f"query?{urllib.parse.urlencode({'query': expression})}")["result"]

    def firing(self, *names: str) -> list[Alert]:
        """Return the firing alerts of these names."""
        found: list[Alert] = self.query("alerts")["alerts"]
        return [one for one in found if one["state"] == "firing" and one["labels"]["alertname"] in names]

    def scrape(self) -> str:
        """Return the daemon's metrics page."""
        login = base64.b64encode(f"prometheus:{PASSWORD}".encode()).decode()
        request = urllib.request.Request(self.metrics, headers={"Authorization": f"Basic {login}"})
        with urllib.request.urlopen(request, timeout=TIMEOUT, context=self.trust) as answer:
            text: str = answer.read().decode()
            return text


@contextmanager
def lab(folder: Path) -> Iterator[IO[str]]:
    """Run the lab; yield its stdin for commands."""
    command = [sys.executable, "-m", "egressd", "lab", "--config.write", str(folder / "lab.yml")]
    with ExitStack() as stack:
        stream = stack.enter_context((folder / "lab.log").open("w"))
        one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stream, text=True)
        stack.enter_context(one)
        stack.callback(one.kill)
        until((folder / "lab.yml").exists, "a lab")
        assert one.stdin is not None
        yield one.stdin


def write_daemon_config(folder: Path) -> None:
    """Write a configuration with a few hosts of the lab, an interval of two seconds, TLS and a password."""
    document = yaml.safe_load(with_long_timeouts((folder / "lab.yml").read_text(encoding="utf-8")))
    own = [
        {"id": f"own-{number}", "host": host, "port": 443, "protocol": "https"}
        for number, host in enumerate(HOSTS)
    ]
    document |= {"profiles": [], "interval": "2s", "endpoints": own, "overrides": [], "values": {}}
    (folder / "egressd.yml").write_text(yaml.safe_dump(document))
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    issued = ca.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "web.key")
    issued.cert_chain_pems[0].write_to_path(folder / "web.pem")
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert_file": "web.pem", "key_file": "web.key"},
        "basic_auth_users": {"prometheus": hashed},
    }
    (folder / "web.yml").write_text(yaml.safe_dump(web))


def write_prometheus_config(folder: Path, daemon: str) -> None:
    """Write the shipped scrape job and rules, with `for` in seconds instead of minutes."""
    for path in RULES:
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^( +interval: )\d+[ms]", r"\g<1>1s", text, flags=re.MULTILINE)
        (folder / path.name).write_text(re.sub(r"(for: )\d+[mhs]", r"\g<1>2s", text))
    document = yaml.safe_load((CONFIG / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    del document["alerting"]
    document["rule_files"] = [path.name for path in RULES]
    (job,) = document["scrape_configs"]
    job |= {
        "scrape_interval": "3s",
        "scrape_timeout": "3s",
        "static_configs": [{"targets": [daemon]}],
        "scheme": "https",
        "tls_config": {"ca_file": str(folder / "ca.pem")},
        "basic_auth": {"username": "prometheus", "password": PASSWORD},
    }
    document["global"] = {"evaluation_interval": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSetup]:
    """Run the lab, the daemon and Prometheus."""
    folder = tmp_path_factory.mktemp("live")
    daemon, prometheus = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        commands = stack.enter_context(lab(folder))
        write_daemon_config(folder)
        write_prometheus_config(folder, daemon)
        run = [sys.executable, "-m", "egressd", "--config.file", str(folder / "egressd.yml")]
        run += ["--web.listen-address", daemon, "--web.config.file", str(folder / "web.yml")]
        watch = [
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--web.listen-address={prometheus}",
        ]
        watch += [f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"]
        for name, command in (("egressd", run), ("prometheus", watch)):
            stream = stack.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        yield LiveSetup(
            commands=commands,
            prometheus=prometheus,
            metrics=f"https://{daemon}/metrics",
            trust=ssl.create_default_context(cafile=str(folder / "ca.pem")),
        )


def test_an_alert_fires_and_resolves(live: LiveSetup) -> None:
    """With one endpoint reset after the ClientHello, its alert fires with the reason, and resolves later."""
    query = "query?query=count(egressd_target_up%20%3D%3D%201)"
    until(
        lambda: (found := live.query(query)["result"]) and found[0]["value"][1] == "3", "every target is up"
    )
    until(lambda: not live.firing("EgressdDown", "EgressdAbsent"), "the daemon is scraped")
    network = ("EgressTargetUnreachable", "EgressCause", "EgressdStalled", "EgressProfileUnreachable")
    until(lambda: not live.firing(*network) and live.firing("Watchdog"), "only Watchdog fires")
    live.fault("on tls_reset=mcr.microsoft.com")
    (alert,) = until(lambda: live.firing("EgressTargetUnreachable"), "the alert fires")
    expected = {
        "severity": "critical",
        "job": "egressd",
        "host": "mcr.microsoft.com",
        "port": "443",
        "need": "required",
        "source": "default",
        "phase": "tls",
        "reason": "tls_reset_after_hello",
        "blame": "firewall_l7",
    }
    assert expected.items() <= alert["labels"].items()
    assert "egressd explain tls_reset_after_hello" in alert["annotations"]["description"]
    assert live.firing("EgressCause") == []
    live.fault("off")
    until(lambda: not live.firing("EgressTargetUnreachable"), "the alert resolves")


def test_one_cause_is_one_alert(live: LiveSetup) -> None:
    """The same fault on every host fires one cause alert with their number, and no target alerts."""
    live.fault("on tls_reset=*")
    (alert,) = until(lambda: live.firing("EgressCause"), "the cause alert fires")
    assert (alert["labels"]["reason"], alert["labels"]["severity"]) == ("tls_reset_after_hello", "critical")
    assert (
        f"takes down {len(HOSTS)} required targets"
        in until(
            lambda: [
                text
                for one in live.firing("EgressCause")
                if "takes down 3" in (text := one["annotations"]["description"])
            ],
            "all of them are counted",
        )[0]
    )
    until(lambda: not live.firing("EgressTargetUnreachable"), "the target alerts are inhibited")
    live.fault("off")
    until(lambda: not live.firing("EgressCause", "EgressTargetUnreachable"), "it resolves")


QUIET = {
    "Offline budget used": "no product with a limit is probed",
    "Products": "no product is probed",
    "Download throughput of $target": "nothing is downloaded",
    "Clock of the host": "the clock is not known yet",
    "Notifications": "there are no receivers",
    "Wildcards and their samples": "there are no wildcards",
    "What the fleet's alerts say": "there is one site",
    "Silent sites": "the site reports",
    "Map of sites": "it has no coordinates",
}
"""Panels that may be empty in this setup, and why."""


def filled(expression: str) -> str:
    """Put what Grafana puts where everything is chosen in place of the variables."""
    text = expression.replace("$__rate_interval", "1m").replace("$__range", "10m")
    return re.sub(r"\$(job|instance|source|target|site|host|need)", ".+", text).replace("$profile", ".*")


def empty_panels(live: LiveSetup) -> set[str]:
    """Ask Prometheus each expression of the dashboards; return the panels of which one has no answer."""
    shown = [panel for board in DASHBOARDS for panel in panels(board)]
    expressions = [(panel["title"], target["expr"]) for panel in shown for target in panel["targets"]]
    return {title for title, one in expressions if not live.ask(filled(one))}


def test_every_panel_and_annotation_is_answered(live: LiveSetup) -> None:
    """Prometheus takes each expression of the dashboards; with a fault every panel has data but the quiet."""
    live.fault("on tls_reset=m*")
    until(lambda: live.firing("EgressCause"), "a finding")
    until(lambda: empty_panels(live) <= set(QUIET), "every panel has data")
    for board in DASHBOARDS:
        for one in shown_annotations(board):
            assert bool(live.ask(filled(one["expr"]))) or one["name"] in {
                "Maintenance",
                "Alerts of the fleet",
            }
    live.fault("off")
    until(lambda: not live.firing("EgressCause", "EgressTargetUnreachable"), "it resolves")


def test_promtool_accepts_the_metrics_page(live: LiveSetup) -> None:
    """`promtool check metrics` has no complaint about the running daemon's page."""
    until(lambda: "egressd_sweep_last_completed_timestamp_seconds 1" in live.scrape(), "a sweep")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=live.scrape(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
