"""What can be read of a damaged database, row by row, in a new one.

A damaged page takes its own rows with it and no others: rows with numbers are read from both ends, and one by
one between; the others from both ends. Nothing is written to the damaged file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from egressd.errors import EgressdError
from egressd.state.layout import APPLICATION, CREATE, LARGEST_NUMBER, TABLES, VERSION, Row, Table, decode_text

PAGE = 4096
"""Bytes of a page; offsets in the first are those of https://www.sqlite.org/fileformat.html section 1.3."""
MOST_ROOTS = 32
"""Pages that the schema may name: less in a file, and none of its tables can be read."""
MOST_NUMBERS = 500_000
"""Numbers between the readable ends of a table that are tried one by one."""


class NotOursError(EgressdError):
    """The file is no state of egressd, or nothing of it can be read."""


def rescue(path: Path, fresh: Path) -> int:
    """Write what is readable of a database to a new file, all or nothing; return the number of rows.

    Raises:
        NotOursError: it has none of our tables.
        sqlite3.Error: the new file can't be written.
        OSError: the same.
    """
    copy = fresh.with_name(f"{fresh.name}-source")
    try:
        try:
            return _copy(path, fresh)
        except (NotOursError, sqlite3.DatabaseError):
            _copy_with_schema(path, copy)
            return _copy(copy, fresh)
    finally:
        for one in _files(copy):
            one.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[Path]:
    return (path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm", "-journal"))


def _copy(path: Path, fresh: Path) -> int:
    for one in _files(fresh):
        one.unlink(missing_ok=True)
    uri = f"file:{quote(str(path.absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as source:
        source.text_factory = decode_text
        found = {table.name: list(_rows(source, table)) for table in TABLES if _has(source, table)}
    if "events" not in found:
        raise NotOursError(f"{path} is no state of egressd")
    with closing(sqlite3.connect(fresh, isolation_level=None)) as target:
        fresh.chmod(0o600)
        target.executescript(f"PRAGMA auto_vacuum = INCREMENTAL; BEGIN; {CREATE} COMMIT; BEGIN;")
        for table in TABLES:
            target.executemany(table.insert, found.get(table.name, ()))
        target.execute("COMMIT")
        target.executescript(f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};")
    return sum(map(len, found.values()))


def _has(source: sqlite3.Connection, table: Table) -> bool:
    """Whether the table is there with all of its columns. An error: the file can't be read at all."""
    try:
        names = {row[1] for row in source.execute(f"PRAGMA table_info({table.name})")}
    except sqlite3.OperationalError:
        return False
    return set(table.columns) <= names


def _rows(source: sqlite3.Connection, table: Table) -> Iterator[Row]:
    """Yield the rows that can be read and are whole, each once."""
    seen: set[object] = set()
    for row in _candidates(source, table):
        key = row[: table.key]
        if key not in seen and table.is_whole(row):
            seen.add(key)
            yield row


def _candidates(source: sqlite3.Connection, table: Table) -> Iterator[Row]:
    """Yield what can be read: from the front, and where that ends early, from the back and between."""
    last: Row | None = None
    select = f"SELECT {', '.join(table.columns)} FROM {table.name} NOT INDEXED"  # noqa: S608 - our own names
    order = ", ".join(table.columns[: table.key])
    try:
        for row in source.execute(f"{select} ORDER BY {order}"):
            last = row
            yield row
    except sqlite3.DatabaseError:
        pass
    else:
        return
    first: Row | None = None
    backwards = ", ".join(f"{name} DESC" for name in table.columns[: table.key])
    with suppress(sqlite3.DatabaseError):
        for row in source.execute(f"{select} ORDER BY {backwards}"):
            first = row
            yield row
    if table.numbered:
        yield from _between(source, table, _numbers(source, table, last, first))


def _numbers(source: sqlite3.Connection, table: Table, last: Row | None, first: Row | None) -> Iterable[int]:
    """Return the numbers between the readable ends; without an end, as many as there can be."""
    low = last[0] + 1 if last is not None and isinstance(last[0], int) else 1
    high = low + MOST_NUMBERS
    if first is not None and isinstance(first[0], int) and first[0] <= LARGEST_NUMBER:
        high, low = first[0], max(low, first[0] - MOST_NUMBERS)
    else:
        with suppress(sqlite3.DatabaseError):
            known = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
            high = known[0] + 1 if known and isinstance(known[0], int) else high
    return range(low, min(high, low + MOST_NUMBERS))


def _between(source: sqlite3.Connection, table: Table, numbers: Iterable[int]) -> Iterator[Row]:
    select = f"SELECT {', '.join(table.columns)} FROM {table.name} NOT INDEXED WHERE {table.columns[0]} = ?"  # noqa: S608
    for number in numbers:
        with suppress(sqlite3.DatabaseError):
            yield from source.execute(select, (number,))


def _copy_with_schema(path: Path, copy: Path) -> None:
    """Copy a database with a first page as we write it: a damaged one keeps all of it from being read.

    The first page has the header and the schema. Ours is always the same, and so are the pages it names.
    """
    data = bytearray(path.read_bytes())
    if len(data) < 2 * PAGE:
        raise NotOursError(f"{path} is no state of egressd")
    first = _first_page()
    pages = max(len(data) // PAGE, MOST_ROOTS)
    data = data.ljust(pages * PAGE, b"\0")  # one that was cut
    counter = data[24:28]
    data[:PAGE] = first
    data[24:32] = counter + pages.to_bytes(4, "big")
    data[92:96] = counter  # the number of pages above counts for this change only
    data[18:20] = b"\2\2"  # with a write-ahead log
    copy.write_bytes(data)
    wal = path.with_name(f"{path.name}-wal")
    if wal.exists():
        copy.with_name(f"{copy.name}-wal").write_bytes(wal.read_bytes())


def _first_page() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        empty.executescript(
            f"PRAGMA page_size = {PAGE}; PRAGMA auto_vacuum = INCREMENTAL; BEGIN; {CREATE} COMMIT;"
        )
        return empty.serialize()[:PAGE]
