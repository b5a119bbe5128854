"""Copied tables are read as written, and a rule that is missing, extra or at another port is seen."""

from __future__ import annotations

import pytest

from egressd.model.endpoint import Cloud
from tests.catalog.facts_tables import Fact, differences, facts_in, facts_of, rules_of, table_rows

TABLES = """\
Rows of a list.

| ID | Service | Host | Port |
|---|---|---|---|
| A-1 | Server | `{scvmm_server}` | 443 |
| A-2 | WinRM | `{scvmm_server}` | 5985 and 5986 |
| A-3 | Package index | (not named) | 443 |

| Host |
| :--- |
| `<region>.x.example:8084`<br>`y.example` |
"""


@pytest.mark.parametrize(
    ("hosts", "ports", "facts"),
    [
        ("`a.example`", "443", [("a.example", "443")]),
        ("`a.example`", "80 and 443 TCP", [("a.example", "80"), ("a.example", "443")]),
        ("`a.example`, `b.example`", "443", [("a.example", "443"), ("b.example", "443")]),
        ("`a.example`<br>`*.b.example/x`", "443", [("a.example", "443"), ("*.b.example", "443")]),
        ("`a.example` :8084", "443", [("a.example", "8084")]),
        ("`https://a.example:8084/`", "443", [("a.example", "8084")]),
        ("`http\\://a.example/*`", "", [("a.example", "80")]),
        ("`https://a.example`", "", [("a.example", "443")]),
        ("`https://a.example`", "8084", [("a.example", "8084")]),
        ("`\\*.A.example`", "80 (HTTP)", [("*.a.example", "80")]),
        ("`a.example`", "443, 1\N{EN DASH}9", [("a.example", "443"), ("a.example", "1-9")]),
        ("`a.example`", "\N{EN DASH}", [("a.example", "-")]),
        ("(the package index)", "443", []),
        ("your DNS servers", "53", []),
    ],
)  # fmt: skip
def test_cells(hosts: str, ports: str, facts: list[Fact]) -> None:
    """Hosts are what stands in backticks, with their own port before that of the column."""
    assert list(facts_of(hosts, ports)) == facts


def test_tables() -> None:
    """Every table of a text is read by its own heading; other lines are none."""
    rows = list(table_rows(TABLES))
    assert [row.get("ID") for row in rows] == ["A-1", "A-2", "A-3", None]
    assert facts_in(rows[:3], host="Host", port="Port") == {
        ("{scvmm_server}", "443"), ("{scvmm_server}", "5985"), ("{scvmm_server}", "5986"),
    }  # fmt: skip
    spelled = {"<region>": "westeurope"}
    assert facts_in(rows[3:], host="Host", spelled=spelled) == {
        ("westeurope.x.example", "8084"), ("y.example", "443"),
    }  # fmt: skip


def test_a_cell_that_is_lost_is_no_row() -> None:
    """A line with another number of cells is a mistake of the copy, not a row."""
    with pytest.raises(ValueError, match="3 cells in a table of 4 columns"):
        list(table_rows(TABLES.replace("| 5985 and 5986 |", "|")))


def test_rules_of_one_profile() -> None:
    """A profile's own rules, without those it includes, with the operator's values or without."""
    rows = list(table_rows(TABLES))[:3]
    expected = facts_in(rows, host="Host", port="Port", spelled={"{scvmm_server}": "<scvmm_server>"})
    server = rules_of("scvmm", keep=lambda row: "{scvmm_server}" in row.pattern)
    assert differences(expected, server) == []
    assert ("vmm.example", "5985") in rules_of("scvmm", values={"scvmm_server": "vmm.example"})
    assert expected < rules_of("scvmm", included=True, cloud=Cloud.USGOV, region="usgovvirginia")
    assert {port for _, port in rules_of("scvmm", keep=lambda row: row.id == "sc-server")} == {"443"}


def test_what_differs_is_named() -> None:
    """A row that is missing, one too many and another port are one line each, two for the port."""
    expected = {("a.example", "443"), ("b.example", "443")}
    assert differences(expected, {("a.example", "443")}) == ["missing: b.example 443"]
    assert differences(expected, {*expected, ("c.example", "80")}) == ["not in the list: c.example 80"]
    assert differences(expected, {("a.example", "443"), ("b.example", "80")}) == [
        "missing: b.example 443",
        "not in the list: b.example 80",
    ]
