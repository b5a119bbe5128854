"""Every row of the foreign suites gets a right answer, and no answer is certain and wrong."""

from __future__ import annotations

from collections import Counter

import pytest

from egressd.attribution.reasons import find_reason
from tests.foreign.chance import FAULTS
from tests.foreign.expectation import Row
from tests.foreign.misses import MISSES, WRONG_CERTAINTIES
from tests.foreign.suite import Suite, reported
from tests.foreign.suites import SUITES, scenario_of
from tests.net.shared_sweeps import Sweeps

SCENARIOS = {"badssl": 88, "ooni": 48, "blackbox": 39}


def _marks(suite: Suite, row: Row) -> list[pytest.MarkDecorator]:
    why = MISSES.get(suite.name, {}).get(row.name)
    return [pytest.mark.xfail(reason=why, strict=True)] if why else []


CASES = tuple(
    pytest.param(suite, row, id=f"{suite.name}-{row.name}", marks=_marks(suite, row))
    for suite in SUITES
    for row in suite.rows
)


@pytest.mark.parametrize(("suite", "row"), CASES)
def test_row(suite: Suite, row: Row, foreign_sweeps: Sweeps) -> None:
    """The target gets one of the right outcomes, reasons and blames, no surer than the facts allow."""
    assert row.mismatches(reported(foreign_sweeps.of(suite), row)) == []


@pytest.mark.parametrize("suite", SUITES, ids=[one.name for one in SUITES])
def test_nothing_wrong_is_certain(suite: Suite, foreign_sweeps: Sweeps) -> None:
    """No claim is confirmed and wrong, and no target is ok where a client fails."""
    run = foreign_sweeps.of(suite)
    known = WRONG_CERTAINTIES.get(suite.name, ())
    wrong = {row.name: row.wrong_certainties(reported(run, row)) for row in suite.rows}
    assert {name: why for name, why in wrong.items() if why and name not in known} == {}
    assert [name for name in known if not wrong[name]] == []


@pytest.mark.parametrize("suite", SUITES, ids=[one.name for one in SUITES])
def test_findings_accuse_as_their_targets_may(suite: Suite, foreign_sweeps: Sweeps) -> None:
    """A finding blames nobody whom one of its targets clears, and nobody more surely than a target may."""
    run = foreign_sweeps.of(suite)
    rows = {reported(run, row)["id"]: row for row in suite.rows if row.name not in MISSES.get(suite.name, {})}
    wrong = {
        (one["id"], target): why
        for one in run.report["findings"]
        for target in one["targets"]
        if target in rows and (why := rows[target].blame_mismatches(one))
    }
    assert wrong == {}


@pytest.mark.parametrize("suite", SUITES, ids=[one.name for one in SUITES])
def test_sweep_is_whole(suite: Suite, foreign_sweeps: Sweeps) -> None:
    """Every row has a target, nothing else was probed, and nothing of ours went wrong."""
    run = foreign_sweeps.of(suite)
    probed = sorted(one["endpoint"] for one in run.report["targets"])
    assert probed == sorted(one.name.lower() for one in suite.rows)
    assert "Traceback" not in run.stderr
    assert "internal_error" not in run.reasons()


def test_scenarios_are_complete() -> None:
    """Each suite has its scenarios, each row a name of its own, and every miss is a row."""
    scenarios = {scenario_of(suite, row) for suite in SUITES for row in suite.rows}
    assert Counter(name for name, _ in scenarios) == SCENARIOS
    names = {suite.name: [one.name for one in suite.rows] for suite in SUITES}
    names["chance"] = [one.name for one in FAULTS]
    assert [name for name, rows in names.items() if len(set(rows)) < len(rows)] == []
    for table in (MISSES, WRONG_CERTAINTIES):
        assert {
            (suite, row) for suite, rows in table.items() for row in rows if row not in names[suite]
        } == set()


def test_codes_exist() -> None:
    """Every code that a row names is a known reason code."""
    codes = {code for suite in SUITES for one in suite.rows for code in (*one.reasons, *one.never)}
    assert [code for code in sorted(codes - {""}) if find_reason(code) is None] == []
