"""Labels of alerts: those of the shipped Prometheus rules and who sent them; Alertmanager's fingerprint."""

from __future__ import annotations

import re
from collections.abc import Mapping

from egressd.model.alert import Condition
from egressd.model.notification import Alerting

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
SENT_BY = ("sent_by", "egressd")
"""The label that no alert of a Prometheus rule has: what Prometheus ends is never an alert of egressd's."""
_OFFSET, _PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF
"""FNV-1a, 64 bits."""
_SEPARATOR = b"\xff"


def labels_of(condition: Condition, rules: Alerting) -> dict[str, str]:
    """Return the labels a rule's alert has, and that egressd sent it; sorted by name.

    As in Prometheus, external labels (`rules.labels`) overwrite nothing. Empty ones are left out, and so are
    names that are none: Alertmanager would refuse every alert of the same request.
    """
    own = {
        **dict(rules.labels),
        **dict(condition.labels),
        "job": rules.job,
        "instance": rules.instance,
        "alertname": condition.alertname.value,
        "severity": condition.severity.value,
        SENT_BY[0]: SENT_BY[1],
    }
    return {name: own[name] for name in sorted(own) if own[name] and _NAME.fullmatch(name)}


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return what Alertmanager shows as an alert's fingerprint: FNV-1a over names and values, in hex."""
    hashed = _OFFSET
    for name in sorted(labels):
        for word in (name, labels[name]):
            for byte in word.encode("utf-8", "replace") + _SEPARATOR:
                hashed = ((hashed ^ byte) * _PRIME) & _MASK
    return f"{hashed:016x}"
