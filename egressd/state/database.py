"""The SQLite file: opened, checked, migrated, and moved aside when it is damaged or another program's."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from egressd import clock
from egressd.errors import EgressdError, ExitCode
from egressd.log import get_logger
from egressd.state.layout import APPLICATION, FILE, LARGEST_NUMBER, STEPS, VERSION, decode_text
from egressd.state.rescue import NotOursError, rescue

LOCK = "state.lock"
MOST_ASIDE = 3
"""Damaged files that are kept; older ones are deleted."""
BUSY = 2.0
"""Seconds to wait for a reader's lock."""
SUFFIXES = ("", "-wal", "-shm")

_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"

log = get_logger(__name__)


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


def connect(directory: Path, *, damaged: bool = False) -> sqlite3.Connection:
    """Open the database for writing.

    One that is damaged, or another program's, is moved aside first; what can be read of ours is taken over.
    `damaged`: it was found to be while in use.

    Raises:
        sqlite3.Error: it can't be opened or made: no space, no permission.
        OSError: the same.
    """
    path = directory / FILE
    fresh = path.with_name(f"{FILE}.rescued")
    if fresh.exists() and not path.exists():  # killed just before the last step
        fresh.rename(path)
    why = "damaged while in use" if damaged and path.exists() else _problem(path)
    if why:
        _replace(path, fresh, why)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # evidence is for the operator
    connection = _open(path)
    try:
        _prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _replace(path: Path, fresh: Path, why: str) -> None:
    """Move a damaged file aside, and put what can be read of it in its place."""
    rows = 0
    with suppress(NotOursError, sqlite3.Error, OSError, MemoryError):
        rows = rescue(path, fresh)
    aside = move_aside(path)
    if rows:
        fresh.rename(path)
    else:
        fresh.unlink(missing_ok=True)
    log.error("state moved aside", file=str(path), aside=str(aside), why=why, rows_kept=rows)


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
            with suppress(OSError):
                one.with_name(one.name + suffix).unlink()
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
    connection.text_factory = decode_text
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")
    return connection


def _problem(path: Path) -> str:
    """Return why the file can't be used; empty: it can, or there is none."""
    if not path.exists():
        return ""
    if not path.is_file():
        return "it is no file"
    if path.stat().st_size == 0:
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
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    return _unusable_schema(connection, version) if found == "ok" else str(found)


def _unusable_schema(connection: sqlite3.Connection, version: int) -> str:
    """Return what of the schema keeps rows from being written; empty: nothing."""
    known = set(connection.execute(_SCHEMA))
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript("".join(STEPS[:version]))
        if known != set(empty.execute(_SCHEMA)):
            return f"its schema is not that of version {version}"
    tables = {name for kind, name, _ in known if kind == "table"}
    for table, column in (("events", "id"), ("outbox", "number")):
        if table in tables:
            (most,) = connection.execute(f"SELECT max({column}) FROM {table}").fetchone()  # noqa: S608
            if most is not None and not 0 <= most <= LARGEST_NUMBER:
                return f"its table {table} has no numbers left"
    given = connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
    if any(not isinstance(seq, int) or not 0 <= seq <= LARGEST_NUMBER for _, seq in given):
        return "its table events has no numbers left"
    return ""


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
