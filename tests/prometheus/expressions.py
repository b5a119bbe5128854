"""The PromQL of the rules and the dashboards, and the names that egressd exposes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from egressd.metrics.table import METRICS, MetricType
from tests.prometheus.conftest import CONFIG, RULES

Json = dict[str, Any]


def dashboard(name: str) -> Json:
    """Read a dashboard that is shipped."""
    loaded: Json = json.loads((CONFIG / "grafana" / name).read_text(encoding="utf-8"))
    return loaded


OVERVIEW, FLEET = dashboard("egressd.json"), dashboard("egressd-fleet.json")
DASHBOARDS = (OVERVIEW, FLEET)
OTHERS = {"up", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
OTHERS |= {"ALERTS", "ALERTS_FOR_STATE"}
"""Metrics that Prometheus and its client library add."""
LABELS = {"job", "instance", "target", "source", "reason", "blame", "le", "site", "state", "explains"}
LABELS |= {"place", "result", "latitude", "longitude"}
"""Labels beside those of a metric: of targets, recordings, and what an expression or an operator makes."""


def rules() -> list[dict[str, Any]]:
    """Every rule that is shipped."""
    loaded = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return [rule for file in loaded for group in file["groups"] for rule in group["rules"]]


def panels(board: Json) -> list[Json]:
    """Every panel of a dashboard but the headings, those of closed rows too."""
    rows = [one for one in board["panels"] if one["type"] == "row"]
    shown = [one for one in board["panels"] if one["type"] != "row"]
    return shown + [one for row in rows for one in row["panels"]]


def asked(board: Json) -> Iterator[str]:
    """Every expression of a dashboard."""
    yield from (target["expr"] for panel in panels(board) for target in panel["targets"])
    yield from (one["expr"] for one in shown_annotations(board))
    yield from (
        one for one, _ in re.findall(r"label_values\((.*), (\w+)\)", "\n".join(variable_queries(board)))
    )


def data_links(panel: Json) -> Iterator[str]:
    """Yield the addresses that a click in a panel leads to."""
    yield from (one["url"] for one in panel["fieldConfig"]["defaults"].get("links", ()))
    for one in panel["fieldConfig"]["overrides"]:
        for changed in one["properties"]:
            if changed["id"] == "links":
                yield from (link["url"] for link in changed["value"])


def expressions() -> Iterator[str]:
    """Every expression of the rules and the dashboards."""
    yield from (one["expr"] for one in rules())
    for board in DASHBOARDS:
        yield from asked(board)


def shown_annotations(board: Json) -> list[Json]:
    """Every annotation but Grafana's own."""
    return [one for one in board["annotations"]["list"] if "builtIn" not in one]


def variable_queries(board: Json) -> list[str]:
    """The queries of the variables that ask Prometheus."""
    return [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]


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
