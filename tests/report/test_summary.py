"""The exit code of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.verdict import Outcome, Sweep
from egressd.report.summary import exit_code

SweepOf = Callable[..., Sweep]


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([Outcome.OK], ExitCode.OK),
        ([Outcome.OK, Outcome.DEGRADED], ExitCode.OK),
        ([Outcome.OK, Outcome.BLOCKED], ExitCode.FAILED),
        ([Outcome.DOWN], ExitCode.FAILED),
        ([Outcome.UNKNOWN, Outcome.OK], ExitCode.UNKNOWN),
        ([Outcome.UNKNOWN, Outcome.DOWN], ExitCode.FAILED),
        ([], ExitCode.UNKNOWN),
    ],
)
def test_required_targets_decide(
    sweep_of: SweepOf, row: Callable[..., object], outcomes: list[Outcome], code: ExitCode
) -> None:
    """The worst known outcome of a required target decides; a sweep without verdicts is no success."""
    assert exit_code(sweep_of(*(row(outcome=one) for one in outcomes))) is code


@pytest.mark.parametrize(("need", "outcome"), list(product([Need.OPTIONAL, Need.CONDITIONAL], list(Outcome))))
def test_optional_targets_never_decide(
    sweep_of: SweepOf, row: Callable[..., object], need: Need, outcome: Outcome
) -> None:
    """Optional and conditional targets do not change the exit code of a required one."""
    assert exit_code(sweep_of(row(), row(outcome=outcome, need=need))) is ExitCode.OK


def test_an_interrupted_sweep_says_so(sweep_of: SweepOf, row: Callable[..., object]) -> None:
    """An interrupted sweep has exit code 130 with any verdicts."""
    assert exit_code(sweep_of(row(outcome=Outcome.BLOCKED), interrupted=True)) is ExitCode.INTERRUPTED
