"""egressd's alerts have the labels of the Prometheus rules, so that the same routes and inhibitions fit."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from egressd.alerting.conditions import conditions_of
from egressd.alerting.context import AlertContext
from egressd.alerting.lifecycle import HOLD_SECONDS
from egressd.model.alert import AlertName, Condition
from egressd.model.endpoint import Need
from egressd.model.notification import Alerting, Severity
from egressd.model.snapshot import ReceiverStatus, StateStatus
from egressd.model.verdict import Outcome
from tests.alerting.simulation import AlertSimulation
from tests.metrics.snapshots import EXPIRY, Row, make_snapshot, make_sweep
from tests.prometheus.conftest import RULES, needs_promtool, promtool

ROOT = Path(__file__).parents[2] / "config/prometheus"
OF_TWO_SITES = "EgressdInstanceAmbiguous"
RULE_ONLY = {"severity"}
UNITS = {"s": 1, "m": 60, "h": 3600}


def rules() -> list[dict[str, Any]]:
    """Return the alerting rules."""
    file = yaml.safe_load((ROOT / "egressd-alerts.yml").read_text(encoding="utf-8"))
    return [one for group in file["groups"] for one in group["rules"]]


def expected() -> dict[str, set[str]]:
    """Return the names of the labels of each alert, as promtool's tests have them."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").glob("*.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for test in group.get("alert_rule_test", ()):
                for alert in test.get("exp_alerts", ()):
                    found[test["alertname"]] = set(alert["exp_labels"]) - RULE_ONLY
    return found


def conditions() -> dict[AlertName, Condition]:
    """Return one condition of each alert name that a simulation can produce."""
    one = AlertSimulation(targets=dict.fromkeys("abcd", Need.REQUIRED))
    one.limits = {"resource-bridge": 86400.0}
    one.repeat(3)
    words = {"a": "blocked:tcp_port_blocked", "b": "unknown:tls_unknown", "c": "degraded:http_slow"}
    for number in range(8):
        one.probe({**words, "d": "blocked:tls_reset" if number % 2 else "ok"}, findings={"m": ("a",)})
    counters = replace(one.snapshot.counters, profiles={"resource-bridge": "2026-11-19T14:00:00.000Z"})
    receiver = ReceiverStatus(name="noc", failing_since="2026-11-20T03:00:00.000Z")
    recording = one.snapshot.sweep.recording if one.snapshot.sweep else None
    assert one.snapshot.sweep is not None
    assert recording is not None
    vantage = replace(recording.vantage, clock_offset_seconds=500.0)
    one.snapshot = replace(
        one.snapshot,
        sweep=replace(one.snapshot.sweep, recording=replace(recording, vantage=vantage)),
        counters=counters,
        receivers=(receiver,),
        config=replace(one.snapshot.config, problems=("bad",)),
        state=StateStatus(directory="/var/lib/egressd", problem="the disk is full"),
    )
    one.tick()
    found = {each.condition.alertname: each.condition for each in one.snapshot.alerts}
    counters = replace(counters, profiles={"resource-bridge": "2026-11-19T05:00:00.000Z"})
    one.snapshot = replace(one.snapshot, counters=counters)
    one.tick()
    return found | {each.condition.alertname: each.condition for each in one.snapshot.alerts}


def certificate_conditions() -> dict[AlertName, Condition]:
    """Return one condition of each alert name that needs a certificate."""
    made = make_snapshot(make_sweep(Row(outcome=Outcome.DEGRADED, reason="tls_mitm_trusted_ca")))
    assert made.sweep is not None
    settings = replace(made.settings, alerting=Alerting(instance="here:10980"))
    context = AlertContext(snapshot=replace(made, settings=settings), sweep=made.sweep, limits={})
    return {one.alertname: one for one in conditions_of(context, now=datetime.fromisoformat(EXPIRY))}


CONDITIONS = conditions() | certificate_conditions()


def test_conditions_cover_every_alert_name() -> None:
    """The conditions below cover every alert name but the receiver test."""
    assert set(CONDITIONS) == set(AlertName) - {AlertName.TEST}


@pytest.mark.parametrize("fault", sorted(CONDITIONS))
def test_labels_are_those_of_the_rule(fault: AlertName) -> None:
    """The label names are exactly those that promtool's tests expect."""
    assert {name for name, _ in CONDITIONS[fault].labels} == expected()[fault]


@needs_promtool
@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("*.yml")), ids=lambda one: one.stem)
def test_every_alert_of_a_rule_keeps_the_site_of_its_host(path: Path, tmp_path: Path) -> None:
    """A site that the scrape configuration gives is on each alert of that host, as on those of egressd."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["rule_files"] = [str(one) for one in RULES]
    for test in document["tests"]:
        test.pop("promql_expr_test", None)
        hosts = [one for one in test.get("input_series", ()) if "instance=" in one["series"]]
        for one in hosts:
            if "site=" not in one["series"]:  # an anchor is met twice
                one["series"] = one["series"].replace("{", '{site="oslo-1", ', 1)
        for one in test.get("alert_rule_test", ()):
            for alert in one.get("exp_alerts") or ():
                is_of_host = "instance" in alert["exp_labels"] and one["alertname"] != OF_TWO_SITES
                alert["exp_labels"] |= {"site": "oslo-1"} if is_of_host else {}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", tmp_path / "test.yml")


def test_an_alert_of_egressd_has_the_site_of_its_host() -> None:
    """With a site, every label is that of the rule's alert, and the site is one."""
    made = make_snapshot(make_sweep(Row(outcome=Outcome.DEGRADED, reason="tls_mitm_trusted_ca")))
    assert made.sweep is not None
    alerting = Alerting(instance="here:10980", labels=(("site", "oslo-1"),))
    settings = replace(made.settings, alerting=alerting)
    context = AlertContext(snapshot=replace(made, settings=settings), sweep=made.sweep, limits={})
    found = conditions_of(context, now=datetime.fromisoformat(EXPIRY))
    assert {(one.alertname, frozenset(dict(one.labels))) for one in found} == {
        (one.alertname, frozenset({*dict(one.labels), "site"})) for one in certificate_conditions().values()
    }
    assert {dict(one.labels)["site"] for one in found} == {"oslo-1"}


@pytest.mark.parametrize(
    "rule", [one for one in rules() if one["alert"] in set(AlertName)], ids=lambda one: one["alert"]
)
def test_a_rule_waits_as_long_as_the_engine_or_longer(rule: dict[str, Any]) -> None:
    """A rule's `for` is at least the engine's hold time, for the same severity."""
    number, unit = re.fullmatch(r"(\d+)([smh])", rule["for"]).groups()  # type: ignore[union-attr]
    held = HOLD_SECONDS[AlertName(rule["alert"]), Severity(rule["labels"]["severity"])]
    assert held <= int(number) * UNITS[unit]


def test_every_alert_of_the_engine_is_a_rule() -> None:
    """Every alert name and severity of the engine has a rule."""
    known = {(one["alert"], one["labels"]["severity"]) for one in rules()}
    assert {(fault.value, severity.value) for fault, severity in HOLD_SECONDS} <= known
