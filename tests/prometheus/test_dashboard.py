"""The dashboards keep the linter's rules, ask for what exists, and link to pages that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from multidict import MultiDict
from yarl import URL

from egressd.model.verdict import Outcome
from egressd.web.status.filters import page_query
from tests.prometheus.expressions import (
    DASHBOARDS,
    FLEET,
    OVERVIEW,
    Json,
    asked,
    data_links,
    metrics_in,
    panels,
    shown_annotations,
    variable_queries,
)

DOCS = Path(__file__).parents[2] / "docs"
COPY = "https://docs.corp.example/egressd/"
BUILT_IN = {"__rate_interval", "__range", "__url_time_range"}
REQUIRED = {"egressd-overview": {"job", "instance"}, "egressd-fleet": {"job", "site"}}
"""What the selectors of a dashboard name."""
EACH_BOARD = pytest.mark.parametrize("board", DASHBOARDS, ids=lambda one: one["uid"])
EACH_PANEL = pytest.mark.parametrize(
    ("board", "panel"),
    [
        pytest.param(board, panel, id=f"{board['uid']}: {panel['title']}")
        for board in DASHBOARDS
        for panel in panels(board)
    ],
)


def variables(board: Json) -> dict[str, Json]:
    """The variables of a dashboard by name."""
    return {one["name"]: one for one in board["templating"]["list"]}


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """Yield each metric of an expression with what selects its series."""
    yield from re.findall(r"\b((?:egressd|process|[a-z_]+:egressd)_[a-z_:]+)\{([^}]*)\}", expression)


@EACH_BOARD
def test_a_dashboard_keeps_the_linters_rules(board: Json) -> None:
    """It has one data source variable, variables that refresh, and is not editable."""
    labels = [one["label"] for one in variables(board).values() if one["type"] == "datasource"]
    assert labels == ["Data Source"]
    assert board["editable"] is False
    assert board["id"] is None
    assert board["tags"] == ["egressd"]
    assert "__inputs" not in board
    for name in REQUIRED[board["uid"]]:
        one = variables(board)[name]
        assert (one["label"], one["multi"], one["allValue"], one["refresh"]) == (name, True, ".+", 2)
        assert one["datasource"]["uid"] == "${datasource}"


def test_dashboards_are_told_apart() -> None:
    """Each has an id and a title of its own, and both are of one schema."""
    assert {one["uid"] for one in DASHBOARDS} == set(REQUIRED)
    assert len({one["title"] for one in DASHBOARDS}) == len(DASHBOARDS)
    assert len({one["schemaVersion"] for one in DASHBOARDS}) == 1


def test_endpoints_of_ones_own_are_shown_for_all_products() -> None:
    """A target of no profile has an empty label, which the value for All has to match."""
    assert re.fullmatch(variables(OVERVIEW)["profile"]["allValue"], "")


def test_the_fleet_asks_for_what_fails_only() -> None:
    """All endpoints are those in the list, which holds what fails: no query reads what works everywhere."""
    one = variables(FLEET)["host"]
    assert one["allValue"] is None
    assert one["query"]["query"].startswith("label_values(site_target:egressd_failure:reason{")
    for expression in asked(FLEET):
        for metric, selector in selectors(expression):
            if metric == "site_target:egressd_target_up:min":
                assert 'host=~"$host"' in selector


@EACH_BOARD
def test_every_variable_exists_and_is_used(board: Json) -> None:
    """No expression, query, title or link names a variable that is not there, and none is idle."""
    text = json.dumps([board["panels"], board["annotations"], variable_queries(board)])
    named = set(re.findall(r"\$\{?([a-z_]\w+)", text)) - {"__data", "__field", "__value"}
    assert named - BUILT_IN == set(variables(board))


@EACH_PANEL
def test_a_panel_keeps_the_linters_rules(board: Json, panel: Json) -> None:
    """Every panel has title, description, unit, data source variable, and selectors by what the rows are."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for target in panel["targets"]:
        assert target["datasource"]["uid"] == "${datasource}"
        own = {name for name in metrics_in(target["expr"]) if "egressd" in name or "process" in name}
        assert own == {metric for metric, _ in selectors(target["expr"])}
        for function, window in re.findall(r"(\w+)\([^[\]()]*\[([^]]*)\]", target["expr"]):
            assert window == ("$__range" if function.endswith("_over_time") else "$__rate_interval")


@EACH_PANEL
def test_a_panel_shows_what_the_variables_choose(board: Json, panel: Json) -> None:
    """Series are selected by job and, as the dashboard is of hosts or of sites, by instance or site."""
    for target in panel["targets"]:
        for metric, selector in selectors(target["expr"]):
            assert 'job=~"$job"' in selector
            if board is OVERVIEW:
                assert 'instance=~"$instance"' in selector
            elif metric.startswith("site") or metric == "egressd_site_info":
                assert 'site=~"$site"' in selector


@EACH_PANEL
def test_what_is_about_targets_can_be_narrowed_to_a_source(board: Json, panel: Json) -> None:
    """Each metric that has a label `source` is selected by the variable."""
    for target in panel["targets"]:
        for metric, selector in selectors(target["expr"]):
            if board is OVERVIEW and metric.startswith("egressd_target_") and metric != "egressd_target_info":
                assert 'source=~"$source"' in selector


@EACH_PANEL
def test_links_to_a_status_page_ask_for_what_it_knows(board: Json, panel: Json) -> None:
    """A click leads to the page of the host in the row, filtered, or to the page of the reason."""
    del board
    for url in data_links(panel):
        found = re.fullmatch(
            r"\$\{scheme\}://\$\{__(?:data\.fields|field\.labels)\.instance\}\$\{port\}(/.*)", url
        )
        if found is None:
            assert url.startswith(("/d/", COPY))
        elif found[1] != "/reasons/${__data.fields.reason}":
            address = URL(found[1].replace("${", "").replace("}", ""))
            query = page_query(MultiDict(address.query))
            assert address.path == "/"
            assert {"q": query.search, "state": query.state} == {"q": "", "state": "", **address.query}
            assert address.fragment == ("targets" if address.query else "")


@EACH_PANEL
def test_links_to_a_dashboard_set_variables_that_it_has(board: Json, panel: Json) -> None:
    """A drill-down leads to a dashboard that is shipped, and hands over what it can take."""
    del board
    shipped = {one["uid"]: set(variables(one)) for one in DASHBOARDS}
    for url in data_links(panel):
        if url.startswith("/d/"):
            uid, _, query = url.removeprefix("/d/").partition("?")
            handed = set(re.findall(r"var-([a-z]+)=", query)) | set(
                re.findall(r"\$\{(\w+):queryparam\}", query)
            )
            assert {"datasource", "job"} <= handed <= shipped[uid]
            assert "${__url_time_range}" in query


@EACH_PANEL
def test_links_to_documents_lead_to_a_heading(board: Json, panel: Json) -> None:
    """What a panel calls a document is one of the manual."""
    del board
    for url in data_links(panel):
        if url.startswith(COPY):
            page, _, anchor = url.removeprefix(COPY).partition("#")
            text = (DOCS / page).read_text(encoding="utf-8")
            assert not anchor or (
                anchor == "${__data.fields.reason}" and '<a id="tls_reset_after_hello">' in text
            )


def test_where_something_fails_a_click_leads_on() -> None:
    """Findings, failures, timelines, certificates, hosts and sites have a link."""
    linked = {one["title"] for board in DASHBOARDS for one in panels(board) if list(data_links(one))}
    assert linked >= {
        "Confirmed findings",
        "Failing targets",
        "What was out of reach",
        "Every target",
        "Certificates that end soonest",
        "What the fleet's alerts say",
        "Every site by state",
        "Hosts",
        "Endpoint by site",
        "Sites over time",
        "When each began",
    }


def test_each_dashboard_leads_to_the_other() -> None:
    """From one host to the fleet and back."""
    for board, other in ((OVERVIEW, FLEET), (FLEET, OVERVIEW)):
        assert f"/d/{other['uid']}" in {one["url"] for one in board["links"]}


def test_nothing_is_told_twice() -> None:
    """No panel stands in both dashboards."""
    titles = [{one["title"] for one in panels(board)} for board in DASHBOARDS]
    assert titles[0] & titles[1] == set()


def test_every_outcome_has_a_colour_in_the_timelines() -> None:
    """A state that is drawn has a name, and no two states share a colour."""
    for panel in panels(OVERVIEW):
        for mapping in panel["fieldConfig"]["defaults"]["mappings"]:
            states = {one["text"]: one["color"] for one in mapping["options"].values()}
            assert set(states) == {*Outcome, "fails"}
            assert len(set(states.values())) == len(states)
            for value, one in mapping["options"].items():
                drawn = f'egressd_target_outcome="{one["text"]}"}} * {value}'
                drawn = drawn if one["text"] != "fails" else f'source=~"$source"}}) * {value}'
                assert drawn in panel["targets"][0]["expr"]


def test_what_happened_is_drawn_into_every_graph() -> None:
    """Alerts, findings and maintenance of a host, and the alerts of the fleet, are annotations."""
    names = {board["uid"]: {one["name"] for one in shown_annotations(board)} for board in DASHBOARDS}
    assert names == {
        "egressd-overview": {"Alerts", "Findings", "Maintenance"},
        "egressd-fleet": {"Alerts of the fleet"},
    }
    for board in DASHBOARDS:
        for one in shown_annotations(board):
            assert 'job=~"$job"' in one["expr"]
            assert ('instance=~"$instance"' in one["expr"]) == (board is OVERVIEW)
            assert one["enable"] is True


@EACH_BOARD
def test_panels_do_not_overlap(board: Json) -> None:
    """No two panels overlap on the 24-column grid."""
    taken: set[tuple[int, int]] = set()
    every = [*board["panels"], *(inner for one in board["panels"] for inner in one.get("panels", ()))]
    for one in every:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, one["title"]
        taken |= cells
    assert len({one["id"] for one in every}) == len(every)
