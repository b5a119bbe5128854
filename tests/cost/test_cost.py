"""What a healthy target and a start cost stays within bounds of what is recorded: calls and memory."""

from __future__ import annotations

import pytest

from tests.cost.measure import Cost, measure_cost, python_version
from tests.cost.record import grown, read

CALLS, MEMORY, START = 1.03, 1.03, 1.02
"""How far a figure may be over what is recorded; the noise of calls is 1 per cent, that of memory less."""
LINEAR = 1.10
"""How much more a target may cost among 50 than among 30: hosts differ a little. What is done for each pair
of targets is done twice as often."""
RECORD = "if it is worth it, run `make cost-record` and commit what it writes"


@pytest.fixture(scope="module")
def cost(tmp_path_factory: pytest.TempPathFactory) -> Cost:
    """What is measured now."""
    return measure_cost(tmp_path_factory.mktemp("cost"))


@pytest.fixture
def recorded() -> Cost:
    """What is recorded for this version of Python."""
    found = read(python_version())
    if found is None:
        pytest.skip(f"nothing is recorded for Python {python_version()}; `make cost-record` does")
    return found


def test_calls_of_a_healthy_target(cost: Cost, recorded: Cost) -> None:
    """A healthy https target takes no more calls than recorded; the message names the functions that grew."""
    if cost.calls > recorded.calls * CALLS:
        functions = "\n".join(grown(recorded, cost))
        pytest.fail(
            f"a healthy target takes {cost.calls:.0f} calls, recorded are {recorded.calls:.0f}. "
            f"Called more often, per target:\n{functions}\n{RECORD}"
        )


def test_a_target_costs_the_same_among_many(cost: Cost) -> None:
    """A further target takes as many calls as the first ones: no target is compared with every other."""
    assert cost.calls_among_many < cost.calls_among_few * LINEAR


def test_memory_of_a_healthy_target(cost: Cost, recorded: Cost) -> None:
    """A healthy target takes no more memory than recorded while it is swept and reported, nor afterwards."""
    assert cost.most_bytes < recorded.most_bytes * MEMORY, RECORD
    assert cost.kept_bytes < recorded.kept_bytes * MEMORY, RECORD


def test_start_of_a_healthy_sweep(cost: Cost, recorded: Cost) -> None:
    """`--once` of a healthy target imports no more modules and makes no more classes than recorded."""
    assert cost.modules < recorded.modules * START, RECORD
    assert cost.classes < recorded.classes * START, RECORD
