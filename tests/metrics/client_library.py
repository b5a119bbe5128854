"""The same metrics through the client library, to compare the writer with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import Metric as Family
from prometheus_client.registry import Collector

from egressd.metrics.collect import Row, rows_of
from egressd.metrics.table import METRICS, Metric, MetricType
from egressd.model.snapshot import BUCKETS, Counters, Histogram, Snapshot


class SnapshotCollector(Collector):
    """Collects the metrics of one snapshot for a registry."""

    def __init__(self, snapshot: Snapshot, limits: Mapping[str, float]) -> None:
        self._snapshot = snapshot
        self._limits = limits

    def collect(self) -> Iterator[Family]:
        """Yield every family of the table."""
        rows = rows_of(self._snapshot, limits=self._limits)
        for name, metric in METRICS.items():
            yield _family(metric, rows.get(name, ()), self._snapshot.counters)

    def describe(self) -> Iterable[Family]:
        """Name nothing in advance: registering must not collect."""
        return ()


def _family(metric: Metric, rows: Iterable[Row], counters: Counters) -> Family:
    family = Family(metric.family, metric.help, metric.type.value)
    if metric.type is MetricType.HISTOGRAM:
        for phase, histogram in counters.latency.items():
            _add_histogram(family, {"phase": phase.value}, histogram)
        return family
    labels = (*metric.labels, metric.full) if metric.type is MetricType.STATESET else metric.labels
    for values, value in rows:
        family.add_sample(metric.full, dict(zip(labels, values, strict=True)), value)
    return family


def _add_histogram(family: Family, labels: dict[str, str], histogram: Histogram) -> None:
    bounds = [*(str(one) for one in BUCKETS), "+Inf"]
    sums = list(accumulate(histogram.counts))
    for bound, count in zip(bounds, sums, strict=True):
        family.add_sample(f"{family.name}_bucket", labels | {"le": bound}, count)
    family.add_sample(f"{family.name}_count", labels, sums[-1])
    family.add_sample(f"{family.name}_sum", labels, histogram.seconds)
