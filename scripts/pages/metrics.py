"""The page of the metrics, made from the table: `docs/metrics.md`."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.metrics.once import DAEMON_ONLY
from egressd.metrics.table import METRICS, MOST_REASONS, Kind

HEAD = f"""# Metrics

Made by `make docs` from `egressd/metrics/table.py`. The daemon serves them at `/metrics`, as Prometheus
text or OpenMetrics 1.0, as asked for, compressed for whoever accepts gzip; `?name[]=` picks single ones.
A scrape never probes: values are those of the last scheduled look, and a look is made every `interval`,
sooner where something has changed. Everything in one scrape comes from one moment. A target that is
configured no more leaves no series.

`egressd --once --format prometheus --output FILE.prom` writes those marked *once* for the textfile
collector of node_exporter: whole or not at all, readable by all (mode 0644). Counters are not among them:
each file would start them anew.

`process_*` and `python_info` come with the Python client. The text is made in a thread, and once for each
change of what is shown, so that a scrape does not hold up probing.

## How many series

With N targets (endpoint, host and port), S sources, P profiles and R receivers of notifications, there
are at most `38 N x S + 4 N + 3 P + 5 R + 111`, where N x S stands for the pairs of target and source that
are probed; a source probes only the targets of its roles. In practice it is some 15 for each pair:
`probe_failures_total` has one series per reason that was seen, {MOST_REASONS} at most and one for the
rest. Labels are ids and words from closed lists, never text from the network.

## Table

"""


def render_metrics_page() -> str:
    """Render every metric with its type, labels and meaning, as Markdown."""
    return "\n".join([HEAD, *_rows(), ""])


def _rows() -> Iterator[str]:
    yield "| metric | type | labels | series | meaning |\n| --- | --- | --- | --- | --- |"
    for one in METRICS.values():
        labels = [*one.labels, one.full] if one.kind is Kind.STATESET else one.labels
        once = "" if one.name in DAEMON_ONLY else " *once*"
        names = ", ".join(f"`{name}`" for name in labels) or "-"
        yield f"| `{one.full}`{once} | {one.kind.value} | {names} | {one.series} | {one.help} |"
