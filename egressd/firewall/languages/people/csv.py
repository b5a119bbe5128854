"""Rules as CSV (RFC 4180)."""

from __future__ import annotations

import csv
import io

from egressd.firewall.document import RuleSet
from egressd.firewall.languages.language import Language
from egressd.firewall.languages.people.as_asked import AS_ASKED
from egressd.firewall.languages.people.cells import cells
from egressd.firewall.rule import FirewallRule
from egressd.wording import harmless_cell


def _render(asked: RuleSet) -> str:
    """Write one row per rule; safe to open in a spreadsheet: no cell starts as a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(cells(FirewallRule(destination="", port=None)))
    for rule in asked.rules:
        writer.writerow(harmless_cell(cell) for cell in cells(rule).values())
    return out.getvalue()


LANGUAGE = Language(
    name="csv",
    title="CSV table",
    suffix=".csv",
    comment="",
    wildcards=AS_ASKED,
    document="",
    tried="",
    render=_render,
)
