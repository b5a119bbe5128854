"""Fifty sites and one outage are one page: real programs, and the shipped files, compressed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alertmanager.compression import shipped
from tests.alertmanager.peers import PORT, PROGRAM, TIMEOUT, Peer, WebhookListener, two_peers, until
from tests.fleet.simulated_sites import (
    HOSTS,
    Labels,
    SimulatedFleet,
    SimulatedSite,
    alert_entry,
    post_alerts,
    sending,
    serve,
)
from tests.ports import free_port
from tests.prometheus.conftest import RULES

pytestmark = [
    pytest.mark.servers,
    pytest.mark.alone,
    pytest.mark.skipif(
        not (shutil.which(PROGRAM) and shutil.which("amtool") and shutil.which("prometheus")),
        reason="Debian's packages prometheus and prometheus-alertmanager are not installed",
    ),
]

DIVISOR = 20.0
SITES = 50
CANARY = "canary"
PER_SITE = {"EgressTargetUnreachable", "EgressCause"}
FLAGS = ("--cluster.peer-timeout=750ms", "--cluster.gossip-interval=50ms", "--cluster.settle-timeout=1s")


@dataclass(kw_only=True)
class Observed:
    """What was seen in the whole run."""

    outage_pages: list[Labels] = field(default_factory=list)
    outage_inhibited: list[Labels] = field(default_factory=list)
    outage_shown: list[Labels] = field(default_factory=list)
    late_pages: list[Labels] = field(default_factory=list)
    lone_pages: list[Labels] = field(default_factory=list)
    lone_inhibited: list[Labels] = field(default_factory=list)


@dataclass(kw_only=True)
class RunningFleet:
    """The running programs."""

    fleet: SimulatedFleet
    peers: tuple[Peer, Peer]
    webhook: WebhookListener
    prometheus: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the answer of Prometheus."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{self.prometheus}/api/v1/query?{query}", timeout=20) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found

    def says(self, expression: str) -> bool:
        """Return whether an expression has a result."""
        with suppress(OSError):
            return bool(self.ask(expression))
        return False

    def pages(self) -> list[Labels]:
        """Return each alert that paged somebody, once for each notification; not the canary."""
        return [
            alert["labels"]
            for message in list(self.webhook.notifications)
            if message["path"] == "/page" and message["status"] == "firing"
            for alert in message["alerts"]
            if alert["status"] == "firing" and alert["labels"]["alertname"] != CANARY
        ]

    def amtool(self, *words: str) -> list[Labels]:
        """Return the labels of what `amtool alert query` shows."""
        command = ["amtool", f"--alertmanager.url={self.peers[0].url}", "--output=json", "alert", "query"]
        surroundings = {**os.environ, "HOME": str(self.peers[0].folder)}
        ended = subprocess.run(
            [*command, *words], capture_output=True, check=True, timeout=TIMEOUT, env=surroundings
        )
        return [one["labels"] for one in json.loads(ended.stdout)]

    def inhibited(self) -> list[Labels]:
        """Return what is inhibited."""
        shown = [tuple(sorted(one.items())) for one in self.amtool()]
        return [one for one in self.amtool("--inhibited") if tuple(sorted(one.items())) not in shown]

    def telling(self) -> set[str]:
        """Return the hosts with an alert of their own, inhibited or not."""
        return about_hosts([*self.amtool(), *self.amtool("--inhibited")])

    def let_groups_pass(self, name: str) -> None:
        """Wait until whatever Alertmanager has by now has been notified: until a page that comes later is."""
        labels = {"alertname": CANARY, "site": name, "severity": "critical"}
        now = time.time()
        alert = alert_entry(labels, begins=now, ends=now + 2 * TIMEOUT)
        post_alerts([one.url for one in self.peers], [alert])
        until(lambda: any(one["labels"].get("site") == name for one in self._firing()), self.pages)
        post_alerts([one.url for one in self.peers], [alert_entry(labels, begins=now, ends=time.time())])

    def _firing(self) -> list[dict[str, Any]]:
        return self.webhook.alerts_with_status("firing")


def write_prometheus(folder: Path, fleet: SimulatedFleet, peers: tuple[Peer, ...]) -> None:
    """Write the centre's configuration and the rules as they are shipped, faster and without TLS."""
    for path in RULES:
        (folder / path.name).write_text(shipped(f"prometheus/{path.name}", DIVISOR), encoding="utf-8")
    document = yaml.safe_load(shipped("fleet/prometheus-central.yml", DIVISOR))
    document["global"] |= {
        "evaluation_interval": "3s",
        "scrape_timeout": document["global"]["scrape_interval"],
    }
    (job,) = document["scrape_configs"]
    for name in ("scheme", "tls_config", "basic_auth", "file_sd_configs"):
        del job[name]
    job["static_configs"] = fleet.scrape_targets()
    urls = [one.url.removeprefix("http://") for one in peers]
    document["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": urls}]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(document), encoding="utf-8")


@contextmanager
def run_prometheus(folder: Path) -> Iterator[str]:
    """Run Prometheus; yield its address."""
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=warn"]
    command += [f"--web.listen-address={address}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--rules.alert.resend-delay={round(60_000 / DIVISOR)}ms"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield address
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_fleet(folder: Path) -> Iterator[RunningFleet]:
    """Run fifty sites, half of which send their alerts themselves, Prometheus, and two Alertmanagers."""
    sites = (
        SimulatedSite(
            name=f"site-{number}", number=number, sends=number % 2 == 0, finds=number % 10 in (0, 1)
        )
        for number in range(SITES)
    )
    fleet = SimulatedFleet(sites=tuple(sites))
    config = shipped("fleet/alertmanager.yml", DIVISOR).replace("9095", PORT)
    with ExitStack() as stack:
        first, second, webhook = stack.enter_context(two_peers(folder, config, FLAGS))
        stack.enter_context(serve(fleet))
        stack.enter_context(sending(fleet, (first.url, second.url)))
        write_prometheus(folder, fleet, (first, second))
        address = stack.enter_context(run_prometheus(folder))
        yield RunningFleet(fleet=fleet, peers=(first, second), webhook=webhook, prometheus=address)


def about_hosts(found: list[Labels]) -> set[str]:
    """Return the hosts that have an alert of their own."""
    return {one["instance"] for one in found if one["alertname"] in PER_SITE}


def see_outage(run: RunningFleet, observed: Observed) -> None:
    """Have a service fail for all sites, and come back."""
    every = [one.name for one in run.fleet.sites]
    fault = run.fleet.break_host(HOSTS[0], every, "tls_reset_after_hello")
    until(lambda: len(run.telling()) == SITES, run.telling)
    run.let_groups_pass("during the outage")
    observed.outage_pages = run.pages()
    observed.outage_inhibited, observed.outage_shown = run.inhibited(), run.amtool()
    fault.end = time.time()
    until(lambda: not run.telling(), run.telling)
    until(lambda: not run.says('ALERTS{alertname=~"EgressFleet.+|EgressS.+|EgressR.+"}'), run.amtool)
    run.let_groups_pass("after the outage")
    observed.late_pages = run.pages()[len(observed.outage_pages) :]


def see_lone_sites(run: RunningFleet, observed: Observed) -> None:
    """Have two sites fail something on their own: one tells it itself, for the other the rules do."""
    before = len(run.pages())
    run.fleet.break_host(HOSTS[1], ["site-2"], "tls_sni_reset")
    run.fleet.break_host(HOSTS[2], ["site-3"], "tcp_port_blocked")
    until(lambda: len([one for one in run.inhibited() if "Differs" in one["alertname"]]) == 2, run.inhibited)
    run.let_groups_pass("lone sites")
    observed.lone_pages, observed.lone_inhibited = run.pages()[before:], run.inhibited()


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Observed:
    """Run the whole, and return what was seen."""
    seen = Observed()
    with running_fleet(tmp_path_factory.mktemp("fleet")) as run:
        worked = f"count(egressd_target_up offset 10s == 1) == {SITES * len(HOSTS)}"
        until(lambda: run.says(worked), lambda: run.ask("up"))
        see_outage(run, seen)
        see_lone_sites(run, seen)
    return seen


def test_an_outage_of_fifty_sites_is_one_page(observed: Observed) -> None:
    """On-call is told once, that the service is down."""
    (page,) = observed.outage_pages
    expected = {"alertname": "EgressServiceDown", "host": HOSTS[0], "reason": "tls_reset_after_hello"}
    assert expected.items() <= page.items()


def test_amtool_shows_what_each_site_says_as_inhibited(observed: Observed) -> None:
    """All fifty sites have their alerts, of egressd or of the rules, target or finding; all are inhibited."""
    assert len(about_hosts(observed.outage_inhibited)) == SITES
    assert about_hosts(observed.outage_shown) == set()
    kinds = {(one["alertname"], one.get("sent_by", "")) for one in observed.outage_inhibited}
    assert kinds == {(name, by) for name in PER_SITE for by in ("", "egressd")}


def test_nothing_is_told_late(observed: Observed) -> None:
    """When the outage is over and nothing is inhibited any more, nobody is paged."""
    assert observed.late_pages == []


def test_a_lone_site_is_one_page(observed: Observed) -> None:
    """Each of two sites that fail something on their own pages once, by its own alert, with its evidence."""
    told = sorted((one["alertname"], one["site"], one["host"]) for one in observed.lone_pages)
    assert told == [
        ("EgressTargetUnreachable", "site-2", HOSTS[1]),
        ("EgressTargetUnreachable", "site-3", HOSTS[2]),
    ]
    differing = {one["site"] for one in observed.lone_inhibited if one["alertname"] == "EgressSiteDiffers"}
    assert differing == {"site-2", "site-3"}
