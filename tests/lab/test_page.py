"""The lab's page is fresh: its table is the code's, its examples can be typed."""

from __future__ import annotations

import re
from pathlib import Path

from egressd.lab import parse_switch
from egressd.lab.faults import FAULTS
from scripts.pages.lab import fault_table

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def test_the_table_has_every_fault() -> None:
    """The page ends with the table that `make docs` writes, one row per fault of the code."""
    assert PAGE.read_text(encoding="utf-8").endswith(f"\n\n{fault_table()}\n\n<!-- end: faults -->\n")
    for name in FAULTS:
        assert f"| `{name}` |" in fault_table()


def test_every_fault_it_writes_can_be_switched_on() -> None:
    """Examples of FAULT=HOST are read by the lab's own parser."""
    text = PAGE.read_text(encoding="utf-8")
    written = re.findall(r"\b[a-z0-9_]+=[a-z0-9*.-]*[a-z0-9*](?::\d+)?", text)
    assert len(written) > 6
    for one in written:
        assert str(parse_switch(one)) == one
