"""A program: a webhook on 127.0.0.1:9095, where the shipped Alertmanager configuration sends to.

Each notification is a line of JSON in the file that it is given, with the path that it came by.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 9095


class Recorder(BaseHTTPRequestHandler):
    """Writes what is posted."""

    def do_POST(self) -> None:
        """Write one notification."""
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
            file.write(json.dumps({**text, "path": self.path, "at": time.time()}) + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Recorder).serve_forever()
