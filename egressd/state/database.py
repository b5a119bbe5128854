"""The SQLite file: opened, checked, migrated, and moved aside when it is damaged or another program's."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

import structlog

from egressd import clock
from egressd.errors import EgressdError, ExitCode

FILE = "state.db"
LOCK = "state.lock"
VERSION = 2
"""PRAGMA user_version. Earlier versions are migrated in place, later ones are not read."""
APPLICATION = 0x65677264
"""PRAGMA application_id: `egrd`."""
MOST_ASIDE = 3
"""Damaged files that are kept; older ones are deleted."""
BUSY = 2.0
"""Seconds to wait for a reader's lock."""
SUFFIXES = ("", "-wal", "-shm")

_FIRST = """
CREATE TABLE standings (
    target TEXT NOT NULL, source TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (target, source)
) WITHOUT ROWID;
CREATE TABLE findings (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE memory (name TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL, kind TEXT NOT NULL, routine INTEGER NOT NULL,
    target TEXT, source TEXT, body TEXT NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_routine ON events (routine, id);
CREATE INDEX events_target ON events (target, source, id) WHERE target IS NOT NULL;
"""
_ALERTS = """
CREATE TABLE alerts (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE notices (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox (number INTEGER PRIMARY KEY, receiver TEXT NOT NULL, notice TEXT NOT NULL);
CREATE TABLE tally (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
STEPS = (_FIRST, _ALERTS)
"""The migration to each version from the one before; published ones never change."""

log = structlog.get_logger(__name__)


class StateInUseError(EgressdError):
    """Another daemon uses the state directory."""

    exit_code = ExitCode.CONFIG


def lock(directory: Path) -> int:
    """Lock the directory for this process; return the descriptor that holds the lock.

    Raises:
        StateInUseError: another process has locked it.
        OSError: it is not writable.
    """
    held = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise StateInUseError(
            f"another egressd keeps its state in {directory}; stop it, or name another state.directory"
        ) from None
    return held


def connect(directory: Path) -> sqlite3.Connection:
    """Open the database for writing; a file that is damaged or another program's is moved aside first.

    Raises:
        sqlite3.Error: it can't be opened or made: no space, no permission.
    """
    path = directory / FILE
    why = _problem(path)
    if why:
        aside = move_aside(path)
        log.error("state moved aside", file=str(path), aside=str(aside), why=why)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # evidence is for the operator
    connection = _open(path)
    try:
        _prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def move_aside(path: Path) -> Path:
    """Rename a database with its WAL files, and delete all but the last few renamed ones."""
    stamp = clock.now().strftime("%Y%m%dT%H%M%S%f")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    old = sorted(
        one for one in path.parent.glob(f"{path.name}.damaged-*") if not one.name.endswith(SUFFIXES[1:])
    )
    for one in old[:-MOST_ASIDE]:
        for suffix in SUFFIXES:
            one.with_name(one.name + suffix).unlink(missing_ok=True)
    return aside


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error means that the file is damaged, rather than a full disk or missing rights."""
    if isinstance(error, sqlite3.OperationalError):
        return "malformed" in str(error) or "no such" in str(error) or "has no column" in str(error)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(
        error, sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")
    return connection


def _problem(path: Path) -> str:
    """Return why the file can't be used; empty: it can, or there is none."""
    if not path.exists() or path.stat().st_size == 0:
        return ""
    try:
        connection = _open(path)
        try:
            return _inspect(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else ""


def _inspect(connection: sqlite3.Connection) -> str:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables == 0 and version == 0:
        return ""
    if application != APPLICATION:
        return "it is a database of another program"
    if not 1 <= version <= VERSION:
        return f"its schema is version {version}, and this egressd knows {VERSION}"
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return "" if found == "ok" else str(found)


def _prepare(connection: sqlite3.Connection) -> None:
    """Set the pragmas, and migrate to the current schema in one transaction."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 4194304")
    connection.execute("PRAGMA cache_size = -1024")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        steps = "".join(STEPS[version:])
        marks = f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN IMMEDIATE; {steps} {marks} COMMIT;")
