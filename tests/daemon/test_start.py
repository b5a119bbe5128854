"""What a start loads: a sweep that finds all well must not pay for what only others need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.daemon.process import Lab, settings

UNNEEDED = (
    "aiohttp",
    "aiosmtplib",
    "attr",
    "cronsim",
    "egressd.alerting",
    "egressd.cli.catalog",
    "egressd.cli.config",
    "egressd.cli.importing",
    "egressd.cli.lab",
    "egressd.cli.service",
    "egressd.cli.watch",
    "egressd.config.alerts",
    "egressd.config.daemon",
    "egressd.daemon",
    "egressd.documents",
    "egressd.lab",
    "egressd.metrics",
    "egressd.notify",
    "egressd.report.diff.render_diff",
    "egressd.report.history",
    "egressd.report.table",
    "egressd.report.ticket.csv",
    "egressd.report.ticket.html",
    "egressd.report.ticket.junit",
    "egressd.report.ticket.markdown",
    "egressd.repositories",
    "egressd.standing",
    "egressd.state",
    "egressd.web",
    "jinja2",
    "markdown_it",
    "prometheus_client",
    "pygments",
    "rich",
    "sqlite3",
    "structlog",
)
"""Modules and packages that a healthy sweep, reported as JSON, has no use for."""

START = f"""
import sys

class Watch:
    '''Notes which module of egressd asks for one that is not needed.'''

    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {UNNEEDED!r}):
            frame, place = sys._getframe(), "nobody of egressd"
            while frame is not None:
                asking = frame.f_globals.get("__name__", "")
                if asking.startswith("egressd"):
                    place = f"{{asking}}, line {{frame.f_lineno}}"
                    break
                frame = frame.f_back
            print(f"unneeded: {{name}} was imported by {{place}}", file=sys.stderr)

sys.meta_path.insert(0, Watch())
sys.argv = ["egressd", *sys.argv[1:]]
from egressd.__main__ import main
main()
"""
"""The program, which says what it imports and should not."""


def test_a_healthy_sweep_imports_what_it_needs(lab: Lab, tmp_path: Path) -> None:
    """`--once` loads no module of the list, or the message says where it is imported."""
    config = tmp_path / "healthy.yaml"
    config.write_text(settings(lab), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", START, "--once", f"--config.file={config}", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("unneeded: ")] == []
