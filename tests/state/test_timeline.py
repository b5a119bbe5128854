"""What each target was believed to be over a time: of changes, standings, pauses and damaged rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from egressd.model.event import DaemonStarted, DaemonStopped, Event, SweepFinished
from egressd.model.standing import Standings
from egressd.model.verdict import Outcome, OutcomeCounts
from egressd.standing import advance
from egressd.state.history import HistoryError
from egressd.state.layout import FILE
from egressd.state.timeline import ChangeRecord, Segment, Span, read_changes, timelines
from tests.standing.sweeps import at, sweep
from tests.state.test_persistence import save_and_close

PAIR = ("row/a:443", "default")
COUNTS = OutcomeCounts(targets=1, ok=1, degraded=0, blocked=0, down=0, unknown=0)


def live(words: str) -> tuple[Standings, list[Event]]:
    """Return standings and events of a target whose results are `o`k, `b`locked, or `-`: not in the plan."""
    standings, emitted = Standings(), list[Event]()
    ends = {"o": "ok", "b": "blocked:tls_reset"}
    for number, one in enumerate(words):
        targets = {"row/a:443": ends[one]} if one in ends else {}
        standings, events = advance(standings, sweep(number, targets), now=at(number))
        emitted += events
    return standings, emitted


def shown(record: ChangeRecord, standings: Standings, since: int, until: int) -> list[tuple[str, str, str]]:
    found = timelines(record, standings.targets, since=at(since), until=at(until))
    return [(one.begin, one.end, one.outcome.value) for one in found[PAIR]]


async def test_beliefs_follow_one_another(tmp_path: Path) -> None:
    """Each belief lasts from when it was first seen to when the next was; the last one until now."""
    standings, events = live("ooobbbbooo")
    await save_and_close(tmp_path, standings, events)
    record = read_changes(tmp_path, since=at(0))
    assert shown(record, standings, 0, 59) == [
        (at(0), at(3), "ok"),
        (at(3), at(7), "blocked"),
        (at(7), at(59), "ok"),
    ]
    found = timelines(record, standings.targets, since=at(0), until=at(59))
    assert [one.reason for one in found[PAIR]] == [None, "tls_reset", None]


async def test_what_is_older_than_asked_for_is_known_by_what_came_next(tmp_path: Path) -> None:
    """A period that begins within a belief begins with it, also where the change to it is not read."""
    standings, events = live("ooobbbbooo")
    await save_and_close(tmp_path, standings, events)
    assert shown(read_changes(tmp_path, since=at(5)), standings, 5, 59) == [
        (at(5), at(7), "blocked"),
        (at(7), at(59), "ok"),
    ]
    assert shown(read_changes(tmp_path, since=at(20)), standings, 20, 59) == [(at(20), at(59), "ok")]


async def test_a_target_that_left_and_came_back(tmp_path: Path) -> None:
    """While it was not in the plan nothing is known of it."""
    standings, events = live("obbbbb---ooo")
    await save_and_close(tmp_path, standings, events)
    assert shown(read_changes(tmp_path, since=at(0)), standings, 0, 59) == [
        (at(0), at(1), "ok"),
        (at(1), at(6), "blocked"),
        (at(9), at(59), "ok"),
    ]


async def test_a_new_target_has_no_past() -> None:
    """A target that was always ok has no event: what it is began with its first result."""
    standings, events = live("---ooo")
    assert events == []
    assert shown(ChangeRecord(since=at(0)), standings, 0, 59) == [(at(3), at(59), "ok")]


async def test_more_changes_than_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are read, and what was before the oldest of them is not told."""
    monkeypatch.setattr("egressd.state.timeline.MOST_CHANGES", 2)
    standings, events = live("ooobbbboooobbbboooo")
    assert len(events) == 4
    await save_and_close(tmp_path, standings, events)
    record = read_changes(tmp_path, since=at(0))
    assert (record.cut, len(record.changes)) == (True, 2)
    assert shown(record, standings, 0, 59)[0][0] == record.since > at(11)
    assert read_changes(tmp_path, since=at(1), known=record) is record


async def test_what_is_known_is_read_again_when_something_was_recorded(tmp_path: Path) -> None:
    """Nothing is read twice, unless there is something new or an earlier time is asked for."""
    standings, events = live("ooobbbb")
    await save_and_close(tmp_path, standings, events)
    record = read_changes(tmp_path, since=at(2))
    assert read_changes(tmp_path, since=at(3), known=record) is record
    assert read_changes(tmp_path, since=at(1), known=record) is not record
    more, later = advance(standings, sweep(20, {"row/a:443": "ok"}), now=at(20))
    more, last = advance(more, sweep(21, {"row/a:443": "ok"}), now=at(21))
    await save_and_close(tmp_path, more, [*later, *last])
    assert len(read_changes(tmp_path, since=at(3), known=record).changes) == 2


@pytest.mark.parametrize(
    ("events", "pauses"),
    [
        ([DaemonStopped(at=at(10))], [Span(begin=at(10), end=at(30))]),
        (  # a crash: the last sweep tells
            [SweepFinished(at=at(12), recording="r", started=at(11), seconds=1.0, tally=COUNTS)],
            [Span(begin=at(12), end=at(30))],
        ),
        ([DaemonStarted(at=at(9), egressd="0", config_digest="d")], []),  # a crash, and no sweep on record
        ([], []),
    ],
)
async def test_when_no_daemon_ran(tmp_path: Path, events: list[Event], pauses: list[Span]) -> None:
    """A pause lasts from what was recorded last to the next start, where that is sure."""
    started = DaemonStarted(at=at(30), egressd="0.1.0", config_digest="d")
    await save_and_close(tmp_path, Standings(), [*events, started])
    assert list(read_changes(tmp_path, since=at(5)).pauses) == pauses
    assert read_changes(tmp_path, since=at(40)).pauses == ()


@pytest.mark.parametrize(
    "body",
    [
        "no JSON",
        '{"since": "yesterday", "after": {"outcome": "ok"}}',
        '{"since": "2026-11-20T03:00:03.000Z", "after": {"outcome": "fine"}}',
        '{"since": 5, "after": {"outcome": ["ok"]}}',
        "[]",
        "7",
    ],
)
async def test_a_damaged_row_is_left_out(tmp_path: Path, body: str) -> None:
    """Whatever a row holds, the others are read, and what a segment has is a time and an outcome."""
    standings, events = live("ooobbbbooo")
    await save_and_close(tmp_path, standings, events)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute(
            "UPDATE events SET body = ? WHERE id = (SELECT min(id) FROM events WHERE target NOT NULL)",
            (body,),
        )
    record = read_changes(tmp_path, since=at(0))
    found = timelines(record, standings.targets, since=at(0), until=at(59))
    assert found[PAIR][-1] == Segment(begin=at(7), end=at(59), outcome=Outcome.OK)
    assert all(one.begin < one.end for one in found[PAIR])


def test_without_a_file_there_is_no_history(tmp_path: Path) -> None:
    """The error says why."""
    with pytest.raises(HistoryError, match="no history in"):
        read_changes(tmp_path, since=at(0))
    (tmp_path / FILE).write_text("nothing of ours" * 1000)
    with pytest.raises(HistoryError, match="cannot read"):
        read_changes(tmp_path, since=at(0))


def test_segments_are_clipped_to_the_period() -> None:
    """Clocks that went back leave no segment that ends before it begins."""
    standings, _ = live("ooo")
    late = tuple(replace(one, since=at(50)) for one in standings.targets)
    assert timelines(ChangeRecord(since=at(0)), late, since=at(0), until=at(40)) == {PAIR: ()}
