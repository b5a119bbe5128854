"""The rules of the fleet use the numbers of the command and series that are kept; Alertmanager fits."""

from __future__ import annotations

import re
import shutil
import subprocess
from fractions import Fraction
from typing import Any

import pytest
import yaml

from egressd.fleet import thresholds
from tests.fleet.files import FLEET, document, is_kept
from tests.prometheus.conftest import CONFIG, RULES
from tests.prometheus.expressions import metrics_in

FILES = [path for path in RULES if "fleet" in path.name]
BLAMES = "azure_service|pki_endpoint|endpoint_owner|local_host|egressd_env"
PAGING = {"EgressServiceDown", "EgressRuleRollout", "EgressSiteDiffers", "EgressSiteSilent"}
DAY, FILE_AGE, MARGIN = 86_400, 3_600, 60
"""Seconds: how long a silent site is remembered; how old a file, how late a sweep may be: as in the rules of
single hosts (`EgressdTextfileStale`, `EgressdStalled`)."""
SETTLED = 2
"""Sweeps that a site's failure must last."""
CHANCE = 100
"""One in so many sites begins to fail by chance within a day."""


def share(of: Fraction) -> tuple[int, int]:
    """Return a fraction as its two numbers."""
    return of.numerator, of.denominator


NUMBERS: dict[str, tuple[int | Fraction, ...]] = {
    "instance:egressd_sweep_interval_seconds:assumed": (FILE_AGE,),
    "instance:egressd_site_info:fresh": (1, thresholds.SILENT_INTERVALS, MARGIN, FILE_AGE),
    "site:egressd_last_seen_timestamp_seconds": (DAY,),
    "instance_target:egressd_target_unknown:group": (1,),
    "instance_target:egressd_failure:reason": (0, 1),
    "site_target:egressd_target_up:min": (0,),
    "instance_target:egressd_failure:worked": (1,),
    "instance_target:egressd_failing_since_timestamp_seconds:began": (1,),
    "site:egressd_required_failing:count": (0,),
    "site:egressd_required_failing:ratio": (0,),
    "site:egressd_cut_off:bool": (
        *share(thresholds.CUT_OFF),
        thresholds.LEAST_CUT_OFF,
        Fraction("0.5"),
        *share(thresholds.TYPICAL),
    ),
    "site_target:egressd_failure:reason": (1,),
    "endpoint:egressd_sites_working:count": (1,),
    "endpoint:egressd_reached_since_timestamp_seconds:second": (
        thresholds.LEAST_OTHERS,
        1,
        thresholds.LEAST_OTHERS,
    ),
    "instance_target:egressd_failing_since_timestamp_seconds:counted": (1, 1),
    "endpoint:egressd_failing_since_timestamp_seconds:median": (Fraction("0.5"),),
    "endpoint:egressd_sites_together:count": (thresholds.TOGETHER,),
    "endpoint:egressd_service_down:sites": (thresholds.LEAST_SITES, *share(thresholds.MOST)) * 3,
    "instance_target:egressd_failing_since_timestamp_seconds:recent": (thresholds.ROLLOUT, 1, 1, SETTLED),
    "endpoint:egressd_sites_recent_together:count": (Fraction("0.5"), thresholds.TOGETHER),
    "endpoint:egressd_rule_rollout:sites": (
        thresholds.LEAST_ROLLOUT,
        1,
        CHANCE,
        thresholds.TOGETHER,
        *share(thresholds.MOST),
        thresholds.LEAST_ROLLOUT,
    ),
    "site:egressd_targets_differing:count": (SETTLED, 1),
}
"""The numbers of each recording, in their order; a recording that is left out has none."""


def fleet_rules() -> list[dict[str, Any]]:
    """Return the rules of the fleet."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES)
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def numbers_in(expression: str) -> tuple[Fraction, ...]:
    """Return the numbers of an expression, but for those of times in brackets and offsets."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\boffset \w+', "", expression)
    return tuple(Fraction(one) for one in re.findall(r"(?<![\w:])\d+(?:\.\d+)?", bare))


def judging() -> list[dict[str, Any]]:
    """Return the recordings that judge; what numbers states for the dashboard does not."""
    return [one for one in fleet_rules() if "record" in one and not one["record"].endswith(":code")]


@pytest.mark.parametrize("rule", judging(), ids=lambda one: one["record"])
def test_numbers_are_those_of_the_command(rule: dict[str, Any]) -> None:
    """Every number of a recording is one of `egressd.fleet.thresholds`, or is named here."""
    assert numbers_in(rule["expr"]) == NUMBERS.get(rule["record"], ())


def test_every_number_is_of_a_recording() -> None:
    """No number above is of a rule that does not exist."""
    assert set(NUMBERS) <= {one.get("record") for one in fleet_rules()}


def test_every_series_of_the_rules_is_kept() -> None:
    """The rules of the fleet read nothing that sites don't send to the centre."""
    recorded = {one["record"] for one in fleet_rules() if "record" in one}
    asked = {name for one in fleet_rules() for name in metrics_in(one["expr"])} - recorded
    assert len(asked) > 10
    assert {name for name in asked if not is_kept(name)} == {"egressd_target_outcome"}
    outcomes = {
        word
        for one in fleet_rules()
        for word in re.findall(r'egressd_target_outcome=~?"([^"]*)"', one["expr"])
    }
    assert outcomes == {"unknown"}
    assert is_kept("egressd_target_outcome", "unknown")


@pytest.mark.parametrize(
    "rule", [one for one in fleet_rules() if one.get("alert") in PAGING], ids=lambda one: one["alert"]
)
def test_a_page_says_where(rule: dict[str, Any]) -> None:
    """The one line that is read first names the site, or the endpoint."""
    text = rule["annotations"]["summary"]
    assert "{{ $labels.site }}" in text or "{{ $labels.host }}:{{ $labels.port }}" in text


def all_alerts() -> set[str]:
    """Return the names of all alerts that are shipped."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return {
        rule["alert"]
        for file in files
        for group in file["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a route and all below it."""
    return [route, *(below for one in route.get("routes", ()) for below in routes(one))]


def test_alertmanager_names_existing_alerts_and_receivers() -> None:
    """Routes and inhibitions match alerts that exist, and every receiver is defined."""
    file = document("alertmanager.yml")
    matchers = [one for route in routes(file["route"]) for one in route.get("matchers", ())]
    for rule in file["inhibit_rules"]:
        matchers += [*rule["source_matchers"], *rule["target_matchers"]]
    patterns = [found[1] for one in matchers if (found := re.fullmatch(r'alertname =~? "(.*)"', one))]
    assert len(patterns) > 20
    for pattern in patterns:
        assert [name for name in all_alerts() if re.fullmatch(pattern, name)], pattern
        assert all(re.fullmatch(part, "") is None for part in pattern.split("|"))
    receivers = {one["name"] for one in file["receivers"]}
    assert {one.get("receiver", file["route"]["receiver"]) for one in routes(file["route"])} == receivers


def test_alertmanager_has_the_inhibitions_of_single_hosts() -> None:
    """What the example for single hosts inhibits, that for a fleet does too."""
    single = yaml.safe_load((CONFIG / "alertmanager" / "alertmanager.yml").read_text(encoding="utf-8"))
    own = document("alertmanager.yml")["inhibit_rules"]
    for rule in single["inhibit_rules"]:
        alike = [one for one in own if one["source_matchers"] == rule["source_matchers"]]
        assert any(
            set(rule["target_matchers"]) <= set(one["target_matchers"]) and rule["equal"] == one["equal"]
            for one in alike
        ), rule


def seconds(text: str) -> int:
    """Return a duration in seconds."""
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def test_single_sites_wait_for_what_explains_them() -> None:
    """Alerts of single sites wait until those of the fleet have come, and those outlast what they explain."""
    root = document("alertmanager.yml")["route"]
    groups = [group for path in FILES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]]
    scrape = document("prometheus-central.yml")["global"]["scrape_interval"]
    interval = 60
    known = SETTLED * interval + seconds(scrape) + sum(seconds(one["interval"]) for one in groups)
    assert seconds(root["group_wait"]) >= known
    explains = [one for one in fleet_rules() if one.get("alert") == "EgressFleetExplains"]
    ends = max(seconds(rule["keep_firing_for"]) for rule in single_host_rules())
    assert {seconds(one["keep_firing_for"]) for one in explains} == {20 * 60}
    assert ends + seconds(root["group_interval"]) < 20 * 60


def single_host_rules() -> list[dict[str, Any]]:
    """Return the alerts of single hosts that end late."""
    file = yaml.safe_load((CONFIG / "prometheus" / "egressd-alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in file["groups"] for rule in group["rules"] if "keep_firing_for" in rule]


@pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed (Debian's package)")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("alertname=EgressServiceDown severity=critical reason=tcp_timeout", "on-call"),
        ("alertname=EgressServiceDown severity=info reason=tcp_timeout", "none"),
        ("alertname=EgressSiteDiffers severity=warning site=a", "network-mail"),
        ("alertname=EgressSiteSilent severity=critical site=a", "on-call"),
        ("alertname=EgressFleetExplains severity=none explains=endpoint", "none"),
        ("alertname=EgressTargetUnreachable severity=critical site=a", "on-call"),
        ("alertname=EgressCause severity=warning site=a", "network-mail"),
        ("alertname=Watchdog severity=none", "dead-mans-switch"),
    ],
)
def test_amtool_routes(labels: str, receiver: str) -> None:
    """`amtool` accepts the file and routes each alert as it says."""
    path = FLEET / "alertmanager.yml"
    checked = subprocess.run(["amtool", "check-config", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    command = ["amtool", "config", "routes", "test", f"--config.file={path}", *labels.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [receiver]
