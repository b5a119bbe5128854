"""The PromQL of the rules and the dashboard, and the names that egressd exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from egressd.metrics.table import METRICS, MetricType
from tests.prometheus.conftest import CONFIG, RULES

DASHBOARD = json.loads((CONFIG / "grafana" / "egressd.json").read_text(encoding="utf-8"))
OTHERS = {"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
OTHERS |= {"ALERTS"}
"""Metrics that Prometheus and its client library add."""
LABELS = {"job", "instance", "target", "source", "reason", "blame", "le"}


def rules() -> list[dict[str, Any]]:
    """Every rule that is shipped."""
    loaded = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return [rule for file in loaded for group in file["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel but the headings."""
    return [one for one in DASHBOARD["panels"] if one["type"] != "row"]


def expressions() -> Iterator[str]:
    """Every expression of the rules and the dashboard."""
    yield from (one["expr"] for one in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])
    yield from (one["expr"] for one in shown_annotations())
    yield from (one for one, _ in re.findall(r"label_values\((.*), (\w+)\)", "\n".join(variable_queries())))


def shown_annotations() -> list[dict[str, Any]]:
    """Every annotation but Grafana's own."""
    return [one for one in DASHBOARD["annotations"]["list"] if "builtIn" not in one]


def variable_queries() -> list[str]:
    """The queries of the variables that ask Prometheus."""
    return [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]


def exposed() -> set[str]:
    """The names of every sample that egressd can expose."""
    names = {one.full for one in METRICS.values()}
    histograms = [one.full for one in METRICS.values() if one.type is MetricType.HISTOGRAM]
    return names | {f"{name}_{suffix}" for name in histograms for suffix in ("bucket", "sum", "count")}


def metrics_in(expression: str) -> set[str]:
    """The metric names of an expression: words that are not PromQL keywords or functions."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}", " ", bare)
    bare = re.sub(r"\[[^]]*\]|\boffset \w+", " ", bare)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\(|[a-zA-Z0-9_:])", bare)
    return set(words) - {"and", "or", "unless", "bool"}
