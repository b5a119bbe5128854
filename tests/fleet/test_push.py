"""A real agent pushes egressd's metrics to a real centre, over a link that is cut while a fault begins.

Both run with the shipped files and flags; only addresses, intervals and the rules' `for` are the test's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import bcrypt
import pytest
import yaml

from tests.fleet.files import AGENT, CENTRAL, PASSWORD, flags, install
from tests.fleet.link import Link
from tests.fleet.prometheus import Prometheus
from tests.lab_process import lab_process
from tests.pausing_loop import with_long_timeouts
from tests.ports import free_port
from tests.waiting import until

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package)"
    ),
]
HOSTS = ("mcr.microsoft.com", "management.azure.com")
SITE, INSTANCE = "oslo-1", "arc1.oslo.corp.example"
BLOCK = 10
"""Seconds of a block at the centre: without a window for late samples, half of it is the oldest it takes."""
LONGEST_GAP = 6.0
"""Seconds between two samples, where one is due each second: a machine may be suspended for two."""


@dataclass(kw_only=True)
class Fleet:
    """One site that pushes, and the centre."""

    lab: subprocess.Popen[str]
    link: Link
    centre: Prometheus
    times: dict[str, float] = field(default_factory=dict)

    def fault(self, command: str) -> None:
        """Send the lab a command, which switches a fault."""
        assert self.lab.stdin is not None
        self.lab.stdin.write(f"{command}\n")
        self.lab.stdin.flush()


def write_site(folder: Path, daemon: str, link: Link) -> None:
    """Write the configurations of egressd and of the agent."""
    file = yaml.safe_load(with_long_timeouts((folder / "lab.yml").read_text(encoding="utf-8")))
    rows = [{"id": host, "host": host, "port": 443, "protocol": "https"} for host in HOSTS]
    file |= {"profiles": [], "interval": "1s", "endpoints": rows, "overrides": [], "values": {}}
    file |= {"site": SITE, "alerts": {"instance": INSTANCE}, "web": {"listen": daemon}}
    (folder / "egressd.yml").write_text(yaml.safe_dump(file), encoding="utf-8")
    agent = yaml.safe_load((folder / f"{AGENT}.yml").read_text(encoding="utf-8"))
    agent["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    agent["scrape_configs"][0]["static_configs"][0]["targets"] = [daemon]
    (remote,) = agent["remote_write"]
    remote["url"] = f"https://127.0.0.1:{link.port}/api/v1/write"
    remote["queue_config"] |= {"max_backoff": "1s"}
    (folder / f"{AGENT}.yml").write_text(yaml.safe_dump(agent), encoding="utf-8")


def write_centre(folder: Path, address: str) -> None:
    """Write the configuration of the centre, which scrapes itself, so that it has fresh samples meanwhile."""
    centre = yaml.safe_load((folder / f"{CENTRAL}.yml").read_text(encoding="utf-8"))
    centre["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    del centre["alerting"]
    (folder / f"{CENTRAL}.yml").write_text(yaml.safe_dump(centre), encoding="utf-8")
    sites = [{"targets": [address], "labels": {"site": "centre", "instance": "centre"}}]
    (folder / "sites.yml").write_text(yaml.safe_dump(sites), encoding="utf-8")
    web = yaml.safe_load((folder / "web-central.yml").read_text(encoding="utf-8"))
    login = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    web["basic_auth_users"] = dict.fromkeys([*web["basic_auth_users"], "prometheus"], login)
    (folder / "web-central.yml").write_text(yaml.safe_dump(web), encoding="utf-8")
    for path in folder.glob("egressd-*.yml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(for: )\d+[mh]", r"\g<1>2s", text), encoding="utf-8")


def command_line(name: str, folder: Path, address: str) -> list[str]:
    """Return how the drop-in starts Prometheus, with paths of a folder and another address."""
    words = [re.sub(r"=/(etc|var/lib)/prometheus/", f"={folder}/", one) for one in flags(name)]
    words = [one for one in words if not one.startswith("--web.listen-address")]
    return ["prometheus", *words, f"--web.listen-address={address}", "--log.level=warn"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Run lab, egressd, agent and centre."""
    folder = tmp_path_factory.mktemp("fleet")
    install(folder)
    daemon, centre = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    link = Link(int(centre.rpartition(":")[2]))
    with ExitStack() as stack:
        lab = stack.enter_context(lab_process(folder / "lab.yml"))
        write_site(folder, daemon, link)
        write_centre(folder, centre)
        blocks = [f"--storage.tsdb.{bound}-block-duration={BLOCK}s" for bound in ("min", "max")]
        commands = {
            "egressd": [sys.executable, "-m", "egressd", "--config.file", str(folder / "egressd.yml")],
            AGENT: command_line(AGENT, folder, f"127.0.0.1:{free_port()}"),
            CENTRAL: [*command_line(CENTRAL, folder, centre), *blocks],
        }
        for name, command in commands.items():
            stream = stack.enter_context((folder / f"{name}.log").open("w"))
            process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.kill)
        link.restore()
        stack.callback(link.cut)
        api = Prometheus(f"https://{centre}", ("people", PASSWORD), ca=folder / "fleet-ca.pem")
        yield Fleet(lab=lab, link=link, centre=api)


@pytest.fixture(scope="module")
def outage(fleet: Fleet) -> Fleet:
    """Cut the link, begin a fault, wait until the centre is far ahead, and restore the link."""
    every = f'egressd_target_up{{site="{SITE}"}} == 1'
    until(lambda: len(fleet.centre.query(every)) == len(HOSTS), "every target is up at the centre")
    fleet.link.cut()
    fleet.times["cut"] = time.time()
    fleet.fault(f"on tls_reset={HOSTS[0]}")
    fleet.times["fault"] = time.time()
    ahead = f'timestamp(up{{site="centre"}}) > {fleet.times["fault"] + 3 * BLOCK}'
    until(lambda: fleet.centre.query(ahead), "the centre has gone on")
    fleet.times["last"] = fleet.centre.value(f'timestamp(up{{site="{SITE}"}})')
    fleet.times["restored"] = time.time()
    fleet.link.restore()
    return fleet


def test_the_link_was_cut(outage: Fleet) -> None:
    """While the link was down the centre got nothing of the site."""
    assert outage.times["last"] < outage.times["cut"] + 1


def test_the_gap_is_filled(outage: Fleet) -> None:
    """When the link returns, the samples of the outage arrive: no hole, in any series."""
    now = f'timestamp(up{{site="{SITE}"}}) > {outage.times["restored"]}'
    until(lambda: outage.centre.query(now), "the site is up to date")
    series = ("up{", "egressd_site_info{", f'egressd_target_up{{target=~".*{HOSTS[1]}.*", ')
    for one in series:
        (found,) = outage.centre.query(f'{one}site="{SITE}"}}[10m]')
        moments = [float(at) for at, _ in found["values"]]
        assert moments[0] < outage.times["cut"]
        gaps = [after - before for before, after in pairwise(moments)]
        assert max(gaps) < LONGEST_GAP, (one, moments)


def test_the_fault_of_the_outage_is_told_with_its_onset(outage: Fleet) -> None:
    """The alert on what began while the link was down fires, and its series says when it began."""
    expected = {
        "job": "egressd",
        "instance": INSTANCE,
        "host": HOSTS[0],
        "reason": "tls_reset_after_hello",
    }
    alerts = until(lambda: outage.centre.firing("EgressTargetUnreachable"), "the alert")
    assert [expected.items() <= one["labels"].items() for one in alerts] == [True]
    began = outage.centre.value(f'egressd_target_failing_since_timestamp_seconds{{target=~".*{HOSTS[0]}.*"}}')
    assert outage.times["fault"] - 0.1 <= began < outage.times["restored"]


def test_only_the_fleets_series_arrive(outage: Fleet) -> None:
    """The centre has what is kept, with the labels of the site, and nothing else of it."""
    names = {one["metric"]["__name__"] for one in outage.centre.query(f'{{site="{SITE}"}}')}
    recorded = {name for name in names if ":" in name}
    assert "egressd_target_info" in names
    assert "egressd_phase_latency_seconds_bucket" not in names
    assert {name for name in names - recorded if not name.startswith(("egressd_", "ALERTS"))} == {"up"}
    (info,) = outage.centre.query("egressd_site_info")
    assert (info["metric"]["site"], info["metric"]["instance"]) == (SITE, INSTANCE)
