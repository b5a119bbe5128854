"""Every alert has one speaker in each mode: egressd itself, or the rules."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from egressd.model.alert import AlertName
from egressd.notify.content.labels import SENT_BY
from tests.prometheus.conftest import CONFIG, RULES, needs_promtool, promtool

YIELDS = "unless on (job, instance) instance:egressd_alertmanager_receiver:reached"
"""What a rule ends with that leaves its alert to egressd."""
PROFILE = "EgressProfileUnreachable"
"""It stands in for alerts that waited too long in Prometheus; egressd's critical alerts don't wait."""
SHIPPED = sorted(
    set((CONFIG / "prometheus/tests").glob("*.yml")) - {CONFIG / "prometheus/tests/speakers.yml"}
)
"""The unit tests of the rules but those of the modes themselves."""
ONLY_PROMETHEUS = {"egressd", "fleet"}
"""The tests of alerts that egressd can't send: about itself, and about many sites."""
KEPT_FIRING = {"EgressFleetExplains": "20m", "EgressSiteDiffers": "2m"}
"""What doesn't keep firing for 5 minutes: an inhibitor ends after what it inhibits, the inhibited before."""
Document = dict[str, Any]


def alerts() -> list[Document]:
    """Return every alerting rule that is shipped."""
    files = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES)
    return [one for file in files for group in file["groups"] for one in group["rules"] if "alert" in one]


@pytest.mark.parametrize("rule", alerts(), ids=lambda one: one["alert"])
def test_a_rule_leaves_to_egressd_what_it_sends_itself_and_nothing_else(rule: Document) -> None:
    """A rule yields exactly if egressd sends an alert of this name; no rule sets egressd's own label."""
    sent_by_both = rule["alert"] in {*AlertName, PROFILE}
    assert rule["expr"].rstrip().endswith(YIELDS) is sent_by_both
    assert SENT_BY[0] not in rule["labels"]


@pytest.mark.parametrize(
    "rule", [one for one in alerts() if re.match("Egress(?!d)", one["alert"])], ids=lambda one: one["alert"]
)
def test_a_missed_scrape_ends_no_alert_about_the_network(rule: Document) -> None:
    """Rules about the network keep firing over a restart of egressd or a scrape that fails."""
    assert rule["keep_firing_for"] == KEPT_FIRING.get(rule["alert"], "5m")


def in_mode(document: Document, *, configured: int, reached: int) -> Document:
    """Return promtool's tests with both gauges for each job and instance."""
    made = copy.deepcopy(document)
    made["rule_files"] = [str(path) for path in RULES]
    for test in made["tests"]:
        labels = sorted({where(one["series"]) for one in test.get("input_series", ())} - {""})
        gauges = {"configured": configured, "reached": reached}
        test["input_series"] = [
            *test.get("input_series", ()),
            *(
                {"series": f"egressd_alertmanager_receiver_{name}{{{pair}}}", "values": f"{value}x200"}
                for pair in labels
                for name, value in gauges.items()
            ),
        ]
    return made


def where(series: str) -> str:
    """Return the labels job and instance of a series, as text; empty where it has none."""
    inside = series.partition("{")[2].rstrip("}")
    words = [one.strip() for one in inside.split(",")]
    return ", ".join(one for one in words if one.startswith(("job=", "instance=")))


@needs_promtool
@pytest.mark.parametrize(("configured", "reached"), [(0, 1), (1, 0)])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda one: one.stem)
def test_the_rules_speak_where_egressd_does_not(
    path: Path, configured: int, reached: int, tmp_path: Path
) -> None:
    """Without a receiver, or with one that reaches no Alertmanager, every alert of a rule fires."""
    document = in_mode(yaml.safe_load(path.read_text("utf-8")), configured=configured, reached=reached)
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", tmp_path / "test.yml")


@needs_promtool
@pytest.mark.parametrize("path", SHIPPED, ids=lambda one: one.stem)
def test_the_rules_are_quiet_where_egressd_speaks(path: Path, tmp_path: Path) -> None:
    """With a receiver only the alerts fire that egressd can't send."""
    document = in_mode(yaml.safe_load(path.read_text("utf-8")), configured=1, reached=1)
    expected = 0
    for test in document["tests"]:
        test.pop("promql_expr_test", None)
        for one in test.get("alert_rule_test", ()):
            if one["alertname"] in {*AlertName, PROFILE}:
                one["exp_alerts"] = []
            expected += len(one.get("exp_alerts", ()))
    assert bool(expected) is (path.stem in ONLY_PROMETHEUS)
    (tmp_path / "test.yml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", tmp_path / "test.yml")
