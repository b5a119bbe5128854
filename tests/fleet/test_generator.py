"""The bench's fleet is like a real one: its pages are egressd's, and what fails changes as faults do."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.fleet.disk import is_kept_line
from bench.fleet.pages import VARYING, Moment, Pages, last_sweep
from bench.fleet.queries import dashboard_queries
from bench.fleet.scenarios import EVENTS, LONELY, ROLLED_OUT, Event, FleetState, Targets
from egressd.metrics.table import METRICS, MetricType
from tests.prometheus.expressions import exposed

NOW = 1_796_083_200.0
TARGETS = 150
SITES = 60
PAGES = Pages(targets=TARGETS)
Series = tuple[str, frozenset[tuple[str, str]]]
LABELS = {one.full: {*one.labels} for one in METRICS.values()}


def parse(text: str) -> dict[Series, float]:
    """Return the samples of a page by name and labels, as Prometheus' own parser reads them."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found
            found[series] = sample.value
    return found


def named(page: Mapping[Series, float], name: str) -> dict[str, float]:
    """Return a metric's values by target."""
    return {dict(labels)["target"]: value for (one, labels), value in page.items() if one == name}


def event_of(name: str) -> Event:
    """Return an event that begins now."""
    make = EVENTS[name]
    assert make is not None
    return make(NOW, PAGES.targets)


def state_of(name: str = "normal hour") -> FleetState:
    """Return the fleet in which something begins now."""
    return FleetState(
        PAGES.targets, start=NOW - 600, event=event_of(name) if EVENTS[name] is not None else None
    )


def page_of(state: FleetState, site: int, now: float) -> dict[Series, float]:
    """Return what a site shows."""
    at = last_sweep(site, now)
    return parse(PAGES.page(f"site-{site:04}", at, state.faults(at)))


@pytest.mark.parametrize("event", EVENTS)
def test_pages_have_the_names_and_labels_of_the_table(event: str) -> None:
    """Each sample is one of the table with its labels, or of the process; those of targets are all there."""
    page = page_of(state_of(event), LONELY, NOW + 3600)
    for name, labels in page:
        metric = name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        if name.startswith(("process_", "python_")):
            continue
        assert name in exposed()
        extra = {"le"} if name.endswith("_bucket") else set()
        if metric in LABELS and METRICS[metric.removeprefix("egressd_")].type is MetricType.STATESET:
            extra = {metric}
        assert {one for one, _ in labels} == LABELS[metric] | extra
    per_target = {one.full for one in METRICS.values() if {"target", "source"} <= {*one.labels}}
    lacking = per_target - {name for name, _ in page}
    assert lacking <= {"egressd_download_bytes_per_second", "egressd_target_not_needed"} | (
        {
            "egressd_target_failure",
            "egressd_target_failure_confidence",
            "egressd_probe_failures_total",
            "egressd_target_failing_since_timestamp_seconds",
        }
        if event == "normal hour"
        else {"egressd_tls_chain_expiry_timestamp_seconds", "egressd_tls_intercepted"}
    )


def test_what_varies_is_exposed() -> None:
    """The names that the generator varies are metrics that exist, so that no gap of it is dead."""
    page = page_of(state_of("site outage"), LONELY, NOW + 3600)
    shown = {name for name, _ in page} | {name for name, _ in page_of(state_of(), 0, NOW)}
    assert VARYING.keys() <= shown


def test_a_site_has_the_targets_of_a_real_plan() -> None:
    """There are as many targets as asked, on fewer hosts, of every need; each has a result and a site."""
    page = page_of(state_of(), 3, NOW)
    described = [dict(labels) for name, labels in page if name == "egressd_target_info"]
    assert len(described) == len(named(page, "egressd_target_up")) == TARGETS
    assert 1 < len({(one["host"], one["port"]) for one in described}) < TARGETS
    assert {one["need"] for one in described} == {"required", "conditional", "optional"}
    assert ("egressd_site_info", frozenset({("site", "site-0003")})) in page


def test_sources_multiply_results() -> None:
    """With two sources each target has two results, and one description."""
    pages, at = Pages(targets=20, sources=2), last_sweep(0, NOW)
    page = parse(pages.page("site", at, {}))
    assert sum(name == "egressd_target_up" for name, _ in page) == 40
    assert sum(name == "egressd_target_info" for name, _ in page) == 20


def test_numbers_move_and_series_stay() -> None:
    """From sweep to sweep a healthy site has the same series; counters grow, durations differ."""
    state = state_of()
    before, after = (parse(PAGES.page("site", at, {})) for at in (Moment(1, 1000), Moment(1, 1001)))
    assert before.keys() == after.keys()
    moved = {name for (name, labels), value in after.items() if value != before[name, labels]}
    assert "egressd_sweep_last_completed_timestamp_seconds" in moved
    assert "egressd_probe_phase_duration_seconds" in moved
    counters = [one for one in after if one[0] == "egressd_probes_total"]
    assert all(after[one] > before[one] for one in counters)
    assert state.faults(Moment(1, 1000)) == {}


@pytest.mark.parametrize("event", [name for name, one in EVENTS.items() if one is not None])
def test_a_fault_is_told_alike_by_every_metric(event: str) -> None:
    """A target that is down has a reason and a moment since when, and its last success lies before it."""
    for site in (LONELY, 20):
        page = page_of(state_of(event), site, NOW + 300)
        down = {target for target, value in named(page, "egressd_target_up").items() if value == 0}
        since = named(page, "egressd_target_failing_since_timestamp_seconds")
        succeeded = named(page, "egressd_target_last_success_timestamp_seconds")
        assert down == since.keys() == named(page, "egressd_target_failure").keys()
        assert all(succeeded[one] < since[one] < NOW + 300 for one in down)
        assert (len(down) == TARGETS) is (event == "site outage" and site == LONELY)


def test_events_are_what_they_are_called() -> None:
    """A service goes down for all within a sweep; one site is cut off alone; a rollout takes hours."""
    onsets = {name: [event_of(name).onset(site) for site in range(SITES)] for name in EVENTS if EVENTS[name]}
    together = [one for one in onsets["service outage"] if one is not None]
    assert len(together) == SITES
    assert all(NOW < one <= NOW + 60 for one in together)
    assert [site for site, one in enumerate(onsets["site outage"]) if one is not None] == [LONELY]
    begun = [one for one in onsets["rollout"] if one is not None and one <= NOW]
    assert ROLLED_OUT - 1 <= len(begun) <= ROLLED_OUT
    assert max(begun) - min(begun) > 3600


def test_an_outage_of_a_site_is_one_finding() -> None:
    """Where every target of a site fails alike, egressd has one cause; a few failures have none."""
    alone = page_of(state_of("site outage"), LONELY, NOW + 300)
    assert len([1 for name, _ in alone if name == "egressd_finding_info"]) == 1
    assert len(named(alone, "egressd_finding_target")) == TARGETS
    few = page_of(state_of("service outage"), LONELY, NOW + 300)
    assert [1 for name, _ in few if name == "egressd_finding_info"] == []


def test_a_normal_hour_is_not_silent() -> None:
    """Some sites have a lasting fault, and now and then a target fails for one sweep; most are well."""
    state = state_of()
    found = [state.faults(Moment(site, sweep)) for site in range(200) for sweep in (100, 101)]
    assert 0 < sum(map(bool, found)) < len(found) / 10


def test_the_subset_is_what_the_centre_keeps() -> None:
    """About a fifth of a page is kept: three series of a target, and a few of the site."""
    at = last_sweep(0, NOW)
    lines = [one for one in PAGES.page("site", at, {}).splitlines() if not one.startswith("#")]
    kept = [one for one in lines if is_kept_line(one)]
    assert 3 * TARGETS < len(kept) < 3 * TARGETS + 40 < len(lines) / 4


def test_every_expression_of_the_dashboards_is_filled() -> None:
    """No variable of Grafana is left in what the bench asks."""
    asked = list(dashboard_queries("target"))
    assert len(asked) > 10
    assert [one.expression for one in asked if "$" in one.expression] == []


def test_targets_are_named_by_host_and_port() -> None:
    """The events choose targets by place: each has one."""
    targets: Targets = PAGES.targets
    assert all(host and 0 < port < 65_536 for _, host, port in targets)
    assert len({name for name, _, _ in targets}) == len(targets)
