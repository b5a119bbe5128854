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
    """The worst known outcome of a required target is the exit code; nothing probed is no success."""
    assert exit_code(sweep_of(*(row(outcome=one) for one in outcomes))) is code


@pytest.mark.parametrize(("need", "outcome"), list(product([Need.OPTIONAL, Need.CONDITIONAL], list(Outcome))))
def test_the_rest_never_decides(
    sweep_of: SweepOf, row: Callable[..., object], need: Need, outcome: Outcome
) -> None:
    """Whatever happens to an optional or conditional target, the required one's success stands."""
    assert exit_code(sweep_of(row(), row(outcome=outcome, need=need))) is ExitCode.OK


def test_an_interrupted_sweep_says_so(sweep_of: SweepOf, row: Callable[..., object]) -> None:
    """A partial sweep proves nothing: 130, whatever was found."""
    assert exit_code(sweep_of(row(outcome=Outcome.BLOCKED), interrupted=True)) is ExitCode.INTERRUPTED
