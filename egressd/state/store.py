"""The database as values: current standings and alerts, and events.

Blocking, and for one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.log import get_logger
from egressd.model.alert import Alert, Outbox
from egressd.model.catalog import Discovery
from egressd.model.event import Event, SweepFinished, TargetChanged, TargetRemoved
from egressd.model.observation import Timestamp
from egressd.model.standing import FindingStanding, Standing, Standings
from egressd.state import database
from egressd.state.alerts import AlertStore
from egressd.state.codec import decode_rows, encode, kind_of, writable
from egressd.state.retention import pruning_time

ROUTINE_SHARE = 0.1
"""Events of sweeps without failures are kept for this share of the retention."""
MOST_ROUTINE = 20_000
MOST_EVENTS = 100_000
"""Rows at most, whatever the retention: a flapping network must not fill the disk."""
PRUNE_EVERY = 500
"""Events written between two prunings."""

T = TypeVar("T")
log = get_logger(__name__)


class SavedState(Struct, frozen=True, kw_only=True):
    """The state a daemon starts with."""

    standings: Standings = field(default_factory=Standings)
    profiles: tuple[tuple[str, Timestamp], ...] = ()
    """When each profile was last reachable."""
    discoveries: tuple[Discovery, ...] = ()
    alerts: tuple[Alert, ...] = ()
    outbox: Outbox = field(default_factory=Outbox)


class _Profile(Struct, frozen=True, kw_only=True):
    name: str
    at: Timestamp


class Store:
    """An open database."""

    def __init__(self, directory: Path, *, damaged: bool = False) -> None:
        self._directory = directory
        self._connection = database.connect(directory, damaged=damaged)
        self._saved: dict[tuple[str, str], Standing] = {}
        self._findings: tuple[FindingStanding, ...] = ()
        self._memory: dict[str, str] = {}
        self._alerts = AlertStore()
        self._written = PRUNE_EVERY
        self._retention = 0.0
        self._pruned_at = clock.elapsed()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(self) -> SavedState:
        """Return the saved state; rows that can't be decoded are logged and left out."""
        targets = self._values("SELECT target, body FROM standings ORDER BY target, source", Standing)
        findings = self._values("SELECT id, body FROM findings ORDER BY id", FindingStanding)
        profiles = self._values("SELECT name, body FROM memory WHERE name GLOB 'profile/*'", _Profile)
        discoveries = self._values("SELECT name, body FROM memory WHERE name GLOB 'discovery/*'", Discovery)
        self._saved = {one.key: one for one in targets}
        self._findings = findings
        alerts, outbox = self._alerts.load(self._connection)
        return SavedState(
            standings=Standings(targets=targets, findings=findings),
            profiles=tuple((one.name, one.at) for one in profiles),
            discoveries=discoveries,
            alerts=alerts,
            outbox=outbox,
        )

    def _values(self, query: str, kind: type[T]) -> tuple[T, ...]:
        """Decode the rows of a query, each a key and a body."""
        return tuple(one for _, one in decode_rows(self._connection.execute(query), kind))

    def save(self, saved_state: SavedState, events: Iterable[Event], *, whole: bool) -> None:
        """Write changes and events, all or nothing.

        `whole`: also values that change with every probe, such as the last success.

        Raises:
            sqlite3.Error: nothing was written.
        """
        events = tuple(events)
        now = {one.key: one for one in saved_state.standings.targets}
        changed = [one for key, one in now.items() if _differs(self._saved.get(key), one, whole=whole)]
        gone = [key for key in self._saved if key not in now]
        memory = _memory(saved_state) if whole else {}
        memory = {name: body for name, body in memory.items() if self._memory.get(name) != body}
        findings = saved_state.standings.findings
        alerts = self._alerts.changes(saved_state.alerts, saved_state.outbox, whole=whole)
        if not (changed or gone or events or memory or alerts or findings != self._findings):
            return
        with _transaction(self._connection) as cursor:
            cursor.executemany("DELETE FROM standings WHERE target = ? AND source = ?", gone)
            rows = [(writable(one.target), writable(one.source), encode(one)) for one in changed]
            cursor.executemany("INSERT OR REPLACE INTO standings VALUES (?, ?, ?)", rows)
            if findings != self._findings:
                cursor.execute("DELETE FROM findings")
                cursor.executemany(
                    "INSERT OR REPLACE INTO findings VALUES (?, ?)",
                    [(writable(one.id), encode(one)) for one in findings],
                )
            cursor.executemany(
                "INSERT OR REPLACE INTO memory VALUES (?, ?)",
                [(writable(name), body) for name, body in memory.items()],
            )
            self._alerts.write(cursor, alerts)
            cursor.executemany(_INSERT_EVENT, [_row(one) for one in events])
        self._alerts.written(alerts, saved_state.alerts)
        self._saved = {key: one for key, one in self._saved.items() if key in now}
        self._saved |= {one.key: one for one in changed}
        self._findings = findings
        self._memory |= memory
        self._written += len(events)

    def prune(self, retention: float) -> None:
        """Delete events older than the retention, routine ones earlier, every `PRUNE_EVERY` events.

        A new retention is applied at once: a shorter one may be set to free space.

        Raises:
            sqlite3.Error: nothing was deleted.
        """
        if self._written < PRUNE_EVERY and retention == self._retention:
            return
        self._written, self._retention = 0, retention
        began, self._pruned_at = self._pruned_at, clock.elapsed()
        with _transaction(self._connection) as cursor:
            now = pruning_time(cursor, now=clock.now(), elapsed=self._pruned_at - began)
            oldest = clock.timestamp(now - timedelta(seconds=retention))
            routine = clock.timestamp(now - timedelta(seconds=ROUTINE_SHARE * retention))
            cursor.execute("DELETE FROM events WHERE at < ?", (oldest,))
            cursor.execute("DELETE FROM events WHERE routine = 1 AND at < ?", (routine,))
            for row, most in ((1, MOST_ROUTINE), (0, MOST_EVENTS)):
                cursor.execute(_DELETE_BEYOND, (row, row, most))
        self._connection.execute("PRAGMA incremental_vacuum(1000)").fetchall()


_INSERT_EVENT = "INSERT INTO events (at, kind, routine, target, source, body) VALUES (?, ?, ?, ?, ?, ?)"
_DELETE_BEYOND = """
DELETE FROM events WHERE routine = ? AND id <= (
    SELECT id FROM events WHERE routine = ? ORDER BY id DESC LIMIT 1 OFFSET ?
)
"""


class _transaction:  # noqa: N801 - read as a word: `with _transaction(connection)`
    """All or nothing, also where the disk is full in the middle of it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Cursor:
        return self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
                return
            except sqlite3.Error:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _differs(saved: Standing | None, now: Standing, *, whole: bool) -> bool:
    """Whether a standing has to be written; a growing streak alone has not."""
    if saved is None or whole:
        return saved != now
    still = replace(saved, last_success=now.last_success, streak=now.streak, results=now.results)
    if now.settled:  # evidence of an unchanged belief is new with every probe
        still = replace(still, belief=now.belief) if saved.belief.key == now.belief.key else still
    return still != now


def _memory(saved_state: SavedState) -> dict[str, str]:
    profiles = {f"profile/{name}": encode(_Profile(name=name, at=at)) for name, at in saved_state.profiles}
    return profiles | {f"discovery/{one.name}": encode(one) for one in saved_state.discoveries if one.hosts}


def _row(one: Event) -> tuple[str, str, bool, str | None, str | None, str]:
    target, source = (
        (writable(one.target), writable(one.source))
        if isinstance(one, TargetChanged | TargetRemoved)
        else (None, None)
    )
    return (one.at, kind_of(one), _is_routine(one), target, source, encode(one))


def _is_routine(one: Event) -> bool:
    if not isinstance(one, SweepFinished):
        return False
    return one.tally.blocked + one.tally.down + one.tally.unknown == 0
