"""The newest look at everything, put together from passes over parts of it."""

from __future__ import annotations

from dataclasses import replace

from egressd.daemon.sweeping.picture import NOT_YET, Picture
from egressd.model.plan import ControlKind
from egressd.model.recording import Control, ProbeRecord, Recording
from tests.daemon.simulation import plan_of, trail_of
from tests.standing.sweeps import VANTAGE, recording

PLAN = plan_of(3)
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


def test_only_another_story_is_news() -> None:
    """The first record is none, nor is one that ends the same way; another end is."""
    picture = Picture()
    told = [picture.take(record(0, how)) for how in (None, None, "timeout", "timeout", "refused", None)]
    assert told == [False, False, True, False, True, True]


def test_what_was_never_seen_says_so() -> None:
    """Every probe of the plan has a record, in the plan's order."""
    picture = Picture()
    picture.take(record(1))
    whole = picture.recording(PLAN, passing(1))
    assert [one.probe for one in whole.records] == list(IDS)
    assert [one.skipped for one in whole.records] == [NOT_YET, "", NOT_YET]
    assert whole.plan is PLAN


def test_controls_follow_their_probes() -> None:
    """Those of a pass replace older ones about the same probes, and those about the path; others stay."""
    picture = Picture()
    first = (control("path", ""), control("a", IDS[0]), control("b", IDS[1]))
    picture.take_rest(passing(0, 1, 2, controls=first))
    again = passing(0, controls=(control("path2", ""), control("a2", IDS[0])))
    assert [one.id for one in picture.recording(PLAN, again).controls] == ["a2", "b", "path2"]
    picture.take_rest(again)
    assert sorted(picture.controls) == ["a2", "b", "path2"]


def test_a_look_at_few_keeps_the_clock() -> None:
    """An offset that only many hosts could tell stays until a sweep says otherwise."""
    picture = Picture()
    picture.take_rest(passing(0, 1, 2, offset=3600.0))
    assert picture.recording(PLAN, passing(0)).vantage.clock_offset_seconds == 3600.0
    assert picture.recording(PLAN, passing(0, 1, 2, offset=0.0)).vantage.clock_offset_seconds == 0.0


def test_what_is_not_planned_is_forgotten() -> None:
    """Nothing of a target that is gone stays behind."""
    picture = Picture()
    for number in range(3):
        picture.take(record(number))
    picture.take_rest(passing(0, 1, 2, controls=(control("a", IDS[0]), control("path", ""))))
    picture.keep_to(replace(PLAN, probes=PLAN.probes[1:2]))
    assert (list(picture.records), list(picture.controls)) == ([IDS[1]], ["path"])
