"""Reading the history of events, also while a daemon writes."""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from egressd.errors import EgressdError
from egressd.model.event import (
    Event,
    FindingOpened,
    History,
    NoticePosted,
    SweepActivity,
    TargetChanged,
    TargetRemoved,
)
from egressd.model.observation import Timestamp
from egressd.model.verdict import Outcome
from egressd.state.codec import EVENT_TYPES, decode_stored, kind_of, to_dict
from egressd.state.layout import FILE, decode_text
from egressd.state.selection import Selection, SitesInOrder

MOST_EVENTS = 5000
"""Events returned at most: the newest of those that match."""

_EVENTS = """
SELECT kind, body FROM events WHERE at >= ? AND at <= ? AND kind != 'sweep' ORDER BY id
"""
_NEWEST = """
SELECT kind, body, at FROM events WHERE at >= ? AND at <= ? AND kind != 'sweep' ORDER BY id DESC LIMIT ?
"""
_BEFORE = """
SELECT kind, body FROM events WHERE id IN (
    SELECT max(id) FROM events WHERE target IS NOT NULL AND at < ? GROUP BY target, source
) ORDER BY id
"""
_CAUSES = """
SELECT kind, body FROM events WHERE id IN (
    SELECT max(id) FROM events WHERE kind IN ('finding_opened', 'finding_closed') AND at < ?
    GROUP BY CASE WHEN json_valid(body) THEN json_extract(body, '$.finding') ELSE id END
) ORDER BY id
"""
_SITE = """
SELECT kind, body FROM events
WHERE routine = 0 AND kind IN ('started', 'reloaded') AND at < ? AND body LIKE '%"site":%'
ORDER BY id DESC LIMIT 1
"""
_CHANGED = "SELECT DISTINCT target, source FROM events WHERE target IS NOT NULL"
_SWEEPS = "SELECT count(*), min(at), max(at) FROM events WHERE kind = 'sweep' AND at >= ? AND at <= ?"


class HistoryError(EgressdError):
    """There is no history, or it can't be read."""


def read_history(
    directory: Path,
    *,
    since: Timestamp,
    until: Timestamp,
    target: str | None,
    selection: Selection | None = None,
    most: int | None = None,
) -> History:
    """Return the events of a period; `target`: a pattern of ids, endpoints and hosts, None: all.

    `selection` may ask for more than that; its target is the other one. `most` bounds how many events are
    read, the newest; without it a search goes through all of the period.

    Raises:
        HistoryError: there is no history, or it can't be read.
    """
    wanted = replace(selection or Selection(), target=target)
    try:
        with closing(connect_to_history(directory)) as connection:
            return _read(connection, since=since, until=until, wanted=wanted, most=most)
    except (sqlite3.Error, ValueError) as error:
        raise _unreadable(directory / FILE, error) from None


def connect_to_history(directory: Path) -> sqlite3.Connection:
    """Open the history for reading, while a daemon writes or not.

    Raises:
        HistoryError: there is none, or it can't be opened.
    """
    path = directory / FILE
    try:
        if not path.exists():
            raise HistoryError(f"no history in {directory}: no daemon has kept its state there yet")
        uri = f"file:{quote(str(path.resolve()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=5.0)
    except (sqlite3.Error, OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    connection.text_factory = decode_text
    return connection


def _unreadable(path: Path, error: Exception) -> HistoryError:
    return HistoryError(
        f"cannot read {path}: {error}; run it as root or as the daemon's user, on the daemon's host"
    )


def mentions_targets(history: History) -> bool:
    """Whether any event is about a target rather than the daemon alone."""
    return any(
        isinstance(one, TargetChanged | TargetRemoved)
        or (isinstance(one, FindingOpened | NoticePosted) and one.targets)
        for one in (*history.already, *history.events)
    )


def _read(
    connection: sqlite3.Connection,
    *,
    since: Timestamp,
    until: Timestamp,
    wanted: Selection,
    most: int | None,
) -> History:
    unreadable: list[ValueError] = []
    earlier = chain.from_iterable(
        _events(connection.execute(query, (since,)), unreadable) for query in (_CAUSES, _BEFORE)
    )
    changed = tuple(connection.execute(_CHANGED)) if wanted.sources else ()
    already = tuple(_not_ok(wanted.select(earlier, changed=changed)))
    causes = {one.finding for one in already if isinstance(one, FindingOpened)}
    events: deque[Event] = deque(
        maxlen=MOST_EVENTS + 1
    )  # a pattern may match few of many: all are read, few are kept
    rows, first_read, left_out = _rows(connection, since, until, most)
    if not wanted.wants_site(SitesInOrder(_last_site(connection, since)).current):
        already, causes = (), set()
    sites = SitesInOrder(_last_site(connection, first_read))
    found = sites.follow(_events(rows, unreadable), wanted)
    events.extend(wanted.select(found, causes=causes, changed=changed))
    sweeps, first, last = connection.execute(_SWEEPS, (since, until)).fetchone()
    return History(
        since=since,
        until=until,
        already=already,
        events=tuple(events)[-MOST_EVENTS:],
        watch=SweepActivity(sweeps=sweeps, first=first, last=last),
        sites=sites.seen,
        cut=left_out or len(events) > MOST_EVENTS,
        unreadable=len(unreadable),
    )


def _rows(
    connection: sqlite3.Connection, since: Timestamp, until: Timestamp, most: int | None
) -> tuple[Iterable[tuple[object, object]], Timestamp, bool]:
    """Return the rows of a period, the oldest first, from when on, and whether there are more."""
    if most is None:
        return connection.execute(_EVENTS, (since, until)), since, False
    found = connection.execute(_NEWEST, (since, until, most + 1)).fetchall()
    rows, left_out = found[:most], len(found) > most
    return ((kind, body) for kind, body, _ in reversed(rows)), rows[-1][2] if left_out else since, left_out


def _last_site(connection: sqlite3.Connection, before: Timestamp) -> tuple[Event, ...]:
    """Return the event that told the site of this host last before a moment; none if none did.

    One that can't be read counts as none: as a part of the period it is told to be unreadable.
    """
    return tuple(_events(connection.execute(_SITE, (before,)), []))


def _not_ok(events: Iterable[Event]) -> Iterator[FindingOpened | TargetChanged]:
    """Yield the last events of findings and targets that were not ok after them."""
    for one in events:
        match one:
            case FindingOpened():
                yield one
            case TargetChanged() if one.after.outcome is not Outcome.OK:
                yield one
            case _:
                pass


def _events(rows: Iterable[tuple[object, object]], unreadable: list[ValueError]) -> Iterator[Event]:
    """Decode rows; kinds of a later version are skipped, and damaged rows are left out and noted."""
    for kind, body in rows:
        if kind not in EVENT_TYPES:
            continue
        try:
            one = decode_stored(body, EVENT_TYPES[str(kind)])
        except ValueError as error:
            unreadable.append(error)
        else:
            yield one


def history_json(history: History) -> str:
    """Write a history as JSON, `schema: egressd.history/1`."""
    document = {
        "schema": "egressd.history/1",
        "since": history.since,
        "until": history.until,
        "cut": history.cut,
        **({"unreadable": history.unreadable} if history.unreadable else {}),
        **({"sites": list(history.sites)} if history.sites else {}),
        "watch": to_dict(history.watch),
        "already": [_tagged(one) for one in history.already],
        "events": [_tagged(one) for one in history.events],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _tagged(one: Event) -> dict[str, object]:
    return {"kind": kind_of(one), **to_dict(one)}
