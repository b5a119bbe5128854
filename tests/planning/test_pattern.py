"""Which hosts a pattern covers, and which texts a glob matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egressd.planning.pattern import (
    CatalogHosts,
    glob_matches,
    glob_matches_host,
    pattern_covers,
    replace_wildcard,
)
from tests.planning.conftest import make_row


@pytest.mark.parametrize(
    ("pattern", "host", "deep", "expected"),
    [
        ("a.example", "a.example", False, True),
        ("a.example", "A.Example.", False, True),
        ("A.example.", "a.example", False, True),
        ("a.example", "b.example", False, False),
        ("a.example", "x.a.example", True, False),
        ("*service.example", "eastus.service.example", True, True),
        ("*service.example", "a.b-service.example", True, True),
        ("*service.example", "eastus.service.example", False, False),
        ("*service.example", "service.x.example", True, False),
        ("*service.example", "..service.example", True, False),
        ("*.example", "a.example", False, True),
        ("*.example", "example", False, False),
        ("*.example", "example", True, False),
        ("*.example", ".example", False, False),
        ("*.example", ".example", True, False),
        ("*.example", "a.b.example", False, False),
        ("*.example", "a.b.example", True, True),
        ("*.example", "a..example", True, False),
        ("*.example", "a.badexample", True, False),
        ("*.b.example", "a.b.example", True, True),
        ("*.b.example", "b.example", True, False),
        ("azgn*.bus.example", "azgn-eastus-1.bus.example", False, True),
        ("azgn*.bus.example", "azgn.bus.example", False, True),
        ("azgn*.bus.example", "g0-prod.bus.example", False, False),
        ("azgn*.bus.example", "azgn.x.bus.example", True, False),
        ("san-af-*-prod.example", "san-af-westeurope-prod.example", False, True),
        ("san-af-*-prod.example", "san-af-prod.example", False, False),
        ("*", "localhost", False, True),
        ("*", "a.b", False, False),
        ("*", "a.b", True, True),
        ("*", "", True, False),
        ("", "", False, False),
    ],
)
def test_covers(pattern: str, host: str, deep: bool, expected: bool) -> None:
    """`*` is one label, or part of one; only `deep` makes it several; never the apex."""
    assert pattern_covers(pattern, host, deep=deep) is expected


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("*:443", "a.example:443", True),
        ("*:443", "a.example:4430", False),
        ("*", "", True),
        ("rb-*", "rb-dns", True),
        ("RB-*", "rb-dns", True),
        ("rb", "rb-dns", False),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "acb", False),
        ("ab*ba", "aba", False),
        ("[a-z]", "a", False),
        ("[a-z]", "[a-z]", True),
        ("a?", "ab", False),
    ],
)
def test_matches(glob: str, text: str, expected: bool) -> None:
    """Only `*` is special: a pattern of `--only` is no regular expression."""
    assert glob_matches(glob, text) is expected


def test_a_trailing_dot_is_ignored() -> None:
    """A host matches with and without the trailing dot."""
    assert glob_matches_host("a.example.", "a.example")
    assert glob_matches_host("*.example", "a.example.")


def test_replace_wildcard() -> None:
    """A label takes the place of the first `*` and keeps what is written around it."""
    assert replace_wildcard("*.his.example", "egressd-probe-0") == "egressd-probe-0.his.example"
    assert replace_wildcard("azgn*.bus.example", "x") == "azgnx.bus.example"


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=5).map(".".join)
WEIRD = st.text(alphabet="ab*.-\u00e9 ", max_size=30)


@given(LABEL, HOST)
def test_a_wildcard_covers_one_more_label_and_not_its_apex(label: str, apex: str) -> None:
    """For every name: itself under `*`, never the bare domain, never two labels unless deep."""
    assert pattern_covers(f"*.{apex}", f"{label}.{apex}")
    assert not pattern_covers(f"*.{apex}", apex)
    assert not pattern_covers(f"*.{apex}", apex, deep=True)
    assert not pattern_covers(f"*.{apex}", f"{label}.{label}.{apex}")
    assert pattern_covers(f"*.{apex}", f"{label}.{label}.{apex}", deep=True)


@given(HOST)
def test_a_host_covers_itself_in_any_case(host: str) -> None:
    """A pattern without a wildcard is the host, whatever its case."""
    assert pattern_covers(host, host.upper() + ".")


@given(WEIRD, WEIRD)
def test_deep_only_adds(pattern: str, host: str) -> None:
    """Whatever one label covers, several do too."""
    if pattern_covers(pattern, host):
        assert pattern_covers(pattern, host, deep=True)


ROWS = st.lists(st.tuples(st.text(alphabet="aB*.{}", max_size=9), st.booleans(), st.booleans()), max_size=6)


@given(ROWS, st.text(alphabet="Ab.", max_size=9))
def test_hosts_of_the_catalog_are_those_that_a_row_covers(
    rows: list[tuple[str, bool, bool]], host: str
) -> None:
    """A placeholder stands for anything; internal servers have names of the operator's, and do not count."""
    made = [make_row("a", text, deep=deep, internal=internal) for text, deep, internal in rows]
    covered = (
        pattern_covers(re.sub(r"\{[^{}]*\}", "*", text), host, deep=deep)
        for text, deep, internal in rows
        if not internal
    )
    assert (host in CatalogHosts(made)) is any(covered)


def test_a_host_is_held_against_the_rows_that_end_as_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog ten times as long is no work for a host that it does not have."""
    known = CatalogHosts(make_row(f"r{at}", f"*.r{at}.example") for at in range(1_000))
    tried: list[str] = []

    def covers(pattern: str, host: str, *, deep: bool = False) -> bool:
        tried.append(pattern)
        return pattern_covers(pattern, host, deep=deep)

    monkeypatch.setattr("egressd.planning.pattern.pattern_covers", covers)
    assert "a.r7.example" in known
    assert "a.own.example" not in known
    assert tried == ["*.r7.example"]


@given(st.text(alphabet="ab*", max_size=12), st.text(alphabet="ab", max_size=12))
def test_matches_agrees_with_a_regular_expression(glob: str, text: str) -> None:
    """The matching without backtracking gives the result of a regular expression."""
    expression = ".*".join(re.escape(part) for part in glob.split("*"))
    assert glob_matches(glob, text) is (re.fullmatch(expression, text) is not None)


def test_a_hostile_glob_costs_little() -> None:
    """Thousands of wildcards do not backtrack."""
    assert not glob_matches("*a" * 20_000 + "b", "a" * 40_000)
