"""What judges the compressed hour finds every kind of mistake, and the files are compressed as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.alertmanager.compression import shipped, shorter
from tests.alertmanager.pages import FIRING, RESOLVED, Wrong, mistakes, told

WRONG = Wrong(began=1, ended=9, alertname="EgressCause", labels={"reason": "dns_refused_name"})
EGRESSD = {"sent_by": "egressd"}


def message(at: float, status: str, *, note: str = "egressd_alert", **labels: str) -> dict[str, Any]:
    """Return a notification with one alert, by egressd unless it says otherwise."""
    own = {"alertname": "EgressCause", "reason": "dns_refused_name", "instance": "a", **EGRESSD, **labels}
    kept = {name: value for name, value in own.items() if value}
    return {"at": at, "alerts": [{"status": status, "labels": kept, "annotations": {note: "x"}}]}


def found(*messages: Mapping[str, Any]) -> Iterator[str]:
    """Return the first words of each mistake."""
    return (one.partition(":")[0] for one in mistakes(told(messages, "a"), (WRONG,)))


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ((message(2, FIRING), message(10, RESOLVED)), []),
        ((message(2, FIRING), message(5, FIRING), message(10, RESOLVED), message(11, RESOLVED)), []),
        ((message(2, FIRING), message(10, RESOLVED), message(3, FIRING, instance="b")), []),
        ((), ["not told once and ended once"]),
        ((message(2, FIRING),), ["not told once and ended once"]),
        (
            (message(2, FIRING), message(4, RESOLVED), message(5, FIRING), message(10, RESOLVED)),
            ["not told once and ended once"],
        ),
        (
            (message(2, FIRING), message(2, FIRING, finding="other"), message(10, RESOLVED)),
            ["not told once and ended once"],
        ),
        ((message(2, FIRING), message(8, RESOLVED)), ["told at the wrong time"]),
        ((message(9.5, FIRING), message(10, RESOLVED)), ["told at the wrong time"]),
        (
            (message(2, FIRING), message(10, RESOLVED), message(3, FIRING, reason="tls_sni_reset")),
            ["nothing was wrong"],
        ),
        (
            (message(2, FIRING, note="summary"), message(10, RESOLVED)),
            ["the annotations are of the other"],
        ),
        (
            (message(2, FIRING, sent_by=""), message(10, RESOLVED, sent_by="", note="summary")),
            ["the annotations are of the other"],
        ),
    ],
)
def test_mistakes_are_found(messages: tuple[dict[str, Any], ...], said: list[str]) -> None:
    """A false, a repeated, a missing, an early and a mixed page are told apart."""
    assert list(found(*messages)) == said


def test_an_hour_of_an_hour_is_as_shipped() -> None:
    """Divided by one, a duration is the same in other words."""
    text = "for: 2m\nkeep_firing_for: 5m\nexpr: x[1h] offset 30s\ngroup_wait: 0s\n"
    same = "for: 120000ms\nkeep_firing_for: 300000ms\nexpr: x[3600000ms] offset 30000ms\ngroup_wait: 0s\n"
    assert shorter(text, 1) == same


def test_every_duration_is_divided() -> None:
    """No duration of the rules and of Alertmanager's example keeps its length, but for zero."""
    for name in ("prometheus/egressd-alerts.yml", "prometheus/egressd-recording.yml"):
        for group in yaml.safe_load(shipped(name, 40))["groups"]:
            for rule in group["rules"]:
                assert all(rule.get(key, "1ms").endswith("ms") for key in ("for", "keep_firing_for"))
                assert not [word for word in ("[1h]", "[5m]", "[2m]", "offset 10m") if word in rule["expr"]]
    route = yaml.safe_load(shipped("alertmanager/alertmanager.yml", 40))["route"]
    assert (route["group_wait"], route["group_interval"]) == ("750ms", "7500ms")
    assert shorter("for: 2m\nkeep_firing_for: 5m\n", 40) == "for: 10000ms\nkeep_firing_for: 7500ms\n"
