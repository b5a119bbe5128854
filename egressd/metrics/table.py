"""Every metric: name, type, labels, help text, and the number of series. Names are API."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from egressd.errors import Part


class MetricType(StrEnum):
    """The metric types of OpenMetrics."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"
    STATESET = "stateset"


class Metric(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    """The name of its samples without `egressd_`, with `_total` or `_info`."""
    type: MetricType
    labels: tuple[str, ...]
    help: str
    series: str
    """The maximum: N targets, S sources, P profiles, R receivers."""

    @property
    def full(self) -> str:
        """The name of its samples."""
        return f"egressd_{self.name}"

    @property
    def family(self) -> str:
        """The name of its family."""
        return self.full.removesuffix("_total").removesuffix("_info")


MOST_REASONS = 20
"""Reasons counted apart for one target and source; later ones are counted as `other`."""
OTHER_REASONS = "other"


def _metric(name: str, type_: MetricType, labels: str, series: str, text: str) -> Metric:
    return Metric(name=name, type=type_, labels=tuple(labels.split()), help=text, series=series)


_EACH = "N x S"
_ROWS = (
    _metric(
        "build_info",
        MetricType.INFO,
        "version catalog python_version",
        "1",
        "Version of egressd, revision of its endpoint catalog, and version of Python.",
    ),
    _metric(
        "site_info",
        MetricType.INFO,
        "site",
        "1",
        "The host's place in a fleet: the key site, else the host's name.",
    ),
    _metric(
        "config_last_reload_successful",
        MetricType.GAUGE,
        "",
        "1",
        "1 if the last reload of configuration and web configuration succeeded, else 0.",
    ),
    _metric(
        "config_last_reload_success_timestamp_seconds",
        MetricType.GAUGE,
        "",
        "1",
        "When the configuration in use was read.",
    ),
    _metric(
        "config_stale",
        MetricType.GAUGE,
        "",
        "1",
        "1 if the configuration file has other contents than what is in force, else 0; read every minute.",
    ),
    _metric(
        "state_persisted",
        MetricType.GAUGE,
        "",
        "1",
        "1 if the last save of the state succeeded, else 0; absent if no directory is configured.",
    ),
    _metric(
        "state_last_saved_timestamp_seconds",
        MetricType.GAUGE,
        "",
        "1",
        "When the state was last saved; absent before the first time.",
    ),
    _metric(
        "target_info",
        MetricType.INFO,
        "target endpoint service host port protocol need profiles",
        "N",
        "Attributes of a target; profiles are separated by commas, a random host is named by its pattern.",
    ),
    _metric(
        "target_up",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "1 if the last scheduled probe found the target reachable (outcome ok or degraded), else 0.",
    ),
    _metric(
        "target_outcome",
        MetricType.STATESET,
        "target source",
        f"5 x {_EACH}",
        "Outcome of the last scheduled probe.",
    ),
    _metric(
        "target_failure",
        MetricType.GAUGE,
        "target source phase reason blame",
        _EACH,
        "1 with the reason of a target that is not reachable; absent while it is reachable.",
    ),
    _metric(
        "target_failure_confidence",
        MetricType.GAUGE,
        "target source claim confidence",
        f"2 x {_EACH}",
        "1 with how sure it is what failed (claim what) and who caused it (claim who); absent if reachable.",
    ),
    _metric(
        "probe_phase_duration_seconds",
        MetricType.GAUGE,
        "target source phase",
        f"5 x {_EACH}",
        "Duration of each phase of the last probe, failed phases included; of the trail that got furthest.",
    ),
    _metric(
        "probes_total",
        MetricType.COUNTER,
        "target source",
        _EACH,
        "Probes of the target since egressd started.",
    ),
    _metric(
        "probe_failures_total",
        MetricType.COUNTER,
        "target source reason",
        f"{MOST_REASONS + 1} x {_EACH}",
        f"Probes that found the target unreachable; beyond {MOST_REASONS} reasons as reason {OTHER_REASONS}.",
    ),
    _metric(
        "target_last_success_timestamp_seconds",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "When the target was last reachable; kept over restarts; absent if it never was.",
    ),
    _metric(
        "target_failing_since_timestamp_seconds",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "While the last probe found the target blocked or down: the first that did so since one that reached "
        "it, whatever the reason; kept over restarts.",
    ),
    _metric(
        "tls_chain_expiry_timestamp_seconds",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "When the path of the certificate chain last received ends, verified or not: the earliest "
        "expiry from the leaf to its root.",
    ),
    _metric(
        "tls_intercepted",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "1 if the last probe found TLS inspection on the path to the target, else 0.",
    ),
    _metric(
        "download_bytes_per_second",
        MetricType.GAUGE,
        "target source",
        _EACH,
        "Throughput of the last download of at least 64 KiB.",
    ),
    _metric(
        "phase_latency_seconds",
        MetricType.HISTOGRAM,
        "phase",
        "6 x 14",
        "Durations of successful phases, over all targets.",
    ),
    _metric(
        "finding_active",
        MetricType.GAUGE,
        "reason blame",
        "N",
        "Number of confirmed findings with this reason and blame.",
    ),
    _metric(
        "finding_info",
        MetricType.INFO,
        "finding reason blame",
        "at most N",
        "1 for each confirmed finding.",
    ),
    _metric(
        "finding_confidence",
        MetricType.GAUGE,
        "finding claim confidence",
        "at most 2 x N",
        "1 with how sure it is what a confirmed finding says (claim what) and whom it blames (claim who).",
    ),
    _metric(
        "finding_target",
        MetricType.GAUGE,
        "target finding reason blame",
        "N",
        "1 for a target that a confirmed finding explains, with the finding's id, reason and blame.",
    ),
    _metric(
        "target_cause_suspected",
        MetricType.GAUGE,
        "target",
        "N",
        "1 for a target that a finding explains which is not confirmed yet: the next probes decide.",
    ),
    _metric(
        "target_not_needed",
        MetricType.GAUGE,
        "target source",
        "at most N x S",
        "1 for a target that is not ok and is no reason for an alert: an alternative to it works, or egressd "
        "derived its name.",
    ),
    _metric(
        "profile_up",
        MetricType.GAUGE,
        "profile",
        "P",
        "1 if the last probes found every required target of the profile reachable, else 0.",
    ),
    _metric(
        "profile_last_reachable_timestamp_seconds",
        MetricType.GAUGE,
        "profile",
        "P",
        "When all required targets of the profile were last reachable; kept over restarts; absent if never.",
    ),
    _metric(
        "profile_offline_limit_seconds",
        MetricType.GAUGE,
        "profile",
        "P",
        "How long the product may be offline before it must be deployed anew; absent if no limit is known.",
    ),
    _metric(
        "wildcard_samples",
        MetricType.GAUGE,
        "pattern kind",
        "N",
        "Sample hosts of a wildcard, by kind of sample; kind none, 0, if there is no sample.",
    ),
    _metric(
        "clock_offset_seconds",
        MetricType.GAUGE,
        "",
        "1",
        "Clock of other hosts minus the clock of this host; absent while unknown.",
    ),
    _metric(
        "sweep_last_completed_timestamp_seconds",
        MetricType.GAUGE,
        "",
        "1",
        "When the last complete sweep was judged; absent before the first.",
    ),
    _metric("sweep_interval_seconds", MetricType.GAUGE, "", "1", "Configured interval between sweeps."),
    _metric("sweep_duration_seconds", MetricType.GAUGE, "", "1", "Duration of the last complete sweep."),
    _metric(
        "sweep_overruns_total",
        MetricType.COUNTER,
        "",
        "1",
        "Sweeps skipped because the previous one was still running.",
    ),
    _metric(
        "internal_errors_total",
        MetricType.COUNTER,
        "part",
        str(len(Part)),
        "Bugs of egressd since it started, by the part of it; each ended one result and is in the log.",
    ),
    _metric(
        "alerts_firing",
        MetricType.GAUGE,
        "severity",
        "3",
        "Firing alerts, one per finding or target; without inhibited and silenced ones.",
    ),
    _metric(
        "log_lines_lost_total",
        MetricType.COUNTER,
        "",
        "1",
        "Log lines that could not be written: a full disk, a closed pipe, a reader that does not read.",
    ),
    _metric("maintenance_active", MetricType.GAUGE, "", "1", "Active silences and maintenance windows."),
    _metric(
        "notifications_total",
        MetricType.COUNTER,
        "receiver",
        "R",
        "Delivery attempts; a retry counts again.",
    ),
    _metric("notifications_failed_total", MetricType.COUNTER, "receiver", "R", "Failed delivery attempts."),
    _metric(
        "notifications_dropped_total",
        MetricType.COUNTER,
        "receiver",
        "R",
        "Notifications dropped: beyond the limit of the queue, or rejected by the receiver.",
    ),
    _metric(
        "notifications_queue_length",
        MetricType.GAUGE,
        "receiver",
        "R",
        "Notifications waiting for the receiver; kept over restarts.",
    ),
    _metric(
        "notifications_last_success_timestamp_seconds",
        MetricType.GAUGE,
        "receiver",
        "R",
        "When the last notification was delivered; absent before the first.",
    ),
    _metric(
        "notifications_failing",
        MetricType.GAUGE,
        "receiver",
        "R",
        "1 if the last delivery to the receiver, or to one of its Alertmanagers, failed, else 0.",
    ),
    _metric(
        "alertmanager_receiver_configured",
        MetricType.GAUGE,
        "",
        "1",
        "1 if egressd itself sends its alerts to Alertmanager, and the rules leave them to it, else 0.",
    ),
    _metric(
        "alertmanager_receiver_reached",
        MetricType.GAUGE,
        "",
        "1",
        "0 if no Alertmanager took egressd's alerts when last tried, else 1.",
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({one.name: one for one in _ROWS})
"""Every metric by its name without the prefix, in the order of exposition."""
