"""The lab's page is up to date: its table is generated, its examples parse."""

from __future__ import annotations

import re
from pathlib import Path

from egressd.lab import parse_switch
from egressd.lab.faults import FAULTS
from scripts.pages.lab import fault_table

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def test_the_table_has_every_fault() -> None:
    """The page ends with the table of `make docs`, one row per fault."""
    assert PAGE.read_text(encoding="utf-8").endswith(f"\n\n{fault_table()}\n\n<!-- end: faults -->\n")
    for name in FAULTS:
        assert f"| `{name}` |" in fault_table()


def test_examples_parse() -> None:
    """Examples of FAULT=HOST are read by the lab's own parser."""
    text = PAGE.read_text(encoding="utf-8")
    written = re.findall(r"\b[a-z0-9_]+=[a-z0-9*.-]*[a-z0-9*](?::\d+)?", text)
    assert len(written) > 6
    for one in written:
        assert str(parse_switch(one)) == one
