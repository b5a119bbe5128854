"""An hour with real programs: a lab, egressd in each mode, Prometheus and two Alertmanagers, compressed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.alertmanager.compression import shipped
from tests.alertmanager.pages import Told, told
from tests.alertmanager.peers import PORT, Peer, WebhookListener, two_peers, until
from tests.pausing_loop import with_long_timeouts
from tests.ports import free_port

DAEMON = Path(__file__).with_name("compressed_daemon.py")
MINUTE = 60.0


class Gate:
    """A port that leads to another one while it is open; closed, it refuses connections."""

    def __init__(self, target: int) -> None:
        self.port, self._target = free_port(), target
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self) -> None:
        """Refuse."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._target)) as server:
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, kw_only=True)
class Mode:
    """Who can speak for a daemon."""

    receiver: bool
    """Whether it is given a receiver at first."""
    scraped: bool
    """Whether Prometheus scrapes it."""
    heard: bool = True
    """Whether its receiver leads to the Alertmanagers, or to closed ports."""


@dataclass(kw_only=True)
class Site:
    """One daemon."""

    name: str
    folder: Path
    divisor: float
    settings: dict[str, Any]
    """Its configuration, without receivers."""
    peers: tuple[str, ...] = ()
    """The Alertmanagers that its receiver has; empty: it has no receiver."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def instance(self) -> str:
        """What it is called."""
        return f"127.0.0.1:{self.port}"

    def configure(self, peers: tuple[str, ...]) -> None:
        """Write the configuration, with these peers."""
        self.peers = peers
        receivers = [{"name": "am", "type": "alertmanager", "urls": list(peers)}] if peers else []
        document = {
            **self.settings,
            "alerts": {"instance": self.instance},
            "notify": {"receivers": receivers},
        }
        fresh = self.folder / f"{self.name}.new"
        fresh.write_text(yaml.safe_dump(document), encoding="utf-8")
        fresh.replace(self.folder / f"{self.name}.yml")

    def start(self) -> None:
        """Start it."""
        command = [sys.executable, str(DAEMON), str(self.divisor)]
        command += ["--config.file", str(self.folder / f"{self.name}.yml")]
        command += ["--web.listen-address", self.instance]
        surroundings = {**os.environ, "STATE_DIRECTORY": str(self.folder / f"{self.name}-state")}
        surroundings["PYTHONPATH"] = str(Path(__file__).parents[2])
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=surroundings)

    def reload(self, peers: tuple[str, ...]) -> None:
        """Have it read a configuration with other peers."""
        self.configure(peers)
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """Kill it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart_after_kill(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def has_swept(self) -> bool:
        """Return whether it has completed a sweep."""
        with suppress(OSError), urllib.request.urlopen(f"http://{self.instance}/metrics", timeout=20) as page:
            return b"\negressd_sweep_last_completed_timestamp_seconds 1" in page.read()
        return False


@dataclass(kw_only=True)
class Hour:
    """The running programs."""

    divisor: float
    lab: subprocess.Popen[str]
    gate: Gate
    peers: tuple[Peer, Peer]
    webhook: WebhookListener
    sites: dict[str, Site]
    began: float = 0.0

    @property
    def urls(self) -> tuple[str, ...]:
        """The peers, as a receiver has them."""
        return tuple(one.url for one in self.peers)

    def now(self) -> float:
        """Return the minutes that have passed."""
        return (time.monotonic() - self.began) * self.divisor / MINUTE

    def wait_until(self, minute: float) -> None:
        """Wait."""
        time.sleep(max(0.0, (minute - self.now()) * MINUTE / self.divisor))

    def faults(self, command: str) -> None:
        """Switch faults of the lab."""
        assert self.lab.stdin is not None
        self.lab.stdin.write(f"{command}\n")
        self.lab.stdin.flush()

    def told(self, site: str) -> list[Told]:
        """Return what was told about a site, in minutes."""
        messages = [
            {**one, "at": (one["at"] - self.began) * self.divisor / MINUTE}
            for one in list(self.webhook.notifications)
        ]
        return list(told(messages, self.sites[site].instance))


@contextmanager
def open_lab(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the lab; its configuration is `lab.yml`."""
    command = [sys.executable, "-m", "egressd", "lab", "--config.write", str(folder / "lab.yml")]
    with (folder / "lab.log").open("w") as log:
        lab = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)
    try:
        until((folder / "lab.yml").exists, (folder / "lab.log").read_text)
        yield lab
    finally:
        lab.kill()
        lab.communicate()


def site_settings(folder: Path, hosts: tuple[str, ...], divisor: float) -> tuple[dict[str, Any], Gate]:
    """Return a configuration that sweeps hosts of the lab every other minute, the first through a gate."""
    document = yaml.safe_load(with_long_timeouts((folder / "lab.yml").read_text(encoding="utf-8")))
    (port,) = [one["port"] for one in document["connect_to"] if one["match"] == "*:443"]
    gate = Gate(port)
    gate.open()
    rows = [{"id": f"own-{host}", "host": host, "port": 443, "protocol": "https"} for host in hosts]
    document["connect_to"].insert(0, {"match": f"{hosts[0]}:443", "address": "127.0.0.1", "port": gate.port})
    document |= {"profiles": [], "interval": f"{round(120_000 / divisor)}ms", "endpoints": rows}
    document |= {"overrides": [], "values": {}}
    return document, gate


def write_prometheus(folder: Path, divisor: float, scraped: list[str], peers: tuple[str, ...]) -> None:
    """Write the shipped configuration and rules, shorter."""
    for name in ("egressd-recording.yml", "egressd-alerts.yml"):
        (folder / name).write_text(shipped(f"prometheus/{name}", divisor), encoding="utf-8")
    document = yaml.safe_load(shipped("prometheus/prometheus.yml", divisor))
    document["global"] = {"evaluation_interval": f"{round(60_000 / divisor)}ms"}
    (job,) = document["scrape_configs"]
    job["scrape_timeout"] = job["scrape_interval"]
    job["static_configs"] = [{"targets": scraped}]
    document["alerting"]["alertmanagers"] = [
        {"static_configs": [{"targets": [one.removeprefix("http://") for one in peers]}]}
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(document), encoding="utf-8")


@contextmanager
def run_prometheus(folder: Path, divisor: float) -> Iterator[None]:
    """Run Prometheus."""
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=warn"]
    command += [f"--web.listen-address=127.0.0.1:{free_port()}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--rules.alert.resend-delay={round(60_000 / divisor)}ms"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_hour(
    folder: Path, hosts: tuple[str, ...], divisor: float, modes: Mapping[str, Mode]
) -> Iterator[Hour]:
    """Run everything, with a site for each mode."""
    config = shipped("alertmanager/alertmanager.yml", divisor).replace("9095", PORT)
    wait = f"--cluster.peer-timeout={round(15_000 / divisor)}ms"
    flags = (wait, "--cluster.gossip-interval=50ms", "--cluster.settle-timeout=1s")
    with ExitStack() as stack:
        lab = stack.enter_context(open_lab(folder))
        first, second, webhook = stack.enter_context(two_peers(folder, config, flags))
        urls = (first.url, second.url)
        settings, gate = site_settings(folder, hosts, divisor)
        stack.callback(gate.close)
        nobody = tuple(f"http://127.0.0.1:{free_port()}" for _ in urls)
        sites = {name: Site(name=name, folder=folder, divisor=divisor, settings=settings) for name in modes}
        for name, mode in modes.items():
            sites[name].configure((urls if mode.heard else nobody) if mode.receiver else ())
            sites[name].start()
            stack.callback(sites[name].kill)
        scraped = [sites[name].instance for name, mode in modes.items() if mode.scraped]
        write_prometheus(folder, divisor, scraped, urls)
        for one in sites.values():
            until(one.has_swept, (folder / f"{one.name}.log").read_text)
        stack.enter_context(run_prometheus(folder, divisor))
        hour = Hour(divisor=divisor, lab=lab, gate=gate, peers=(first, second), webhook=webhook, sites=sites)
        hour.began = time.monotonic()
        yield hour
