"""Alerts and the queue of notices as rows; a notice has one row however many receivers it waits for.

Blocking, and for one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from egressd.model.alert import Alert, Notice, Outbox, Queued
from egressd.state.codec import decode_rows, encode, writable
from egressd.state.layout import LARGEST_NUMBER

NEXT = "next"
DROPPED = "dropped/"

Row = tuple[str, str]
"""A receiver's name and a notice's id."""


class AlertChanges(Struct, frozen=True, kw_only=True):
    """The changes that a save writes."""

    alerts: tuple[Alert, ...]
    removed: tuple[str, ...]
    rows: Mapping[int, Row]
    done: tuple[int, ...]
    notices: Mapping[str, Notice]
    delivered: tuple[str, ...]
    """Ids of notices that wait for no receiver any more."""
    tally: Mapping[str, int] | None
    """Counters of the queue; None: unchanged."""

    def __bool__(self) -> bool:
        return any((self.alerts, self.removed, self.rows, self.done, self.tally is not None))


class AlertStore(Struct):
    """The alerts and the queue in the file."""

    alerts: dict[str, Alert | None] = field(default_factory=dict)
    """By id; None: its row can't be decoded."""
    rows: dict[int, Row] = field(default_factory=dict)
    tally: Mapping[str, int] = field(default_factory=dict)
    _compared: tuple[Alert, ...] | None = None
    """The alerts of the last save: deliveries alone leave them the same object."""

    def load(self, connection: sqlite3.Connection) -> tuple[tuple[Alert, ...], Outbox]:
        """Read everything; rows that can't be decoded are logged and left out, notices count as dropped."""
        read = connection.execute
        alerts = dict(decode_rows(read("SELECT id, body FROM alerts ORDER BY id"), Alert))
        notices = dict(decode_rows(read("SELECT id, body FROM notices"), Notice))
        found = read("SELECT number, receiver, notice FROM outbox ORDER BY number").fetchall()
        self.alerts = {
            key: alerts.get(key) for (key,) in read("SELECT id FROM alerts") if isinstance(key, str)
        }
        self.tally = dict(_numbers(read("SELECT name, value FROM tally")))
        self.rows = {number: (receiver, notice) for number, receiver, notice in found}
        waiting = tuple(
            Queued(receiver=receiver, number=number, notice=notices[notice])
            for number, receiver, notice in found
            if notice in notices
        )
        dropped = Counter(dict(_dropped(self.tally)))
        dropped.update(receiver for _, receiver, notice in found if notice not in notices)
        outbox = Outbox(
            waiting=waiting,
            next_number=max([self.tally.get(NEXT, 1), *(number + 1 for number in self.rows)]),
            dropped=tuple(sorted(dropped.items())),
        )
        return tuple(alerts.values()), outbox

    def changes(self, alerts: tuple[Alert, ...], outbox: Outbox, *, whole: bool) -> AlertChanges:
        """Compare with the file; `whole`: also evidence, which is new each time."""
        unchanged = alerts is self._compared and not whole
        now = {one.id: one for one in alerts}
        waiting = {one.number: one for one in outbox.waiting}
        wanted = {one.notice.id for one in outbox.waiting}
        known = {notice for _, notice in self.rows.values()}
        fresh = {number: one for number, one in waiting.items() if number not in self.rows}
        tally = {NEXT: outbox.next_number} | {DROPPED + name: count for name, count in outbox.dropped}
        return AlertChanges(
            alerts=tuple(
                one
                for key, one in ({} if unchanged else now).items()
                if _differs(self.alerts.get(key), one, whole=whole)
            ),
            removed=tuple(key for key in self.alerts if key not in now),
            rows={number: (one.receiver, one.notice.id) for number, one in fresh.items()},
            done=tuple(number for number in self.rows if number not in waiting),
            notices={one.notice.id: one.notice for one in fresh.values() if one.notice.id not in known},
            delivered=tuple(known - wanted),
            tally=tally if tally != self.tally else None,
        )

    def write(self, cursor: sqlite3.Cursor, changes: AlertChanges) -> None:
        """Write changes inside a transaction."""
        cursor.executemany("DELETE FROM alerts WHERE id = ?", [(key,) for key in changes.removed])
        bodies = [(writable(one.id), encode(one)) for one in changes.alerts]
        cursor.executemany("INSERT OR REPLACE INTO alerts VALUES (?, ?)", bodies)
        cursor.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in changes.done])
        cursor.executemany("DELETE FROM notices WHERE id = ?", [(key,) for key in changes.delivered])
        texts = [(writable(key), encode(one)) for key, one in changes.notices.items()]
        cursor.executemany("INSERT OR REPLACE INTO notices VALUES (?, ?)", texts)
        rows = [(number, writable(one), writable(notice)) for number, (one, notice) in changes.rows.items()]
        cursor.executemany("INSERT INTO outbox VALUES (?, ?, ?)", rows)
        if changes.tally is not None:
            cursor.execute("DELETE FROM tally")
            cursor.executemany("INSERT INTO tally VALUES (?, ?)", tuple(changes.tally.items()))

    def written(self, changes: AlertChanges, alerts: tuple[Alert, ...]) -> None:
        """Remember that changes are in the file, after the transaction."""
        self._compared = alerts
        for key in changes.removed:
            del self.alerts[key]
        self.alerts |= {one.id: one for one in changes.alerts}
        for number in changes.done:
            del self.rows[number]
        self.rows |= changes.rows
        self.tally = self.tally if changes.tally is None else changes.tally


def _numbers(rows: Iterable[tuple[object, object]]) -> Iterator[tuple[str, int]]:
    """Yield the counters that are some."""
    for name, value in rows:
        if isinstance(name, str) and isinstance(value, int) and 0 <= value <= LARGEST_NUMBER:
            yield name, value


def _dropped(tally: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    for name, count in tally.items():
        if name.startswith(DROPPED):
            yield name.removeprefix(DROPPED), count


def _differs(saved: Alert | None, now: Alert, *, whole: bool) -> bool:
    if saved is None or whole:
        return saved != now
    new = now.condition
    condition = replace(saved.condition, evidence=new.evidence, advice=new.advice, suspects=new.suspects)
    return replace(saved, condition=condition) != now
