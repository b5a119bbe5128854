"""A webhook on loopback that can be absent, busy or silent, and records what it receives."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.ports import free_port


@dataclass
class WebhookServer:
    """One port. Nothing listens before `open` and after `close`."""

    port: int = 0
    status: int = 200
    hangs: bool = False
    received: list[dict[str, Any]] = field(default_factory=list)
    """The bodies that were answered with 200."""
    calls: int = 0
    beats: int = 0
    _server: ThreadingHTTPServer | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.port = free_port()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The URL."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def statuses(self) -> list[tuple[str, str]]:
        """Host and status (firing or resolved) of each received alert, in order."""
        return [(one["alerts"][0]["labels"].get("host", "?"), one["status"]) for one in self.received]

    def open(self) -> None:
        """Start to listen."""
        webhook = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhook.calls += 1
                if webhook.hangs:
                    webhook._over.wait(30)
                    return
                if webhook.status == 200:
                    webhook.received.append(json.loads(body))
                self.send_response(webhook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                webhook.beats += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Answer)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
