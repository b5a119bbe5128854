"""The exit code of a sweep."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from msgspec.structs import replace

from egressd.errors import ExitCode
from egressd.model.endpoint import Need
from egressd.model.verdict import Outcome, Sweep
from egressd.report.summary import conclude, describe_vantage, exit_code

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


def test_a_pass_names_what_is_degraded(sweep_of: SweepOf, row: Callable[..., object]) -> None:
    """A reader of the last line alone sees that not all is well, and where."""
    rows = [row(host=f"d{number}.example", outcome=Outcome.DEGRADED) for number in range(8)]
    optional = row(host="o.example", outcome=Outcome.DEGRADED, need=Need.OPTIONAL)
    text = conclude(sweep_of(row(), *rows, optional))
    assert text.startswith("PASS: 9 required targets, all reachable; degraded: d0.example:443, d1.exa")
    assert text.endswith(" and 2 more (exit code 0)")
    assert "o.example" not in text


def test_strict_fails_what_is_degraded(sweep_of: SweepOf, row: Callable[..., object]) -> None:
    """For those who want a clean sweep, a fault of what works is a failure."""
    sweep = sweep_of(row(), row(host="d.example", outcome=Outcome.DEGRADED))
    recording = replace(sweep.recording, plan=replace(sweep.recording.plan, strict=True))
    strict = replace(sweep, recording=recording)
    assert (exit_code(sweep), exit_code(strict)) == (ExitCode.OK, ExitCode.FAILED)
    assert conclude(strict) == (
        "FAIL: 0 required targets blocked or down; degraded, which --strict counts as failed: d.example:443 "
        "(exit code 1)"
    )
    optional = sweep_of(row(), row(host="o.example", outcome=Outcome.DEGRADED, need=Need.OPTIONAL))
    plan = replace(optional.recording.plan, strict=True)
    assert exit_code(replace(optional, recording=replace(optional.recording, plan=plan))) is ExitCode.OK


def test_a_report_says_the_site_where_it_is_not_the_host(
    sweep_of: SweepOf, row: Callable[..., object]
) -> None:
    """The heading has host and site; a site that is the host's name, or not known, is said once."""
    recording = sweep_of(row()).recording
    for site, said in (("oslo-1", "arc-01 at oslo-1, direct"), ("arc-01", "arc-01, d"), (None, "arc-01, d")):
        made = replace(recording, vantage=replace(recording.vantage, site=site))
        assert describe_vantage(made).startswith(said)
