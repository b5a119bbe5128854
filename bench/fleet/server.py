"""The fleet over HTTP, in a process of its own, and who is notified of it.

    python -m bench.fleet.server PORT TARGETS SOURCES EVENT SECONDS

`GET /42/metrics` is what site 42 shows at this moment; the event begins `SECONDS` after the start.
Alertmanager posts its notifications to `/notify`; `GET /notified` lists them as JSON.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from bench.fleet.pages import Pages, last_sweep
from bench.fleet.scenarios import EVENTS, FleetState
from egressd import clock
from egressd.metrics.exposition import PLAIN

HOST = "127.0.0.1"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def site_name(site: int) -> str:
    """Return the name of a site by its number."""
    return f"site-{site:04}"


class FleetServer:
    """Answers HTTP/1.1; connections are kept open."""

    def __init__(self, pages: Pages, state: FleetState) -> None:
        self._pages = pages
        self._state = state
        self._notified: list[Mapping[str, Any]] = []

    def page(self, site: int, now: float) -> str:
        """Return the page of a site at a moment."""
        at = last_sweep(site, now)
        return self._pages.page(site_name(site), at, self._state.faults(at))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests until the client leaves."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                sent = await reader.readexactly(int(length[1])) if length else b""
                body = self._answer(head.split(b" ", 2)[1].decode(), sent).encode()
                lines = f"HTTP/1.1 200 OK\r\nContent-Type: {PLAIN}\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(lines.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str, sent: bytes) -> str:
        match path.split("/"):
            case ["", "notify"]:
                self._notified.append(_told(json.loads(sent)))
                return ""
            case ["", "notified"]:
                return json.dumps(self._notified)
            case ["", site, *_]:
                return self.page(int(site), clock.now().timestamp())
        return ""


def _told(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a notification is about, without its alerts' texts."""
    return {
        "receiver": message["receiver"],
        "status": message["status"],
        "group": message["groupLabels"],
        "alerts": [one["labels"]["alertname"] for one in message["alerts"]],
    }


async def run(port: int, server: FleetServer) -> None:
    """Serve until killed."""
    async with await asyncio.start_server(server.serve, HOST, port, backlog=2000) as listening:
        await listening.serve_forever()


def main() -> None:
    """Serve the fleet."""
    port, targets, sources, name, after = sys.argv[1:]
    pages, start = Pages(targets=int(targets), sources=int(sources)), clock.now().timestamp()
    make = EVENTS[name]
    event = make(start + float(after), pages.targets) if make else None
    asyncio.run(run(int(port), FleetServer(pages, FleetState(pages.targets, start=start, event=event))))


if __name__ == "__main__":
    main()
