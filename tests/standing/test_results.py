"""The results of a sweep: alerts, metrics and pages share them."""

from __future__ import annotations

from egressd.model.verdict import Outcome
from egressd.standing.results import results_of
from tests.metrics.snapshots import Row, make_sweep


def test_results_are_made_once_for_a_sweep() -> None:
    """Whoever asks for the results of the same sweep gets the same; another sweep has its own."""
    sweep, other = make_sweep(Row()), make_sweep(Row(outcome=Outcome.DOWN))
    found = results_of(sweep)
    assert results_of(sweep) is found
    assert [one.verdict.outcome for one in results_of(other)] == [Outcome.DOWN]
    assert [one.verdict.outcome for one in results_of(sweep)] == [Outcome.OK]
    assert results_of(make_sweep(Row())) == found
