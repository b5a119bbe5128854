"""The dashboard keeps the linter's rules, asks for what exists, and its links lead to pages of the daemon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from egressd.model.verdict import Outcome
from tests.prometheus.expressions import (
    DASHBOARD,
    metrics_in,
    panels,
    shown_annotations,
    variable_queries,
)

VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
BUILT_IN = {"__rate_interval", "__range"}
EACH_PANEL = pytest.mark.parametrize("panel", panels(), ids=lambda one: one["title"])


def data_links(panel: dict[str, Any]) -> Iterator[str]:
    """Yield the addresses that a click in a panel leads to."""
    yield from (one["url"] for one in panel["fieldConfig"]["defaults"].get("links", ()))


def test_the_dashboard_keeps_the_linters_rules() -> None:
    """It has one data source variable, variables that refresh, and is not editable."""
    labels = [one["label"] for one in VARIABLES.values() if one["type"] == "datasource"]
    assert labels == ["Data Source"]
    assert DASHBOARD["editable"] is False
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"] == "egressd-overview"
    assert DASHBOARD["tags"] == ["egressd"]
    assert "__inputs" not in DASHBOARD
    for name in ("job", "instance", "source"):
        one = VARIABLES[name]
        assert (one["label"], one["multi"], one["allValue"], one["refresh"]) == (name, True, ".+", 2)
        assert one["datasource"]["uid"] == "${datasource}"


def test_endpoints_of_ones_own_are_shown_for_all_products() -> None:
    """A target of no profile has an empty label, which the value for All has to match."""
    assert re.fullmatch(VARIABLES["profile"]["allValue"], "")


def test_every_variable_exists_and_is_used() -> None:
    """No expression, query, title or link names a variable that is not there, and none is idle."""
    text = json.dumps([DASHBOARD["panels"], DASHBOARD["annotations"], variable_queries()])
    named = set(re.findall(r"\$\{?(\w+)", text)) - {"__data", "__field"}
    assert named == {*VARIABLES, *BUILT_IN}


@EACH_PANEL
def test_a_panel_keeps_the_linters_rules(panel: dict[str, Any]) -> None:
    """Every panel has title, description, unit, data source variable, and selectors by job and instance."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        selectors = re.findall(r"(?:egressd|process)_[a-z_]+\{([^}]*)\}", target["expr"])
        assert len(selectors) == len(metrics_in(target["expr"]) - {"vector"}) or len(selectors) > 1
        assert all('job=~"$job"' in one and 'instance=~"$instance"' in one for one in selectors)
        for function, window in re.findall(r"(\w+)\([^[\]()]*\[([^]]*)\]", target["expr"]):
            assert window == ("$__range" if function.endswith("_over_time") else "$__rate_interval")


@EACH_PANEL
def test_what_is_about_targets_can_be_narrowed_to_a_source(panel: dict[str, Any]) -> None:
    """Each metric that has a label `source` is selected by the variable."""
    for target in panel["targets"]:
        for metric, selector in re.findall(r"(egressd_target_[a-z_]+)\{([^}]*)\}", target["expr"]):
            if metric != "egressd_target_info":
                assert 'source=~"$source"' in selector


@EACH_PANEL
def test_links_of_a_panel_lead_to_the_daemon(panel: dict[str, Any]) -> None:
    """A click leads to the status page of the host in the row, or to the page of the reason in it."""
    for url in data_links(panel):
        path = re.fullmatch(r"\$\{scheme\}://\$\{__(?:data\.fields|field\.labels)\.instance\}(/.*)", url)
        assert path is not None, url
        assert path[1] in {"/", "/reasons/${__data.fields.reason}"}


def test_where_something_fails_a_click_leads_on() -> None:
    """Findings, failures, timelines, certificates and hosts have a link to the status page."""
    linked = {one["title"] for one in panels() if list(data_links(one))}
    assert linked >= {
        "Confirmed findings",
        "Failing targets",
        "What was out of reach",
        "Every target",
        "Certificates that end soonest",
        "Hosts",
        "When it began",
    }


def test_every_outcome_has_a_colour_in_the_timelines() -> None:
    """A state that is drawn has a name, and no two states share a colour."""
    for panel in panels():
        for mapping in panel["fieldConfig"]["defaults"]["mappings"]:
            states = {one["text"]: one["color"] for one in mapping["options"].values()}
            assert set(states) == set(Outcome)
            assert len(set(states.values())) == len(states)
            for value, one in mapping["options"].items():
                drawn = f'egressd_target_outcome="{one["text"]}"}} * {value}'
                assert drawn in panel["targets"][0]["expr"]


def test_alerts_findings_and_maintenance_are_annotations() -> None:
    """What happened is drawn into every graph, by job and instance."""
    assert {one["name"] for one in shown_annotations()} == {"Alerts", "Findings", "Maintenance"}
    for one in shown_annotations():
        assert 'job=~"$job", instance=~"$instance"' in one["expr"]
        assert one["enable"] is True


def test_panels_do_not_overlap() -> None:
    """No two panels overlap on the 24-column grid."""
    taken: set[tuple[int, int]] = set()
    for one in DASHBOARD["panels"]:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, one["title"]
        taken |= cells
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
