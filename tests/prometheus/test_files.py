"""Rules, runbooks and examples are valid and consistent with the code and each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from egressd.metrics.table import METRICS, MetricType
from egressd.model.verdict import Outcome
from tests.prometheus.conftest import CONFIG, RULES, RUNBOOKS, needs_promtool, promtool
from tests.prometheus.expressions import LABELS, OTHERS, exposed, expressions, metrics_in, rules

RUNBOOK_URL = re.compile(r"https://docs\.corp\.example/egressd/runbooks/([a-z]+\.md)#([a-z]+)")
ALERTS = [one for one in rules() if "alert" in one]


def test_every_metric_exists() -> None:
    """Every metric in rules and panels exists: a rule on a renamed metric would never fire."""
    recorded = {one["record"] for one in rules() if "record" in one}
    known = exposed() | recorded | OTHERS
    asked = {name for expression in expressions() for name in metrics_in(expression)}
    assert asked - known == set()
    assert len(asked & exposed()) > 20


def test_every_label_exists() -> None:
    """Matchers and groupings use labels that the metrics have."""
    known = LABELS | {label for one in METRICS.values() for label in one.labels}
    known |= {one.full for one in METRICS.values() if one.type is MetricType.STATESET}
    known |= {"alertname", "alertstate", "severity"}
    for expression in expressions():
        used = re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", expression)
        lists = re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", expression)
        used += [one for names in lists for one in re.findall(r"[a-z_]+", names)]
        assert set(used) - known == set(), expression


def test_outcomes_in_rules_exist() -> None:
    """Rules match existing outcome values only."""
    asked = {
        word
        for expression in expressions()
        for words in re.findall(r'egressd_target_outcome=~?"([^"]*)"', expression)
        for word in words.split("|")
    }
    assert asked
    assert asked <= set(Outcome)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["alert"])
def test_an_alert_rule_is_complete(alert: dict[str, Any]) -> None:
    """Every rule has severity, summary, description, and a runbook URL whose heading is the alert's name."""
    assert alert["labels"]["severity"] in {"critical", "warning", "info", "none"}
    notes = alert["annotations"]
    assert notes["summary"]
    assert len(notes["description"]) > len(notes["summary"])
    found = RUNBOOK_URL.fullmatch(notes["runbook_url"])
    assert found is not None
    text = (RUNBOOKS / found[1]).read_text(encoding="utf-8")
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    assert alert["alert"] in headings
    assert found[2] == alert["alert"].lower()


@pytest.mark.parametrize("alert", ALERTS, ids=lambda one: one["alert"])
def test_descriptions_name_reason_and_blame(alert: dict[str, Any]) -> None:
    """Rules about the network name reason and blame, or where to find them, and what to do."""
    text = alert["annotations"]["description"]
    if alert["alert"].startswith("Egressd") or alert["alert"] == "Watchdog":
        return
    assert "reason" in text.lower()
    assert "blame" in text
    assert re.search(r"[Aa]sk|advice|NTP", text)


def test_every_runbook_has_an_alert() -> None:
    """Every runbook heading has an alert, and its four sections."""
    names = {one["alert"] for one in ALERTS}
    for path in RUNBOOKS.glob("*.md"):
        for part in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, text = part.partition("\n")
            assert name in names
            for heading in ("**Meaning.**", "**Confirm.**", "**Call.**", "**Send.**"):
                assert heading in text, f"{name} {heading}"


def test_every_alert_has_a_test() -> None:
    """Every alert fires in a promtool unit test."""
    fired: set[str] = set()
    for path in (CONFIG / "prometheus" / "tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            fired |= {one["alertname"] for one in test.get("alert_rule_test", ()) if one.get("exp_alerts")}
    assert fired == {one["alert"] for one in ALERTS}


def test_alertmanager_example_matches_existing_alerts() -> None:
    """Routes and inhibitions match existing alerts and labels, and receivers are defined."""
    file = yaml.safe_load((CONFIG / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    names = {one["alert"] for one in ALERTS}
    matchers = [one for route in file["route"]["routes"] for one in route["matchers"]]
    for rule in file["inhibit_rules"]:
        matchers += [*rule["source_matchers"], *rule["target_matchers"]]
    for matcher in matchers:
        label, wanted = re.fullmatch(r'(\w+) =~? "(.*)"', matcher).groups()  # type: ignore[union-attr]  # fails
        if label == "alertname":
            assert [name for name in names if re.fullmatch(wanted, name)], matcher
    receivers = {one["name"] for one in file["receivers"]}
    assert {file["route"]["receiver"], *(one["receiver"] for one in file["route"]["routes"])} == receivers


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed (Debian's package)")
def test_amtool_checks_the_alertmanager_example() -> None:
    """`amtool check-config` accepts the example."""
    path = CONFIG / "alertmanager" / "alertmanager.yml"
    done = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, check=False)
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stdout + done.stderr


@needs_promtool
def test_promtool_checks_rules() -> None:
    """`promtool check rules` passes, without duplicates."""
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@needs_promtool
def test_promtool_checks_the_configuration() -> None:
    """`promtool check config` accepts the scrape example and finds its rules."""
    assert "2 rule files found" in promtool("check", "config", CONFIG / "prometheus" / "prometheus.yml")


@needs_promtool
def test_promtool_checks_the_web_configuration() -> None:
    """`promtool check web-config` accepts the example for TLS and passwords."""
    promtool("check", "web-config", CONFIG / "web.yml")


@needs_promtool
def test_rules_pass_their_unit_tests() -> None:
    """The promtool unit tests of the rules pass."""
    promtool("test", "rules", *sorted((CONFIG / "prometheus" / "tests").glob("*.yml")))
