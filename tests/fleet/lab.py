"""Five sites with egressd, of which two push by an agent, and a centre with Prometheus and two Alertmanagers.

Everything runs with the shipped files, and time is compressed: each duration in them, and the interval of
egressd, is divided by DIVISOR, and so are the numbers of seconds that stand in rules.
"""

from __future__ import annotations

import json
import re
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.alertmanager.compression import divided, shipped
from tests.fleet.files import AGENT, CENTRAL, flags
from tests.fleet.network import BEHIND_NAT, CENTRE, RESOLVER, SITES, FleetNetwork, fleet_network
from tests.fleet.prometheus import Prometheus
from tests.fleet.within import within
from tests.net.programs import http_server, https_server, nginx, unbound
from tests.net.topology import PUBLIC_NETWORKS, Host
from tests.prometheus.conftest import RULES
from tests.servers.certificates import ZONE, write_certificates

DIVISOR = 20
INTERVAL = 60 / DIVISOR
"""Seconds between two sweeps, and between two evaluations of the recording rules."""
NUMBERS = {"<= 300": 2, "> 300": 1, "+ 60\n": 1}
"""Numbers of seconds in the rules that compression has to divide, and how often each stands there."""
ADDRESSES = {f"app-{number}": f"203.0.113.{10 + number}" for number in range(11)}
SERVICE, SERVICE_ADDRESS, SERVICE_PORT = "orders", "203.0.113.30", 8443
CLOSED, ROLLED_OUT = "app-1", "app-2"
"""What one site's firewall closes, and what a rule closes at one site after another."""


def compressed_rules(text: str) -> str:
    """Return a rule file, its durations divided already, with the numbers of seconds in it divided."""
    for number in NUMBERS:
        seconds = int(re.sub(r"\D", "", number))
        text = text.replace(number, number.replace(str(seconds), str(seconds / DIVISOR)))
    return text


def instance(site: str) -> str:
    """Return what a site's host is called."""
    return f"arc1.{site}.corp.example"


@dataclass(kw_only=True)
class Lab:
    """The running fleet."""

    network: FleetNetwork
    service: Any = None
    """The process of the service that will go down."""
    notifications: Path = field(init=False)

    def __post_init__(self) -> None:
        self.notifications = self.network.folder / "notifications.jsonl"

    def serve(self) -> None:
        """Start the servers that the sites need, and a resolver."""
        certificates, cloud = self.network.folder / "certificates", self.network.cloud
        certificates.mkdir()
        write_certificates(certificates)
        hosts = {**ADDRESSES, SERVICE: SERVICE_ADDRESS, "pki": SERVICE_ADDRESS}
        records = [f"{name}.{ZONE}. 60 IN A {address}" for name, address in hosts.items()]
        unbound(cloud, records=records, at=RESOLVER)
        issuer = f"location = /issuer.cer {{ root {certificates}; }}"
        nginx(cloud, https_server(folder=certificates), http_server(options=issuer))
        self.start_service()

    def start_service(self) -> None:
        """Start the service that goes down for all."""
        server = https_server(
            listen=f"{SERVICE_ADDRESS}:{SERVICE_PORT}", folder=self.network.folder / "certificates"
        )
        nginx(self.network.cloud, server, tcp=(SERVICE_PORT,))
        self.service = self.network.cloud.started[-1]

    def stop_service(self) -> None:
        """End it: its port refuses connections."""
        self.service.terminate()
        self.service.wait()

    def start_site(self, name: str) -> None:
        """Start a site's egressd, and its agent where nobody can scrape it."""
        host = self.network.sites[name]
        (host.folder / "egressd.yml").write_text(yaml.safe_dump(self._settings(name)), encoding="utf-8")
        command = (sys.executable, "-m", "egressd", "--config.file", str(host.folder / "egressd.yml"))
        host.start(*command, tcp=(10980,))
        if name in BEHIND_NAT:
            self._start_agent(name, host)

    def stop_site(self, name: str) -> None:
        """End everything at a site, as a power cut does."""
        host = self.network.sites[name]
        for process in host.started:
            process.kill()
            process.wait()
        host.started.clear()

    def _settings(self, name: str) -> dict[str, Any]:
        public = str(self.network.folder / "certificates" / "public.pem")
        ports = dict.fromkeys(ADDRESSES, 443) | {SERVICE: SERVICE_PORT}
        return {
            "site": name,
            "profiles": [],
            "interval": f"{round(INTERVAL * 1000)}ms",
            "resolvers": [RESOLVER],
            "trust": {"store": public, "public_roots": public, "public_networks": list(PUBLIC_NETWORKS)},
            "endpoints": [
                {"id": label, "host": f"{label}.{ZONE}", "port": port, "protocol": "https"}
                for label, port in ports.items()
            ],
            "probe": {"families": ["ipv4"], "connect_timeout": "8s"},
            "alerts": {"instance": instance(name)},
            "web": {"listen": "127.0.0.1:10980" if name in BEHIND_NAT else "0.0.0.0:10980"},
            "state": {"directory": str(self.network.sites[name].folder / "state")},
        }

    def _start_agent(self, name: str, host: Host) -> None:
        file = yaml.safe_load(shipped(f"fleet/{AGENT}.yml", DIVISOR))
        file["global"]["scrape_timeout"] = file["global"]["scrape_interval"]
        (group,) = file["scrape_configs"][0]["static_configs"]
        group["labels"] = {"site": name, "instance": instance(name)}
        (remote,) = file["remote_write"]
        for key in ("tls_config", "basic_auth"):
            del remote[key]
        remote["url"] = f"http://{CENTRE}:9090/api/v1/write"
        remote["queue_config"] |= {"batch_send_deadline": divided("5", "s", DIVISOR), "max_backoff": "1s"}
        host.start(*self._prometheus(AGENT, file, host), tcp=(9090,))

    def _prometheus(self, name: str, file: dict[str, Any], host: Host, *more: str) -> list[str]:
        (host.folder / f"{name}.yml").write_text(yaml.safe_dump(file), encoding="utf-8")
        words = [re.sub(r"=/(etc|var/lib)/prometheus/", f"={host.folder}/", one) for one in flags(name)]
        return ["prometheus", *(one for one in words if "--web.config.file" not in one), *more]

    def start_centre(self) -> None:
        """Start the recorder of notifications, two Alertmanagers and Prometheus."""
        host = self.network.centre
        recorder = Path(__file__).with_name("webhook_recorder.py")
        host.start(sys.executable, str(recorder), str(self.notifications), tcp=(9095,))
        (host.folder / "alertmanager.yml").write_text(shipped("fleet/alertmanager.yml", DIVISOR))
        for number in (0, 1):
            self._start_alertmanager(host, number)
        file = yaml.safe_load(shipped(f"fleet/{CENTRAL}.yml", DIVISOR))
        file["global"] |= {
            "scrape_timeout": file["global"]["scrape_interval"],
            "evaluation_interval": f"{round(INTERVAL * 1000)}ms",
        }
        (job,) = file["scrape_configs"]
        for key in ("scheme", "tls_config", "basic_auth"):
            del job[key]
        file["alerting"]["alertmanagers"] = [
            {"static_configs": [{"targets": ["127.0.0.1:9093", "127.0.0.1:9193"]}]}
        ]
        sites = [
            {
                "targets": [f"{self.network.address(name)}:10980"],
                "labels": {"site": name, "instance": instance(name)},
            }
            for name in SITES
            if name not in BEHIND_NAT
        ]
        (host.folder / "sites.yml").write_text(yaml.safe_dump(sites), encoding="utf-8")
        for path in RULES:
            text = compressed_rules(shipped(f"prometheus/{path.name}", DIVISOR))
            (host.folder / path.name).write_text(text, encoding="utf-8")
        shorter = [
            f"--query.lookback-delta={divided('5', 'm', DIVISOR)}",
            f"--rules.alert.resend-delay={divided('1', 'm', DIVISOR)}",
        ]
        host.start(*self._prometheus(CENTRAL, file, host, *shorter), tcp=(9090,))

    def _start_alertmanager(self, host: Host, number: int) -> None:
        port = 9093 + 100 * number
        words = [
            f"--config.file={host.folder / 'alertmanager.yml'}",
            f"--storage.path={host.folder / f'alertmanager-{number}'}",
            f"--web.listen-address=127.0.0.1:{port}",
            f"--cluster.listen-address=127.0.0.1:{port + 1}",
            f"--cluster.peer=127.0.0.1:{9194 - 100 * number}",
            f"--cluster.peer-timeout={round(15_000 / DIVISOR)}ms",
            "--cluster.gossip-interval=50ms",
            "--cluster.settle-timeout=1s",
        ]
        host.start("prometheus-alertmanager", *words, tcp=(port,))

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of a query at the centre."""
        return within(self.network.centre, lambda: Prometheus("http://127.0.0.1:9090").query(expression))

    def report(self, site: str) -> str:
        """Return a site's last sweep, as its daemon serves it."""

        def fetch() -> str:
            with urllib.request.urlopen("http://127.0.0.1:10980/api/v1/sweep", timeout=60) as answer:
                text: str = answer.read().decode()
                return text

        return within(self.network.sites[site], fetch)

    def notified(self) -> list[dict[str, Any]]:
        """Return the notifications so far."""
        if not self.notifications.exists():
            return []
        return [json.loads(line) for line in self.notifications.read_text(encoding="utf-8").splitlines()]


@contextmanager
def running_lab() -> Iterator[Lab]:
    """Run everything."""
    with fleet_network() as network:
        lab = Lab(network=network)
        lab.serve()
        lab.start_centre()
        for name in SITES:
            lab.start_site(name)
        yield lab
