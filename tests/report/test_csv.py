"""The CSV report."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from egressd.model.verdict import Outcome, Sweep
from egressd.report.ticket.csv import COLUMNS, render_csv

SweepOf = Callable[..., Sweep]
RowOf = Callable[..., object]


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_has_the_fields_of_a_firewall_log(sweep_of: SweepOf, row: RowOf) -> None:
    """Each target and source is a row with verdict, five-tuple, time, evidence and advice."""
    rows = _read(render_csv(sweep_of(row(), row(host="a.example", outcome=Outcome.BLOCKED))))
    assert [one["target"] for one in rows] == ["row-0/mcr.microsoft.com:443", "row-1/a.example:443"]
    assert (
        rows[1]
        | {
            "outcome": "blocked",
            "phase": "tcp",
            "reason": "tcp_ip_blocked_silent",
            "blame": "firewall_l3l4",
            "time": "2026-11-20T03:10:04.120Z",
            "local_address": "10.0.0.5",
            "local_port": "40000",
            "remote_address": "203.0.113.9",
            "remote_port": "443",
            "advice": "Allow tcp/443.",
            "blame_confidence": "high",
            "suspects": "firewall_l3l4 azure_service",
        }
        == rows[1]
    )
    assert "the log for 10.0.0.5:40000" in rows[1]["decided_by"]
    assert rows[0]["reason"] == ""


@settings(max_examples=60)
@given(hostile=st.text(max_size=60) | st.sampled_from(["=1+1", "+x", "-x", "@x", "\t=1", "a\r\nb", '"']))
def test_no_cell_is_a_formula(sweep_of: SweepOf, row: RowOf, hostile: str) -> None:
    """Text from the network stays in its cell and is never a formula."""
    text = render_csv(
        sweep_of(row(host="a.example", outcome=Outcome.DOWN, evidence=(hostile,), advice=hostile))
    )
    assert text.count("\r\n") == text.count("\n") == 2
    (one,) = _read(text)
    assert tuple(one) == COLUMNS
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in one.values())
