"""How long the expressions of the dashboards take, asked as Grafana asks them."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.error
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.fleet.programs import CONFIG, Running
from bench.fleet.server import site_name

DASHBOARDS = tuple(sorted((CONFIG / "grafana").glob("*.json")))
ONE_HOST = "egressd"
"""The dashboard that is opened for one host."""
STEPS = 300
"""Points of a graph that is as wide as a screen."""
INTERVALS = {"__rate_interval": "2m", "__range": "1h", "__interval": "1m", "__range_s": "3600"}
SITE = 42
"""The site that is looked at where a dashboard shows one."""
_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")


@dataclass(frozen=True, kw_only=True)
class Query:
    """An expression of a panel."""

    dashboard: str
    panel: str
    expression: str
    instant: bool


@dataclass(frozen=True, kw_only=True)
class QueryTime:
    """How long it took and how many series it found; infinity: refused, or longer than two minutes."""

    query: Query
    seconds: float
    series: int


def dashboard_queries(target: str) -> Iterator[Query]:
    """Yield every expression of every dashboard; `target` is what is chosen where one is shown."""
    for path in DASHBOARDS:
        document = json.loads(path.read_text(encoding="utf-8"))
        whole = path.stem != ONE_HOST
        values = dict(_values(document["templating"]["list"], target, whole=whole))
        for panel in _panels(document["panels"]):
            for one in panel.get("targets", ()):
                yield Query(
                    dashboard=path.stem,
                    panel=panel["title"],
                    expression=_filled(one["expr"], values),
                    instant=bool(one.get("instant")),
                )


def _filled(expression: str, values: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: values.get(found[1], ".*"), expression)


def _panels(some: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield panels, also those in rows that are closed."""
    for one in some:
        yield one
        yield from _panels(one.get("panels", []))


def _values(variables: list[Mapping[str, Any]], target: str, *, whole: bool) -> Iterator[tuple[str, str]]:
    """Yield what is chosen: everything where that can be and is meant, else one site and target."""
    chosen = {
        "job": "egressd",
        "site": site_name(SITE),
        "instance": f"arc1.{site_name(SITE)}.corp.example",
        "target": target,
    }
    yield from INTERVALS.items()
    for one in variables:
        every = whole and one.get("includeAll")
        yield one["name"], ".*" if every else chosen.get(one["name"], ".*")


def time_query(running: Running, query: Query, *, seconds: float) -> QueryTime:
    """Ask once, over so many last seconds where it is a graph."""
    now = time.time()
    begun = time.monotonic()
    try:
        if query.instant:
            found = running.api("query", query=query.expression)
        else:
            found = running.api(
                "query_range",
                query=query.expression,
                start=f"{now - seconds:.0f}",
                end=f"{now:.0f}",
                step=f"{seconds / STEPS:.3f}",
            )
    except urllib.error.HTTPError as refused:
        refused.close()
        return QueryTime(query=query, seconds=math.inf, series=0)
    result = found["result"]
    return QueryTime(query=query, seconds=time.monotonic() - begun, series=len(result))
