"""`docs/alerts.md` has the severities and times of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from egressd.alerting.lifecycle import HOLD_SECONDS
from egressd.model.alert import AlertName
from egressd.model.notification import Severity

ROWS = [
    line
    for line in (Path(__file__).parents[2] / "docs/alerts.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| `Egress")
]


@pytest.mark.parametrize(("name", "severity"), sorted(HOLD_SECONDS))
def test_the_page_says_how_urgent_and_how_soon(name: AlertName, severity: Severity) -> None:
    """Each alert has a row with each of its severities and times."""
    (row,) = [one for one in ROWS if f"`{name}`" in one]
    seconds = HOLD_SECONDS[name, severity]
    assert severity in row
    assert (f"{seconds / 60:.0f} min" if seconds else "0 s") in row
