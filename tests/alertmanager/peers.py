"""Two real Alertmanagers in a cluster, and a webhook that they notify."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.ports import free_port

PROGRAM = "prometheus-alertmanager"
CONFIG = """
route:
  receiver: hook
  group_by: [alertname, instance]
  group_wait: 1s
  group_interval: 15s
  repeat_interval: 4h
receivers:
  - name: hook
    webhook_configs: [{url: "http://127.0.0.1:PORT/", send_resolved: true, max_alerts: 0}]
"""
"""The second peer's wait must be far below `group_interval`, or it may repeat an outdated notification."""
PORT = "PORT"
"""In a configuration, the port of the webhook."""
FLAGS = ("--cluster.peer-timeout=5s", "--cluster.settle-timeout=2s")
TIMEOUT = 120.0
"""Seconds until a wait fails."""


def until(true: Callable[[], bool], what: Callable[[], object]) -> None:
    """Wait until `true` returns True; on timeout, fail with the result of `what`."""
    end = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


@dataclass(kw_only=True)
class Peer:
    """One Alertmanager of the cluster."""

    folder: Path
    port: int
    cluster: int
    other: int
    config: str
    flags: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process."""
        self.folder.mkdir(exist_ok=True)
        config = self.folder / "alertmanager.yml"
        config.write_text(self.config, encoding="utf-8")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={config}",
                    f"--storage.path={self.folder}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    f"--cluster.listen-address=127.0.0.1:{self.cluster}",
                    f"--cluster.peer=127.0.0.1:{self.other}",
                    *self.flags,
                ],
                stdout=log,
                stderr=log,
            )

    def settle(self) -> None:
        """Wait until it is ready."""
        until(self._is_ready, lambda: (self.folder / "log").read_text(encoding="utf-8")[-2000:])

    def kill(self) -> None:
        """Kill the process."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def alerts(self) -> list[dict[str, Any]]:
        """Return what amtool shows: the alerts that are active."""
        ended = subprocess.run(
            ["amtool", f"--alertmanager.url={self.url}", "--output=json", "alert", "query"],
            capture_output=True,
            check=True,
            timeout=TIMEOUT,
            env={**os.environ, "HOME": str(self.folder)},
        )
        found: list[dict[str, Any]] = json.loads(ended.stdout)
        return found

    def _is_ready(self) -> bool:
        """Return whether it has found its peer: before, it would notify as if it were alone."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/api/v2/status", timeout=20) as answer:
            cluster = json.load(answer)["cluster"]
            return bool(cluster["status"] == "ready" and len(cluster["peers"]) == 2)
        return False


@dataclass(kw_only=True)
class WebhookListener:
    """A webhook receiver that keeps every notification, in order of arrival, with its time and path."""

    port: int
    notifications: list[dict[str, Any]] = field(default_factory=list)

    def alerts_with_status(self, status: str) -> list[dict[str, Any]]:
        """Return the alerts of all notifications with a status, in order of arrival."""
        return [
            one
            for message in list(self.notifications)
            for one in message["alerts"]
            if one["status"] == status
        ]


@contextmanager
def webhook() -> Iterator[WebhookListener]:
    """Listen for notifications."""
    notifications: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            notifications.append({**document, "at": time.monotonic(), "path": self.path})
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield WebhookListener(port=server.server_address[1], notifications=notifications)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def two_peers(
    folder: Path, config: str = CONFIG, flags: tuple[str, ...] = FLAGS
) -> Iterator[tuple[Peer, Peer, WebhookListener]]:
    """Run a cluster of two Alertmanagers and a webhook, whose port is put into the configuration."""
    clusters = (free_port(), free_port())
    with webhook() as listener:
        peers = [
            Peer(
                folder=folder / f"peer-{number}",
                port=free_port(),
                cluster=clusters[number],
                other=clusters[1 - number],
                config=config.replace(PORT, str(listener.port)),
                flags=flags,
            )
            for number in range(2)
        ]
        try:
            for one in peers:
                one.start()
            for one in peers:
                one.settle()
            yield peers[0], peers[1], listener
        finally:
            for one in peers:
                one.kill()
