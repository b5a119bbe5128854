"""Every metric: name, type, labels, meaning, and how many series it can have. Names are API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """The type, in OpenMetrics' words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"
    STATESET = "stateset"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row of the table."""

    name: str
    """Without `egressd_`, as samples are called: with `_total` or `_info`."""
    kind: Kind
    labels: tuple[str, ...]
    help: str
    series: str
    """At most how many: N targets, S sources, P profiles, R receivers."""

    @property
    def full(self) -> str:
        """The name of its samples."""
        return f"egressd_{self.name}"

    @property
    def family(self) -> str:
        """The name of its family."""
        return self.full.removesuffix("_total").removesuffix("_info")


MOST_REASONS = 20
"""Reasons counted apart for one target and source; what comes later is counted as `other`."""
OTHER_REASONS = "other"


def _metric(name: str, kind: Kind, labels: str, series: str, text: str) -> Metric:
    return Metric(name=name, kind=kind, labels=tuple(labels.split()), help=text, series=series)


_EACH = "N x S"
_ROWS = (
    _metric(
        "build_info",
        Kind.INFO,
        "version catalog python_version",
        "1",
        "Version of egressd, revision of its endpoint catalog, and version of Python.",
    ),
    _metric(
        "config_last_reload_successful",
        Kind.GAUGE,
        "",
        "1",
        "Whether configuration and web configuration, as last read, are in force; if not, those before are.",
    ),
    _metric(
        "config_last_reload_success_timestamp_seconds",
        Kind.GAUGE,
        "",
        "1",
        "When the configuration in force was read.",
    ),
    _metric(
        "target_info",
        Kind.INFO,
        "target endpoint service host port protocol need profiles",
        "N",
        "What a target is; profiles are separated by commas.",
    ),
    _metric(
        "target_up",
        Kind.GAUGE,
        "target source",
        _EACH,
        "Whether the last scheduled look found the target reachable (outcome ok or degraded).",
    ),
    _metric(
        "target_outcome",
        Kind.STATESET,
        "target source",
        f"5 x {_EACH}",
        "Outcome of the last scheduled look.",
    ),
    _metric(
        "target_failure",
        Kind.GAUGE,
        "target source phase reason blame",
        _EACH,
        "1 for the reason of a target that is not reachable; absent while it is.",
    ),
    _metric(
        "probe_phase_duration_seconds",
        Kind.GAUGE,
        "target source phase",
        f"5 x {_EACH}",
        "How long each phase of the last look took, failed phases included; of the way that got furthest.",
    ),
    _metric(
        "probes_total",
        Kind.COUNTER,
        "target source",
        _EACH,
        "Looks at the target since egressd started.",
    ),
    _metric(
        "probe_failures_total",
        Kind.COUNTER,
        "target source reason",
        f"{MOST_REASONS + 1} x {_EACH}",
        f"Looks that found the target unreachable; beyond {MOST_REASONS} reasons as reason {OTHER_REASONS}.",
    ),
    _metric(
        "target_last_success_timestamp_seconds",
        Kind.GAUGE,
        "target source",
        _EACH,
        "When the target was last found reachable; kept over restarts; absent if it never was.",
    ),
    _metric(
        "tls_chain_expiry_timestamp_seconds",
        Kind.GAUGE,
        "target source",
        _EACH,
        "When the first certificate of the chain that was last seen expires, verified or not.",
    ),
    _metric(
        "tls_intercepted",
        Kind.GAUGE,
        "target source",
        _EACH,
        "Whether the last look found the target's TLS opened by a device on the way.",
    ),
    _metric(
        "download_bytes_per_second",
        Kind.GAUGE,
        "target source",
        _EACH,
        "Throughput of the last download of 64 KiB and more.",
    ),
    _metric(
        "phase_latency_seconds",
        Kind.HISTOGRAM,
        "phase",
        "6 x 14",
        "Durations of phases that succeeded, over all targets.",
    ),
    _metric(
        "finding_active",
        Kind.GAUGE,
        "reason blame",
        "N",
        "How many confirmed causes over many targets have this reason and blame now.",
    ),
    _metric(
        "finding_info",
        Kind.INFO,
        "finding reason blame",
        "at most N",
        "1 for each cause over many targets that is confirmed now.",
    ),
    _metric(
        "finding_target",
        Kind.GAUGE,
        "target finding reason blame",
        "N",
        "1 for a target that a confirmed cause explains now, with that cause's id, reason and blame.",
    ),
    _metric(
        "profile_up",
        Kind.GAUGE,
        "profile",
        "P",
        "Whether the last look found every required target of the profile reachable.",
    ),
    _metric(
        "profile_last_reachable_timestamp_seconds",
        Kind.GAUGE,
        "profile",
        "P",
        "When all the profile requires was last believed reachable; kept over restarts; absent if never.",
    ),
    _metric(
        "profile_offline_limit_seconds",
        Kind.GAUGE,
        "profile",
        "P",
        "How long the product may be offline before it is beyond repair; absent where no limit is known.",
    ),
    _metric(
        "wildcard_samples",
        Kind.GAUGE,
        "pattern kind",
        "N",
        "Hosts that stand for a wildcard, by kind of sample; kind none, 0, where nothing does.",
    ),
    _metric(
        "clock_offset_seconds",
        Kind.GAUGE,
        "",
        "1",
        "Clock of other hosts minus the clock of this one; absent while unknown.",
    ),
    _metric(
        "sweep_last_completed_timestamp_seconds",
        Kind.GAUGE,
        "",
        "1",
        "When the last complete sweep was judged; absent before the first.",
    ),
    _metric("sweep_interval_seconds", Kind.GAUGE, "", "1", "How often a sweep is due."),
    _metric("sweep_duration_seconds", Kind.GAUGE, "", "1", "How long the last complete sweep took."),
    _metric(
        "sweep_overruns_total",
        Kind.COUNTER,
        "",
        "1",
        "Sweeps that were left out because the one before was not done.",
    ),
    _metric(
        "alerts_firing",
        Kind.GAUGE,
        "severity",
        "3",
        "Alerts that were told and hold, one per cause; not those that another or maintenance keeps quiet.",
    ),
    _metric("maintenance_active", Kind.GAUGE, "", "1", "Maintenance windows that are in force."),
    _metric(
        "notifications_total",
        Kind.COUNTER,
        "receiver",
        "R",
        "Deliveries that were tried; what failed is tried again, and counts again.",
    ),
    _metric("notifications_failed_total", Kind.COUNTER, "receiver", "R", "Deliveries that failed."),
    _metric(
        "notifications_dropped_total",
        Kind.COUNTER,
        "receiver",
        "R",
        "Notices that were given up: beyond the bound of the queue, or refused by the receiver.",
    ),
    _metric(
        "notifications_queue_length",
        Kind.GAUGE,
        "receiver",
        "R",
        "Notices that wait for the receiver; kept over restarts.",
    ),
    _metric(
        "notifications_last_success_timestamp_seconds",
        Kind.GAUGE,
        "receiver",
        "R",
        "When something was last delivered; absent before the first.",
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({one.name: one for one in _ROWS})
"""Every metric by its name without the prefix, in the order they are exposed."""
