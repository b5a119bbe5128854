"""The metrics of one sweep, for node_exporter's textfile collector.

Metrics of the daemon are left out: a counter that starts at zero in each file counts nothing, and one sweep
alone does not know since when something fails.
"""

from __future__ import annotations

from egressd.metrics.limits import offline_limits
from egressd.metrics.table import METRICS, MetricType
from egressd.metrics.writing import write_snapshot
from egressd.model.catalog import Catalog
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Standings
from egressd.model.verdict import Sweep
from egressd.standing import advance
from egressd.standing.lifecycle import Thresholds
from egressd.wording import seconds_between

DAEMON_ONLY = frozenset(
    {
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
        "target_failing_since_timestamp_seconds",
        "sweep_interval_seconds",
        "alerts_firing",
        "maintenance_active",
        "notifications_queue_length",
        "notifications_last_success_timestamp_seconds",
        "notifications_failing",
        "alertmanager_receiver_configured",
        "alertmanager_receiver_reached",
        "profile_last_reachable_timestamp_seconds",
        *(name for name, one in METRICS.items() if one.type in (MetricType.COUNTER, MetricType.HISTOGRAM)),
    }
)


def render_prometheus(sweep: Sweep, catalog: Catalog) -> str:
    """Render a sweep as Prometheus text, without the metrics of the daemon."""
    names = frozenset(METRICS) - DAEMON_ONLY
    return write_snapshot(_snapshot(sweep), limits=offline_limits(catalog), openmetrics=False, names=names)


TARGET = frozenset(
    {
        "build_info",
        "site_info",
        "target_info",
        "target_up",
        "target_outcome",
        "target_failure",
        "target_failure_confidence",
        "probe_phase_duration_seconds",
        "tls_chain_expiry_timestamp_seconds",
        "tls_intercepted",
        "download_bytes_per_second",
    }
)
"""The metrics of `/probe`, which probes one target."""


def render_target(sweep: Sweep) -> str:
    """Render the probe of one target."""
    return write_snapshot(_snapshot(sweep), limits={}, openmetrics=False, names=TARGET)


def _snapshot(sweep: Sweep) -> Snapshot:
    """Return a snapshot that confirms the verdicts of one sweep at once."""
    recording = sweep.recording
    standings, _ = advance(
        Standings(), sweep, now=recording.finished, thresholds=Thresholds(explicit=1, silent=1, better=1)
    )
    seconds = seconds_between(recording.started, recording.finished)
    return Snapshot(
        settings=Settings(site=recording.vantage.site or recording.vantage.host),
        config=ConfigStatus(digest=recording.plan.config_digest, since=recording.started),
        started=recording.started,
        plan=recording.plan,
        sweep=sweep,
        standings=standings,
        counters=Counters(sweep_seconds=seconds, completed=recording.finished),
    )
