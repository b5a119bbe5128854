"""The metrics of a single sweep: a file for node_exporter."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from egressd.catalog import load_catalog
from egressd.cli.options import Format
from egressd.cli.output import write_report
from egressd.metrics.once import DAEMON_ONLY, render_prometheus
from egressd.metrics.table import METRICS
from egressd.model.verdict import Outcome


def test_metrics_of_the_daemon_are_left_out(sweep_of: Any, row: Any) -> None:
    """Counters, reloads and times kept over sweeps are not in the file of one sweep."""
    text = render_prometheus(sweep_of(row(outcome=Outcome.BLOCKED)), load_catalog())
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert families == {one.full for one in METRICS.values() if one.name not in DAEMON_ONLY}
    assert 'reason="tls_reset_after_hello"' in text
    assert 'egressd_profile_offline_limit_seconds{profile="resource-bridge"} 3.888e+06' in text
    assert "egressd_sweep_last_completed_timestamp_seconds 1.7" in text
    assert "process_" not in text


def test_the_site_is_that_of_the_report(sweep_of: Any, row: Any) -> None:
    """The site is where the sweep was made; a report of an older version has the name of its host."""
    sweep = sweep_of(row())
    catalog = load_catalog()
    assert 'egressd_site_info{site="arc-01"} 1' in render_prometheus(sweep, catalog)
    vantage = replace(sweep.recording.vantage, site="oslo-1")
    made = replace(sweep, recording=replace(sweep.recording, vantage=vantage))
    assert 'egressd_site_info{site="oslo-1"} 1' in render_prometheus(made, catalog)


def test_the_file_can_be_read_by_others(
    sweep_of: Any, row: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is complete and readable by all whatever the umask, and no temporary file remains."""
    import os

    path = tmp_path / "egressd.prom"
    before = os.umask(0o077)
    try:
        write_report(sweep_of(row()), Format.PROMETHEUS, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text().endswith("\n")
