"""The foreign suites: badssl's hosts, OONI's web connectivity scenarios, blackbox_exporter's prober tests."""

from __future__ import annotations

from functools import partial

from tests.foreign.badssl.rows import ROWS as BADSSL_ROWS
from tests.foreign.badssl.servers import build as build_badssl
from tests.foreign.blackbox.rows import ROWS as BLACKBOX_ROWS
from tests.foreign.blackbox.rows import SCENARIO
from tests.foreign.blackbox.servers import build as build_blackbox
from tests.foreign.expectation import Row
from tests.foreign.ooni.network import build as build_ooni
from tests.foreign.ooni.rows import SCENARIOS
from tests.foreign.suite import Suite

SUITES: tuple[Suite, ...] = (
    Suite(name="badssl", build=build_badssl, rows=BADSSL_ROWS),
    Suite(
        name="ooni-A",
        build=partial(build_ooni, with_second=False),
        rows=tuple(one.alone for one in SCENARIOS),
    ),
    Suite(
        name="ooni-B",
        build=partial(build_ooni, with_second=True),
        rows=tuple(one.with_second for one in SCENARIOS),
    ),
    Suite(name="blackbox", build=build_blackbox, rows=BLACKBOX_ROWS),
)


def scenario_of(suite: Suite, row: Row) -> tuple[str, str]:
    """Return the suite and scenario that a row counts for: a scenario may have several rows and setups."""
    name = suite.name.partition("-")[0]
    return name, SCENARIO[row.name] if name == "blackbox" else row.name
