"""The lab's page is fresh: its table is the code's, its examples can be typed."""

from __future__ import annotations

import re
from pathlib import Path

from egressd.lab import parse_switch
from egressd.lab.faults.console import markdown_table

PAGE = Path(__file__).parents[2] / "docs" / "lab.md"


def test_the_table_is_the_codes() -> None:
    """After a change of faults, the end of the page is replaced by what `markdown_table` returns."""
    assert PAGE.read_text(encoding="utf-8").endswith("\n\n" + markdown_table())


def test_every_fault_it_writes_can_be_switched_on() -> None:
    """Examples of FAULT=HOST are read by the lab's own parser."""
    text = PAGE.read_text(encoding="utf-8")
    written = re.findall(r"\b[a-z0-9_]+=[a-z0-9*.-]*[a-z0-9*](?::\d+)?", text)
    assert len(written) > 6
    for one in written:
        assert str(parse_switch(one)) == one
