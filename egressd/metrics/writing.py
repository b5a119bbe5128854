"""Metrics as text in both exposition formats, written straight from the rows.

The client library takes about ten times as long for the 20,000 samples of a large site, and creates as many
objects for the garbage collector. A test compares the bytes of both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from egressd.bugs import attempt
from egressd.errors import Part
from egressd.metrics.collect import Row, rows_of
from egressd.metrics.table import METRICS, Metric, MetricType
from egressd.model.snapshot import BUCKETS, Counters, Snapshot

_number: Callable[[float], str] = floatToGoString
_COMMON = {0.0: "0.0", 1.0: "1.0"}
"""Nearly all values: whether something is so."""
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_PLAIN_TYPES = {MetricType.INFO: "gauge", MetricType.STATESET: "gauge"}


def write_snapshot(
    snapshot: Snapshot,
    *,
    limits: Mapping[str, float],
    openmetrics: bool,
    names: Collection[str] | None = None,
) -> str:
    """Write all metrics, or the named ones; OpenMetrics without the final `# EOF`."""
    rows = rows_of(snapshot, limits=limits)
    wanted = (one for name, one in METRICS.items() if names is None or name in names)

    def write(metric: Metric) -> str:
        found = rows.get(metric.name, ())
        return "".join(_family(metric, found, snapshot.counters, openmetrics=openmetrics))

    return "".join(attempt(Part.METRICS, "", write, metric) for metric in wanted)


def _family(metric: Metric, rows: Collection[Row], counters: Counters, *, openmetrics: bool) -> Iterator[str]:
    name = metric.family if openmetrics else metric.full
    type_name = metric.type if openmetrics else _PLAIN_TYPES.get(metric.type, metric.type)
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {type_name}\n"
    if metric.type is MetricType.HISTOGRAM:
        yield from _histograms(metric, counters)
        return
    labels = (*metric.labels, metric.full) if metric.type is MetricType.STATESET else metric.labels
    order = sorted(range(len(labels)), key=lambda one: labels[one])
    inner = ",".join(f'{labels[one]}="%s"' for one in order)
    template = f"{metric.full}{{{inner}}} %s\n" if labels else f"{metric.full} %s\n"
    shown = _Escaped()
    for values, value in rows:
        number = _COMMON.get(value) or _number(value)
        yield template % (*[shown[values[one]] for one in order], number)


class _Escaped(dict[str, str]):
    """Values of labels as they are written, each made once."""

    def __missing__(self, text: str) -> str:
        self[text] = text.translate(_ESCAPES)
        return self[text]


def _histograms(metric: Metric, counters: Counters) -> Iterator[str]:
    bounds = [*(str(one) for one in BUCKETS), "+Inf"]
    for phase, histogram in counters.latency.items():
        sums = list(accumulate(histogram.counts))
        for bound, count in zip(bounds, sums, strict=True):
            yield f'{metric.full}_bucket{{le="{bound}",phase="{phase}"}} {_number(count)}\n'
        yield f'{metric.full}_count{{phase="{phase}"}} {_number(sums[-1])}\n'
        yield f'{metric.full}_sum{{phase="{phase}"}} {_number(histogram.seconds)}\n'
