"""The tables of the database, version by version, and what a whole row of each is."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

FILE = "state.db"
VERSION = 2
"""PRAGMA user_version. Earlier versions are migrated in place, later ones are not written to."""
APPLICATION = 0x65677264
"""PRAGMA application_id: `egrd`."""
LARGEST_NUMBER = 2**53
"""The largest number of a row that we could have given; SQLite refuses rows after the largest it can hold."""

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
CREATE = "".join(STEPS)

Row = tuple[Any, ...]


class Table(Struct, frozen=True, kw_only=True):
    """One table; `kinds` has a letter per column: number, text, or optional text."""

    name: str
    columns: tuple[str, ...]
    kinds: str
    key: int = 1
    """How many of the columns, from the first, are its key."""

    @property
    def numbered(self) -> bool:
        """Whether its key is a number."""
        return self.kinds[0] == "n"

    @property
    def insert(self) -> str:
        """The statement that writes a row, unless its key is there."""
        places = ", ".join("?" * len(self.columns))
        names = ", ".join(self.columns)
        return f"INSERT OR IGNORE INTO {self.name} ({names}) VALUES ({places})"  # noqa: S608 - our own names

    def is_whole(self, row: Row) -> bool:
        """Whether each column holds what we could have written."""
        return all(_fits(value, kind) for value, kind in zip(row, self.kinds, strict=True))


def _fits(value: object, kind: str) -> bool:
    if kind == "n":
        return isinstance(value, int) and 0 <= value <= LARGEST_NUMBER
    if value is None:
        return kind == "o"
    return isinstance(value, str) and is_text(value)


def decode_text(data: bytes) -> str:
    """Decode a column; bytes that are no UTF-8 become surrogates, for `is_text` to find."""
    return data.decode("utf-8", "surrogateescape")


def is_text(value: str) -> bool:
    """Whether a string can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _table(name: str, columns: str, kinds: str, key: int = 1) -> Table:
    return Table(name=name, columns=tuple(columns.split()), kinds=kinds, key=key)


TABLES = (
    _table("standings", "target source body", "ttt", key=2),
    _table("findings", "id body", "tt"),
    _table("memory", "name body", "tt"),
    _table("events", "id at kind routine target source body", "nttnoot"),
    _table("alerts", "id body", "tt"),
    _table("notices", "id body", "tt"),
    _table("outbox", "number receiver notice", "ntt"),
    _table("tally", "name value", "tn"),
)
