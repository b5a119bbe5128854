"""What each target was believed to be, over a time that ends now: for strips of history, many at once.

Events of changes are read without their evidence, the newest first and not more than a bound, and the
standings tell what holds since. So a time without an event is known as well.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from egressd.model.observation import Timestamp
from egressd.model.standing import Standing
from egressd.model.verdict import Outcome, Pair
from egressd.state.history import HistoryError, connect_to_history
from egressd.wording import is_stamp

MOST_CHANGES = 10_000
"""Changes that are read at most: the newest; what was before the oldest of them is not known then."""
MOST_PAUSES = 200

_FIRST = "SELECT id FROM events WHERE at >= ? ORDER BY at LIMIT 1"  # min(id) would read the table
_LAST = "SELECT coalesce(max(id), 0) FROM events"
_CHANGES = """
SELECT at, target, source, CASE WHEN json_valid(body) THEN json_extract(
    body, '$.since', '$.before_since', '$.before.outcome', '$.after.outcome', '$.after.reason'
) END
FROM events WHERE id >= ? AND at >= ? AND target IS NOT NULL ORDER BY id DESC LIMIT ?
"""
_STARTS = "SELECT id, at FROM events WHERE id >= ? AND at >= ? AND kind = 'started' ORDER BY id DESC LIMIT ?"
_BEFORE = "SELECT at, kind FROM events WHERE id < ? ORDER BY id DESC LIMIT 1"
_ROUTINE = "SELECT at FROM events WHERE id = (SELECT min(id) FROM events WHERE routine = 1)"


class RecordedChange(Struct, frozen=True, kw_only=True):
    """One change of a belief, without its evidence."""

    target: str
    source: str
    since: Timestamp
    """When it was first seen; of a target that was removed, when it was."""
    before: Outcome | None
    """None: nothing was known."""
    before_since: Timestamp | None
    after: Outcome | None
    """None: the target was removed."""
    reason: str | None = None


class Span(Struct, frozen=True, kw_only=True):
    """A time, from a moment to another."""

    begin: Timestamp
    end: Timestamp


class Segment(Struct, frozen=True, kw_only=True):
    """A time in which a target was believed to be the same."""

    begin: Timestamp
    end: Timestamp
    outcome: Outcome
    reason: str | None = None


class ChangeRecord(Struct, frozen=True, kw_only=True):
    """The changes of a time."""

    since: Timestamp
    """From when on all changes are in it."""
    changes: tuple[RecordedChange, ...] = ()
    """The oldest first."""
    pauses: tuple[Span, ...] = ()
    """When no daemon ran, as far as that is on record; the oldest first."""
    cut: bool = False
    """Whether there are more changes than are read; `since` is later than was asked for then."""
    last: int = -1
    """The number of the last event on record, by which a reader knows whether there is anything new."""


def read_changes(directory: Path, *, since: Timestamp, known: ChangeRecord | None = None) -> ChangeRecord:
    """Return the changes since a time; those that are `known`, if nothing was recorded since they were read.

    Raises:
        HistoryError: there is no history, or it can't be read.
    """
    try:
        with closing(connect_to_history(directory)) as connection:
            (last,) = connection.execute(_LAST).fetchone()
            if known is not None and known.last == last and (known.cut or known.since <= since):
                return known
            return replace(_read(connection, since), last=last)
    except (sqlite3.Error, ValueError) as error:
        raise HistoryError(f"cannot read the history in {directory}: {error}") from None


def _read(connection: sqlite3.Connection, since: Timestamp) -> ChangeRecord:
    found = connection.execute(_FIRST, (since,)).fetchone()
    if found is None:
        return ChangeRecord(since=since)
    first = found[0]
    rows = connection.execute(_CHANGES, (first, since, MOST_CHANGES + 1)).fetchall()
    cut, rows = len(rows) > MOST_CHANGES, rows[:MOST_CHANGES]
    return ChangeRecord(
        since=rows[-1][0] if cut else since,
        changes=tuple(filter(None, map(_change, reversed(rows)))),
        pauses=tuple(_pauses(connection, first, since))[::-1],
        cut=cut,
    )


def _change(row: tuple[object, ...]) -> RecordedChange | None:
    """Read a row; None: it is damaged."""
    at, target, source, found = row
    try:
        since, before_since, before, after, reason = json.loads(str(found))
        return RecordedChange(
            target=str(target),
            source=str(source),
            since=_stamp(since or at),
            before=Outcome(before) if before else None,
            before_since=_stamp(before_since) if before_since else None,
            after=Outcome(after) if after else None,
            reason=str(reason) if reason else None,
        )
    except (ValueError, TypeError):
        return None


def _stamp(text: object) -> Timestamp:
    if not (isinstance(text, str) and is_stamp(text)):
        raise ValueError("not a UTC time")
    return text


def _pauses(connection: sqlite3.Connection, first: int, since: Timestamp) -> Iterator[Span]:
    """Yield when no daemon ran, the newest first: before each start, since what was recorded last.

    Where routine events are deleted already, only the record of a stop tells when that was.
    """
    routine = connection.execute(_ROUTINE).fetchone()
    for number, at in connection.execute(_STARTS, (first, since, MOST_PAUSES)).fetchall():
        before = connection.execute(_BEFORE, (number,)).fetchone()
        if before is None or not (is_stamp(str(at)) and is_stamp(str(before[0]))):
            continue
        known = before[1] == "stopped" or (routine is not None and routine[0] <= before[0])
        if known and before[0] < at:
            yield Span(begin=before[0], end=at)


def timelines(
    record: ChangeRecord, standings: Iterable[Standing], *, since: Timestamp, until: Timestamp
) -> dict[Pair, tuple[Segment, ...]]:
    """Return what each target was believed to be from each source, the oldest first; gaps are not known."""
    changes: dict[Pair, list[RecordedChange]] = {}
    for one in record.changes:
        changes.setdefault((one.target, one.source), []).append(one)
    since = max(since, record.since)
    return {
        one.key: tuple(_clipped(_segments(changes.get(one.key, []), one, until), since, until))
        for one in standings
    }


def _segments(changes: list[RecordedChange], standing: Standing, until: Timestamp) -> Iterator[Segment]:
    """Yield the segments that changes tell of, then the one that holds."""
    for number, one in enumerate(changes):
        if number == 0 and one.before is not None and one.before_since is not None:
            yield Segment(begin=one.before_since, end=one.since, outcome=one.before)
        following = changes[number + 1].since if number + 1 < len(changes) else standing.since
        if one.after is not None:
            yield Segment(begin=one.since, end=following, outcome=one.after, reason=one.reason)
    belief = standing.belief
    yield Segment(begin=standing.since, end=until, outcome=belief.outcome, reason=belief.reason)


def _clipped(segments: Iterable[Segment], since: Timestamp, until: Timestamp) -> Iterator[Segment]:
    for one in segments:
        begin, end = max(one.begin, since), min(one.end, until)
        if begin < end:
            yield replace(one, begin=begin, end=end)
