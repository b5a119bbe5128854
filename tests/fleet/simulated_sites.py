"""Sites without networks: what each exposes to Prometheus, and the alerts that its egressd sends."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INTERVAL = 2.0
"""Seconds between sweeps. Each site has its own moment within."""
HOSTS = ("a.example", "b.example", "c.example")
FINDING = "dns_nxdomain/a.example"
Labels = dict[str, str]


@dataclass(kw_only=True)
class Fault:
    """A host that some sites don't reach for a while."""

    host: str
    sites: Sequence[str]
    reason: str
    begin: float
    end: float = float("inf")


@dataclass(kw_only=True)
class SimulatedSite:
    """One site with one host, which sweeps, exposes, and sends alerts or leaves that to the rules."""

    name: str
    number: int
    sends: bool
    """Whether its egressd sends its alerts to Alertmanager itself."""
    finds: bool
    """Whether it tells of a fault by a finding."""

    @property
    def instance(self) -> str:
        """Its host."""
        return f"arc.{self.name}.example"

    def last_sweep(self, now: float) -> float:
        """Return when it last completed a sweep."""
        phase = self.number * 0.37 % INTERVAL
        return (now - phase) // INTERVAL * INTERVAL + phase

    def failing(self, faults: Sequence[Fault], now: float) -> Iterator[tuple[Fault, float]]:
        """Yield what its last sweep found unreachable, and since when."""
        seen = self.last_sweep(now)
        for fault in faults:
            if self.name in fault.sites and fault.begin <= seen < fault.end:
                yield fault, self.last_sweep(fault.begin) + INTERVAL

    def page(self, faults: Sequence[Fault], now: float) -> str:
        """Return its metrics."""
        failing = {fault.host: (fault, since) for fault, since in self.failing(faults, now)}
        lines = [
            f'egressd_site_info{{site="{self.name}"}} 1',
            f"egressd_sweep_interval_seconds {INTERVAL}",
            f"egressd_sweep_last_completed_timestamp_seconds {self.last_sweep(now)}",
            f"egressd_alertmanager_receiver_configured {int(self.sends)}",
            "egressd_alertmanager_receiver_reached 1",
        ]
        for host in HOSTS:
            about = f'target="{host}"'
            lines.append(
                f'egressd_target_info{{{about},endpoint="{host}",service="S",host="{host}",port="443",'
                f'protocol="https",need="required",profiles="p"}} 1'
            )
            lines.append(f'egressd_target_up{{{about},source="s"}} {int(host not in failing)}')
            lines += [*self._failure(about, *failing[host])] if host in failing else ()
        return "\n".join((*lines, ""))

    def _failure(self, about: str, fault: Fault, since: float) -> Iterator[str]:
        why = f'reason="{fault.reason}",blame="firewall_l7"'
        yield f'egressd_target_outcome{{{about},source="s",egressd_target_outcome="blocked"}} 1'
        yield f'egressd_target_failure{{{about},source="s",phase="tls",{why}}} 1'
        yield f'egressd_target_failing_since_timestamp_seconds{{{about},source="s"}} {since}'
        if self.finds:
            yield f'egressd_finding_info{{finding="{FINDING}",{why}}} 1'
            yield f'egressd_finding_target{{{about},finding="{FINDING}",{why}}} 1'

    def alert(self, fault: Fault) -> Labels:
        """Return the labels of the alert that its egressd sends for a fault."""
        common = {"job": "egressd", "instance": self.instance, "site": self.name, "sent_by": "egressd"}
        common |= {"severity": "critical", "reason": fault.reason, "blame": "firewall_l7"}
        if self.finds:
            return {**common, "alertname": "EgressCause", "finding": FINDING}
        about = {"target": fault.host, "host": fault.host, "port": "443", "source": "s", "phase": "tls"}
        return {**common, **about, "alertname": "EgressTargetUnreachable", "need": "required", "service": "S"}


@dataclass(kw_only=True)
class SimulatedFleet:
    """All sites, and what is wrong with them."""

    sites: tuple[SimulatedSite, ...]
    port: int = 0
    faults: list[Fault] = field(default_factory=list)

    def break_host(self, host: str, sites: Sequence[str], reason: str) -> Fault:
        """Begin a fault now."""
        fault = Fault(host=host, sites=sites, reason=reason, begin=time.time())
        self.faults.append(fault)
        return fault

    def scrape_targets(self) -> list[dict[str, Any]]:
        """Return what Prometheus scrapes, with the labels that config/fleet gives."""
        return [
            {
                "targets": [f"127.0.0.1:{self.port}"],
                "labels": {"__metrics_path__": f"/{one.number}", "instance": one.instance, "site": one.name},
            }
            for one in self.sites
        ]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that the sites send: those that are open, and those that have ended."""
        now, found = time.time(), []
        for one in (site for site in self.sites if site.sends):
            open_ = [fault for fault, _ in one.failing(self.faults, now)]
            for fault in self.faults:
                if one.name in fault.sites and (fault in open_ or fault.end < now):
                    ends = now + 60 if fault in open_ else now
                    found.append(alert_entry(one.alert(fault), begins=fault.begin, ends=ends))
        return found


def alert_entry(labels: Labels, *, begins: float, ends: float) -> dict[str, Any]:
    """Return an alert as Alertmanager takes it; times are Unix seconds."""
    times = {name: datetime.fromtimestamp(at, UTC) for name, at in (("startsAt", begins), ("endsAt", ends))}
    texts = {name: at.isoformat() for name, at in times.items()}
    return {"labels": labels, "annotations": {"summary": "simulated"}, **texts}


def post_alerts(peers: Sequence[str], alerts: Sequence[dict[str, Any]]) -> None:
    """Send alerts to every Alertmanager."""
    body = json.dumps(alerts).encode()
    for peer in peers:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{peer}/api/v2/alerts", data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=20):
            pass


@contextmanager
def serve(fleet: SimulatedFleet) -> Iterator[None]:
    """Serve the metrics of all sites, each under its number."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = fleet.sites[int(self.path[1:])].page(fleet.faults, time.time()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fleet.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def sending(fleet: SimulatedFleet, peers: Sequence[str]) -> Iterator[None]:
    """Send what the sites send, until the end."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.5):
            with suppress(OSError):
                post_alerts(peers, fleet.alerts())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
