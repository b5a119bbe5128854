"""The files of config/fleet are valid, keep one list of series, and fit the rules and each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from egressd.config import Flags, load_settings
from egressd.model.verdict import Outcome
from tests.fleet.files import (
    AGENT,
    CENTRAL,
    FLEET,
    PASSWORD,
    collector_job,
    document,
    flags,
    install,
    is_kept,
    keep_lists,
    kept_names,
)
from tests.prometheus.conftest import CONFIG, RULES, needs_promtool, promtool
from tests.prometheus.expressions import FLEET as DASHBOARD
from tests.prometheus.expressions import asked, exposed, metrics_in, rules

PROMETHEUS = CONFIG / "prometheus"
MANUAL = Path(__file__).parents[2] / "docs" / "fleet.md"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder with the files, as in /etc/prometheus."""
    install(tmp_path)
    return tmp_path


@needs_promtool
def test_promtool_accepts_the_agent(installed: Path) -> None:
    """`promtool check config --agent` accepts the agent's configuration."""
    assert "SUCCESS" in promtool("check", "config", "--agent", installed / f"{AGENT}.yml")


@needs_promtool
def test_promtool_accepts_the_centre(installed: Path) -> None:
    """`promtool check config` accepts the centre's, and finds every file of rules and the sites."""
    found = promtool("check", "config", installed / f"{CENTRAL}.yml")
    assert f"{len(RULES)} rule files found" in found
    assert "SUCCESS" in found


@needs_promtool
def test_promtool_accepts_the_logins(installed: Path) -> None:
    """`promtool check web-config` accepts the centre's TLS and passwords."""
    promtool("check", "web-config", installed / "web-central.yml")


@needs_promtool
def test_promtool_accepts_the_scrape_job_of_the_collector(tmp_path: Path) -> None:
    """What the collector's receiver is given is a scrape job of Prometheus."""
    job = collector_job()
    assert job.pop("scrape_protocols") == ["PrometheusText0.0.4"]  # promtool 2.42 does not know it yet
    path = tmp_path / "job.yml"
    path.write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    assert "SUCCESS" in promtool("check", "config", "--agent", path)


def test_there_is_one_keep_list() -> None:
    """Every file keeps the same series."""
    first, *others = keep_lists().values()
    assert [one for one in others if one != first] == []


def test_the_manual_has_the_keep_list() -> None:
    """The table of the manual names each kept series, and no other."""
    text = MANUAL.read_text(encoding="utf-8")
    part = text.partition("## Get the series to one place")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)", row)}
    assert named == kept_names()


def test_what_is_kept_is_exposed() -> None:
    """Each name of the list is a series that egressd or Prometheus has, and most series are left out."""
    assert kept_names() - exposed() == {"up"}
    assert len([name for name in exposed() if is_kept(name)]) < len(exposed()) / 2


def test_of_the_outcomes_only_unknown_is_kept() -> None:
    """Of the five series of a target's outcome one is kept: the others follow from `egressd_target_up`."""
    assert [one for one in Outcome if is_kept("egressd_target_outcome", one)] == [Outcome.UNKNOWN]


def test_no_histogram_is_kept() -> None:
    """What has a series for each phase or bucket stays at the site."""
    assert not is_kept("egressd_phase_latency_seconds_bucket")
    assert not is_kept("egressd_probe_phase_duration_seconds")
    assert is_kept("up")


def test_every_site_says_site_and_instance() -> None:
    """Agent, collector and file of sites give each host both labels; no two hosts share an instance."""
    (group,) = document(f"{AGENT}.yml")["scrape_configs"][0]["static_configs"]
    sites = [one["labels"] for one in document("sites.yml")]
    assert {*group["labels"]} == {"site", "instance"}
    assert all({*one} == {"site", "instance"} for one in sites)
    instances = [one["instance"] for one in (*sites, group["labels"])]
    assert len({*instances}) == len(instances)
    processors = document("otel-collector.yml")["processors"]
    given = {one["key"]: one["value"] for one in processors["resource/instance"]["attributes"]}
    given |= {one["key"]: one["value"] for one in processors["attributes/site"]["actions"]}
    assert given == {"service.instance.id": group["labels"]["instance"], "site": group["labels"]["site"]}


def test_egressd_at_a_site_is_called_what_its_agent_calls_it(tmp_path: Path) -> None:
    """The example of a site's configuration loads, with the labels that its agent gives it."""
    (tmp_path / "am-password").write_text(PASSWORD, encoding="utf-8")
    path = tmp_path / "egressd.yml"
    text = (FLEET / "egressd.yml").read_text(encoding="utf-8")
    path.write_text(text.replace("/etc/egressd/", f"{tmp_path}/"), encoding="utf-8")
    settings = load_settings(path, Flags())
    (group,) = document(f"{AGENT}.yml")["scrape_configs"][0]["static_configs"]
    assert settings.site == group["labels"]["site"]
    assert settings.alerting.instance == group["labels"]["instance"]


def test_the_job_is_egressd_everywhere() -> None:
    """The rules look for the job by that name."""
    jobs = [document(f"{name}.yml")["scrape_configs"][0]["job_name"] for name in (AGENT, CENTRAL)]
    assert {*jobs, collector_job()["job_name"]} == {"egressd"}


def test_the_centre_takes_what_an_agent_keeps() -> None:
    """The window for late samples is as long as an agent keeps them; its log is cut at most twice within."""
    window = document(f"{CENTRAL}.yml")["storage"]["tsdb"]["out_of_order_time_window"]
    assert window == "12h"
    assert f"--storage.agent.retention.max-time={window}" in flags(AGENT)
    assert "--storage.agent.wal-truncate-frequency=6h" in flags(AGENT)
    queue = document("otel-collector.yml")["exporters"]["prometheusremotewrite"]["remote_write_queue"]
    assert queue["queue_size"] * 30 == 12 * 3600


def test_each_agent_may_log_in() -> None:
    """The logins in the files of the sites are among those of the centre."""
    (remote,) = document(f"{AGENT}.yml")["remote_write"]
    login = document("otel-collector.yml")["extensions"]["basicauth/fleet"]["client_auth"]
    assert {remote["basic_auth"]["username"], login["username"]} <= {
        *document("web-central.yml")["basic_auth_users"]
    }
    assert document("otel-collector.yml")["exporters"]["prometheusremotewrite"]["endpoint"] == remote["url"]


def test_the_collectors_pipeline_is_wired() -> None:
    """Every part of the collector that is defined is used, and every part that is used is defined."""
    file = document("otel-collector.yml")
    (pipeline,) = file["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert pipeline[kind] == [*file[kind]]
    assert file["service"]["extensions"] == [*file["extensions"]]
    assert file["exporters"]["prometheusremotewrite"]["auth"]["authenticator"] in file["extensions"]


COLLECTOR_KEYS = {
    "endpoint", "tls", "auth", "timeout", "add_metric_suffixes", "target_info", "remote_write_queue",
    "retry_on_failure",
}  # fmt: skip
"""Of the exporter's documented keys, those that are used; others would stop the collector at its start."""


def test_the_collectors_keys_are_documented_ones() -> None:
    """The exporter's block has keys that its documentation has, in all versions since 2023."""
    exporter = document("otel-collector.yml")["exporters"]["prometheusremotewrite"]
    assert {*exporter} == COLLECTOR_KEYS
    assert {*exporter["remote_write_queue"]} == {"enabled", "queue_size", "num_consumers"}
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"  # never gives up
    assert exporter["add_metric_suffixes"] is False


def test_the_manual_names_every_file() -> None:
    """README.md of the folder has a row for each file."""
    text = (FLEET / "README.md").read_text(encoding="utf-8")
    missing = [path.name for path in FLEET.iterdir() if path.name != "README.md" and path.name not in text]
    assert missing == []


def series_of(expression: str) -> set[str]:
    """Return the series that an expression reads, through the recordings, of which some read themselves."""
    recorded = {one["record"]: one["expr"] for one in rules() if "record" in one}
    found, waiting = set[str](), metrics_in(expression)
    while waiting - found:
        name = (waiting - found).pop()
        found.add(name)
        waiting |= metrics_in(recorded.get(name, ""))
    return found - {*recorded}


def reads_kept_series_only(rule: dict[str, Any]) -> bool:
    """Whether a rule works with the list; that of a daemon without a sweep has a part that does not."""
    return series_of(rule["expr"]) <= {*kept_names(), "process_start_time_seconds"}


def alerts_of(path: Path) -> list[dict[str, Any]]:
    """Return the alerting rules of a file."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return [one for group in groups for one in group["rules"] if "alert" in one]


def test_the_manual_names_the_alerts_that_work_with_the_list() -> None:
    """Alerts on single hosts that read only kept series are named, and no others."""
    text = MANUAL.read_text(encoding="utf-8").partition("these work with it:")[2].partition("The others")[0]
    alerts = [one for one in alerts_of(PROMETHEUS / "egressd-alerts.yml") if one["expr"] != "vector(1)"]
    silent = {one["alert"] for one in alerts if not reads_kept_series_only(one)}
    assert {*re.findall(r"`(Egress\w+)`", text)} == {one["alert"] for one in alerts} - silent


def test_every_alert_of_the_fleet_works_with_the_list() -> None:
    """No rule of the fleet reads a series that the centre does not have."""
    alerts = alerts_of(PROMETHEUS / "egressd-fleet-alerts.yml")
    assert alerts
    assert [one["alert"] for one in alerts if not reads_kept_series_only(one)] == []


def test_the_fleets_dashboard_works_with_the_list() -> None:
    """No panel reads a series that the centre does not have."""
    made = {"ALERTS", "ALERTS_FOR_STATE"}
    assert [one for one in asked(DASHBOARD) if not series_of(one) <= kept_names() | made] == []
