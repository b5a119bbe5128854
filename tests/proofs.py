"""Which test shows which reason code on real sockets, read from the tables of those tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from egressd.attribution.reasons import find_reason
from egressd.lab.faults import FAULTS
from tests.foreign.misses import MISSES
from tests.foreign.suites import SUITES
from tests.net.worlds import WORLDS
from tests.servers import test_matrix

ROOT = Path(__file__).parents[1]
UNPROVEN = ROOT / "docs" / "unproven.md"
SINGLE = {
    "site_wildcard_rule_incomplete": "tests/lab/test_across_names.py::test_wildcard_rule_incomplete",
    "local_paused": "tests/daemon/test_pauses.py::test_a_host_that_stands_still_again_and_again_is_named",
    "proxy_arc_unreachable": "tests/lab/test_arc_gateway.py::test_an_arc_proxy_that_is_gone",
    "proxy_arc_no_gateway": "tests/lab/test_arc_gateway.py::test_a_gateway_that_is_blocked",
    "proxy_arc_denied": "tests/lab/test_arc_gateway.py::test_a_name_that_the_gateway_does_not_forward",
    "proxy_arc_failed": "tests/lab/test_arc_gateway.py::test_an_agent_that_opens_no_tunnel",
    "dns_private_link_unexpected": "tests/lab/test_across_names.py::test_unexpected_private_endpoint",
    "site_change_correlated": "tests/lab/test_fleet.py::test_a_rule_that_is_rolled_out",
    "dns_derived_name_absent": "tests/lab/test_across_names.py::test_absent_derived_name",
}
"""Tests that are in no table."""
_ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (.+) \|$", re.MULTILINE)

Shown = tuple[str, str]
"""A code, and the test that proves it."""


def proofs() -> Mapping[str, tuple[str, ...]]:
    """Return the tests that prove each code, those in namespaces first."""
    found: dict[str, dict[str, None]] = {}
    single = ((code, f"test: `{name}`") for code, name in SINGLE.items())
    for code, where in (*_namespaces(), *_servers(), *_lab(), *single):
        reason = find_reason(code)
        if reason is not None:
            found.setdefault(reason.code, {})[where] = None
    for code, where in _foreign():  # only what no table of our own shows
        found.setdefault(code, {where: None})
    return {code: tuple(places) for code, places in found.items()}


def unproven() -> Mapping[str, str]:
    """Return the codes that no test can prove, and why."""
    return dict(_ROW.findall(UNPROVEN.read_text(encoding="utf-8")))


def _namespaces() -> Iterator[Shown]:
    for world in WORLDS:
        for one in world.rows:
            for code in {one.reason: None, one.finding: None, one.also: None}:
                yield code, f"namespaces: `{one.name}`"


def _servers() -> Iterator[Shown]:
    """Yield the codes that a case proves; one that allows several codes proves none."""
    for parameters in test_matrix.CASES:
        (case,) = parameters.values
        assert isinstance(case, test_matrix.Case)
        certain = case.reasons if len(case.reasons) == 1 else ()
        for code in (*certain, case.also):
            yield code, f"real servers: `{parameters.id}`"


def _foreign() -> Iterator[Shown]:
    """Yield the codes that a row of a foreign suite proves; one that allows several codes proves none."""
    for suite in SUITES:
        for one in suite.rows:
            if len(one.reasons) == 1 and one.reasons[0] and one.name not in MISSES.get(suite.name, {}):
                yield one.reasons[0], f"foreign suites: `{suite.name} {one.name}`"


def _lab() -> Iterator[Shown]:
    for fault in FAULTS.values():
        for codes in (fault.reasons, fault.everywhere):
            if len(codes) == 1:
                yield codes[0], f"lab: `{fault.name}`"
        for code in fault.notes:
            yield code, f"lab: `{fault.name}`"
