"""What a healthy target and a start cost stays within bounds of what is recorded: calls and memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.cost.measure import Cost, measure_cost, python_version
from tests.cost.record import files_grown, grown, imports_grown, read

pytestmark = pytest.mark.alone  # what waits for a busy processor makes more calls

CALLS, MEMORY, START = 1.05, 1.03, 1.02
"""How far a figure may be over what is recorded; the noise of calls is 1 per cent, that of memory less."""
LINEAR = 1.20
"""How much more a target may cost among 50 than among 30: of two differences the noise is a tenth. What is
done for each pair of targets is done twice as often."""
ADVICE = (
    "What to do: see what your change calls there for each target, or each pair of them, that could be "
    "worked out once for a sweep, or not at all for a target that is well. If it is worth its cost, run "
    "`make cost-record` and commit what it writes."
)


def tell(what: str, rows: Sequence[str]) -> str:
    """Return a message: what grew, where, and what to do."""
    return "\n".join((what, *(rows or ("nothing by itself: many grew a little",)), ADVICE))


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
        taken = f"a healthy target takes {cost.calls:.0f} calls, recorded are {recorded.calls:.0f}"
        pytest.fail(tell(f"{taken}; more per target, recorded -> now:", grown(recorded, cost)))


def test_a_target_costs_the_same_among_many(cost: Cost) -> None:
    """A further target takes as many calls as the first ones: no target is compared with every other."""
    if cost.calls_among_many > cost.calls_among_few * LINEAR:
        pytest.fail(
            f"a target takes {cost.calls_among_few:.0f} calls among few and {cost.calls_among_many:.0f} "
            "among many: something is done for each pair of targets, or searched for in a list of all. "
            "`test_calls_of_a_healthy_target` names what grew."
        )


def test_memory_of_a_healthy_target(cost: Cost, recorded: Cost) -> None:
    """A healthy target takes no more memory than recorded while it is swept and reported, nor afterwards."""
    for when, now, was in (
        ("at the most, garbage included", cost.most_bytes, recorded.most_bytes),
        ("in the result", cost.kept_bytes, recorded.kept_bytes),
    ):
        if now > was * MEMORY:
            rows = (*files_grown(recorded, cost), *grown(recorded, cost))
            taken = f"a healthy target takes {now:.0f} bytes {when}, recorded are {was:.0f}"
            pytest.fail(tell(f"{taken}; bytes by file, then calls by function, recorded -> now:", rows))


def test_start_of_a_healthy_sweep(cost: Cost, recorded: Cost) -> None:
    """`--once` of a healthy target imports no more modules and makes no more classes than recorded."""
    for what, now, was in (
        ("imports", cost.modules, recorded.modules),
        ("has classes:", cost.classes, recorded.classes),
    ):
        if now > was * START:
            rows = imports_grown(recorded, cost)
            taken = f"a healthy `--once` {what} {now}, recorded are {was}"
            pytest.fail(tell(f"{taken}; new modules, then classes by module, recorded -> now:", rows))
