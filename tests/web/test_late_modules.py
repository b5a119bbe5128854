"""What a daemon that is only scraped does not keep in memory."""

from __future__ import annotations

import subprocess
import sys

LATE = (
    "egressd.firewall.languages",
    "egressd.report.saved",
    "egressd.web.manual",
    "egressd.web.pages",
    "egressd.web.status",
    "h2",
    "jinja2",
    "markdown_it",
    "pygments",
    "rich",
    "smtplib",
)
"""Pages for people, sweeps as JSON, mail, tracebacks in colour."""
SCRAPED = """
import asyncio, sys
from egressd.cli.log import Form, Level, configure_logging
from aiohttp.test_utils import TestClient, TestServer
import egressd.service
from egressd.daemon.holder import SnapshotHolder
from egressd.daemon.intents import Intents
from egressd.catalog import load_catalog
from egressd.web.access import Access
from egressd.web.app import make_app
from egressd.web.middleware import Gate
from tests.metrics.snapshots import make_snapshot

async def main(paths):
    holder = SnapshotHolder(make_snapshot())
    gate = Gate(access=Access(), holder=holder, loopback_only=True)
    app = make_app(gate, holder, Intents(), load_catalog())
    async with TestClient(TestServer(app)) as client:
        for path in paths:
            assert (await client.get(path)).status == 200, path

configure_logging(Level.INFO, Form.HUMAN)
asyncio.run(main(sys.argv[1:]))
print(*sys.modules)
"""


def imported_after(*paths: str) -> set[str]:
    """Return the modules of a daemon's process after requests for these paths."""
    done = subprocess.run([sys.executable, "-c", SCRAPED, *paths], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_pages_are_imported_when_they_are_asked_for() -> None:
    """A scraper, a health check and a program that reads targets cost no memory for pages; a reader does."""
    found = imported_after("/metrics", "/-/healthy", "/api/v1/targets", "/api/v1/alerts")
    assert "egressd.web.app" in found
    needless = sorted(found.intersection(LATE))
    assert not needless, f"`python -X importtime -c 'import egressd.service'` shows who imports {needless}"
    assert {"jinja2", "egressd.web.pages"} <= imported_after("/")
