"""The newest results, put together from passes over parts of the plan, with and without reuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.engine.latest import NOT_YET, LatestResults, RecordChange
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control, ProbeRecord, Recording
from egressd.wording import stamp
from tests.daemon.simulation import plan_of, trail_of
from tests.standing.sweeps import VANTAGE, recording

PLAN = replace(
    plan_of(3), controls=(ControlPlan(id="path", kind=ControlKind.TESTNET_TCP, source="default", why=""),)
)
IDS = tuple(one.id for one in PLAN.probes)


def record(number: int, how: str | None = None) -> ProbeRecord:
    return ProbeRecord(probe=IDS[number], trails=(trail_of(how),))


def control(name: str, subject: str) -> Control:
    return Control(
        id=name,
        kind=ControlKind.REPEAT,
        source="default",
        subject=subject,
        why="",
        host="",
        address=None,
        port=443,
        trails=(),
    )


def passing(*numbers: int, controls: tuple[Control, ...] = (), offset: float | None = None) -> Recording:
    """Return a pass over some probes."""
    plan = replace(PLAN, probes=tuple(PLAN.probes[number] for number in numbers))
    vantage = replace(VANTAGE, clock_offset_seconds=offset)
    return replace(recording("x", plan=plan), controls=controls, vantage=vantage)


def finish(results: LatestResults, recording: Recording) -> None:
    """End a pass that ran the controls of all its probes again."""
    results.finish(recording, renewed={one.id for one in recording.plan.probes})


def test_a_record_is_changed_when_its_signature_is() -> None:
    """The first record is neither changed nor unchanged; one that ends the same way is unchanged."""
    results = LatestResults()
    found = [results.add(record(0, how)) for how in (None, None, "timeout", "timeout", "refused", None)]
    first, same, other = RecordChange.FIRST, RecordChange.UNCHANGED, RecordChange.CHANGED
    assert found == [first, same, other, same, other, other]


def test_what_was_never_probed_says_so() -> None:
    """Every probe of the plan has a record, in the plan's order."""
    results = LatestResults()
    results.add(record(1))
    whole = results.recording(PLAN, passing(1))
    assert [one.probe for one in whole.records] == list(IDS)
    assert [one.skipped for one in whole.records] == [NOT_YET, "", NOT_YET]
    assert whole.plan is PLAN


def test_controls_follow_their_probes() -> None:
    """Those of a pass replace older ones about the same probes, and the base controls; others stay."""
    results = LatestResults()
    first = (control("path", ""), control("a", IDS[0]), control("b", IDS[1]))
    finish(results, passing(0, 1, 2, controls=first))
    again = passing(0, controls=(control("path2", ""), control("a2", IDS[0])))
    running = results.recording(PLAN, again, renewed={IDS[0]})
    assert [one.id for one in running.controls] == ["a2", "b", "path2"]
    finish(results, again)
    assert sorted(results.controls) == ["a2", "b", "path2"]


def test_base_controls_stay_where_a_pass_runs_none() -> None:
    """A pass over a few probes need not run them again."""
    results = LatestResults()
    finish(results, passing(0, 1, 2, controls=(control("path", ""),)))
    finish(results, passing(1))
    assert list(results.controls) == ["path"]


def test_another_signature_drops_the_controls_of_a_probe() -> None:
    """What a control showed of a failure is not held against what comes after; others stay."""
    results = LatestResults()
    for number in range(2):
        results.add(record(number, "timeout"))
    finish(results, passing(0, 1, controls=(control("a", IDS[0]), control("b", IDS[1]))))
    results.add(record(0, "refused"))
    results.add(record(1, "timeout"))
    assert list(results.controls) == ["b"]


def test_a_skipped_probe_replaces_what_was_known_unless_results_are_reused() -> None:
    """The daemon must not show an old record as new; a watch that is cut short takes nothing back."""
    for reuse in (False, True):
        results = LatestResults(reuse=reuse)
        results.add(record(0))
        skipped = ProbeRecord(probe=IDS[0], trails=(), skipped="interrupted")
        results.finish(replace(passing(0), records=(skipped,)), renewed=frozenset())
        assert bool(results.records[IDS[0]].skipped) is not reuse


def test_a_clock_that_was_set_has_another_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known of it before explains no certificate any more."""
    results = LatestResults(reuse=True)
    results.finish(passing(0, 1, 2, offset=3600.0), renewed=set())
    assert results.recording(PLAN, passing(0)).vantage.clock_offset_seconds == 3600.0
    set_at = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: set_at)
    assert results.recording(PLAN, passing(0)).vantage.clock_offset_seconds is None


def test_a_pass_over_few_keeps_the_clock_offset() -> None:
    """An offset that only many hosts could tell stays until a sweep says otherwise."""
    results = LatestResults()
    finish(results, passing(0, 1, 2, offset=3600.0))
    assert results.recording(PLAN, passing(0)).vantage.clock_offset_seconds == 3600.0
    assert results.recording(PLAN, passing(0, 1, 2, offset=0.0)).vantage.clock_offset_seconds == 0.0


def test_what_is_not_planned_is_forgotten() -> None:
    """Nothing of a target that is gone stays behind."""
    results = LatestResults()
    for number in range(3):
        results.add(record(number))
    finish(results, passing(0, 1, 2, controls=(control("a", IDS[0]), control("path", ""))))
    fewer = results.within(replace(PLAN, probes=PLAN.probes[1:2]))
    assert (list(fewer.records), list(fewer.controls)) == ([IDS[1]], ["path"])
    assert not results.within(replace(PLAN, controls=())).controls.keys() & {"path"}


def aged(kind: ControlKind, subject: str, seconds: float, *, before: str = "") -> Control:
    """Return a control that began so many seconds before a time: that of the sweep, if none is given."""
    (begin,) = trail_of(None).observations
    when = stamp(datetime.fromisoformat(before or recording("x").started) - timedelta(seconds=seconds))
    seen = replace(trail_of(None), observations=(replace(begin, started=when),))
    return replace(control(f"{kind}:{seconds:.0f}", subject), kind=kind, trails=(seen,))


@pytest.mark.parametrize(
    ("kind", "how", "seconds", "kept"),
    [
        (ControlKind.REPEAT, "timeout", 119.0, True),
        (ControlKind.REPEAT, "timeout", 121.0, False),
        (ControlKind.LARGE_HELLO, "timeout", 121.0, False),
        (ControlKind.LARGE_HELLO, None, 5000.0, True),
        (ControlKind.REVOCATION, None, 599.0, True),
        (ControlKind.REVOCATION, None, 601.0, False),
        (ControlKind.REVOCATION, "timeout", 121.0, False),
        (ControlKind.REDIRECT, None, 121.0, False),
    ],
)
def test_a_control_has_an_age(kind: ControlKind, how: str | None, seconds: float, *, kept: bool) -> None:
    """For what fails it is evidence for two intervals; what goes round places that work keeps its result."""
    results = LatestResults(reuse=True, evidence_age=120.0)
    results.add(record(0, how))
    finish(results, passing(0, controls=(aged(kind, IDS[0], seconds),)))
    shown = results.recording(PLAN, passing(0), renewed=frozenset())
    assert bool(shown.controls) is kept
    assert shown.evidence_since == stamp(datetime.fromisoformat(shown.started) - timedelta(seconds=120))


def test_controls_are_needed_where_a_failure_has_none_that_counts() -> None:
    """What works needs none; what fails needs them again when one is too old."""
    results = LatestResults(reuse=True, evidence_age=120.0)
    (dial,) = trail_of("timeout").observations
    results.add(record(0, "timeout"))
    assert results.needs_controls(record(0, "timeout"))
    assert not results.needs_controls(record(0))
    finish(results, passing(0, controls=(aged(ControlKind.REPEAT, IDS[0], 0.0, before=dial.started),)))
    assert not results.needs_controls(record(0, "timeout"))
    finish(results, passing(0, controls=(aged(ControlKind.REPEAT, IDS[0], 121.0, before=dial.started),)))
    assert results.needs_controls(record(0, "timeout"))
