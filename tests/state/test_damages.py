"""Random damage to the state: saving goes on, and nothing that can still be read is lost."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import structlog

from egressd.model.event import ConfigReloaded, Event
from egressd.model.snapshot import Snapshot
from egressd.model.standing import Standings
from egressd.state import Persistence
from egressd.state.codec import EVENT_TYPES, decode_stored, kind_of, to_dict
from egressd.state.history import read_history
from egressd.state.layout import FILE, TABLES
from egressd.state.rescue import MOST_NUMBERS
from tests.standing.sweeps import at
from tests.state.test_persistence import failing, snapshot

TIMES = int(os.environ.get("TEST_DAMAGES", "36"))
"""300 and more take a minute."""
EVENTS = 300
Damage = Callable[[Path, random.Random], None]


def make_events() -> tuple[Event, ...]:
    return (*failing()[1], *(ConfigReloaded(at=at(number), digest="x" * 900) for number in range(EVENTS)))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the state of a daemon that was killed, with a write-ahead log."""
    folder = tmp_path_factory.mktemp("written")
    standings, _ = failing()

    async def write() -> None:
        persistence = Persistence(folder)
        await persistence.open()
        events = make_events()
        half = len(events) // 2
        assert (await persistence.save(snapshot(standings), events[:half], ())).problem == ""
        await asyncio.to_thread(_checkpoint, persistence)
        assert (await persistence.save(snapshot(standings), events[half:], ())).problem == ""
        for suffix in ("", "-wal"):
            shutil.copy(folder / f"{FILE}{suffix}", folder / f"copy{suffix}")
        await persistence.close(snapshot(standings), ())

    asyncio.run(write())
    for one in folder.glob(f"{FILE}*"):
        one.unlink()
    for suffix in ("", "-wal"):
        (folder / f"copy{suffix}").rename(folder / f"{FILE}{suffix}")
    (folder / "state.lock").unlink()
    return folder


def _checkpoint(persistence: Persistence) -> None:
    assert persistence._store is not None
    persistence._store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def bytes_of(path: Path) -> Iterator[bytearray]:
    """Change a file in place."""
    data = bytearray(path.read_bytes())
    yield data
    path.write_bytes(data)


def flip(path: Path, choose: random.Random) -> None:
    """Flip bits of some bytes."""
    with bytes_of(path) as data:
        for _ in range(choose.choice((1, 1, 1, 4, 40))):
            data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)


def overwrite(path: Path, choose: random.Random) -> None:
    """Overwrite a stretch with anything."""
    with bytes_of(path) as data:
        start, length = choose.randrange(len(data)), choose.choice((1, 16, 512, 4096, 20_000))
        data[start : start + length] = choose.choice((b"\0" * length, choose.randbytes(length)))[
            : len(data) - start
        ]


def no_utf8(path: Path, choose: random.Random) -> None:
    """Put a byte into a text that no text has."""
    with bytes_of(path) as data:
        places = [one for one in range(len(data) - 8) if bytes(data[one : one + 2]) in (b'":', b"xx", b"ro")]
        data[choose.choice(places)] = choose.choice((0xFF, 0xC0, 0x80, 0xFE))


def cut(path: Path, choose: random.Random) -> None:
    """Cut the end off."""
    with bytes_of(path) as data:
        del data[choose.randrange(1, len(data)) :]


def log_damaged(path: Path, choose: random.Random) -> None:
    """Damage the write-ahead log."""
    choose.choice((flip, overwrite, cut))(path.with_name(f"{FILE}-wal"), choose)


def values_damaged(path: Path, choose: random.Random) -> None:
    """Put values of other types and sizes into columns."""
    with closing(sqlite3.connect(path)) as connection, connection:
        table = choose.choice(TABLES)
        column = choose.choice(table.columns)
        value = choose.choice((2**63 - 1, -1, b"\xff\xfe", 1.5, "\0", "[" * 5000, 0))
        with suppress(sqlite3.Error):
            connection.execute(f"UPDATE OR IGNORE {table.name} SET {column} = ?", (value,))


def numbers_used_up(path: Path, choose: random.Random) -> None:
    """Let the next number of an event be one that SQLite refuses."""
    with closing(sqlite3.connect(path)) as connection, connection:
        value = choose.choice((2**63 - 1, "x", None, -5))
        connection.execute("UPDATE sqlite_sequence SET seq = ?", (value,))


def schema_damaged(path: Path, choose: random.Random) -> None:
    """Drop, rename or change what is not the daemon's to change."""
    statement = choose.choice(
        (
            "DROP TABLE alerts",
            "DROP INDEX events_at",
            "ALTER TABLE outbox RENAME TO inbox",
            "ALTER TABLE standings ADD COLUMN more TEXT",
            "CREATE TRIGGER no BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END",
            "PRAGMA user_version = 77",
            "PRAGMA application_id = 1",
        )
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


DAMAGES: tuple[Damage, ...] = (
    flip, flip, flip, overwrite, no_utf8, no_utf8, cut, log_damaged, values_damaged, numbers_used_up,
    schema_damaged,
)  # fmt: skip


def readable_events(path: Path) -> set[str]:
    """Return the events that plain SQLite reads of a damaged file, one by one."""
    found: set[str] = set()
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        for number in range(1, 2 * EVENTS):
            with suppress(sqlite3.Error, ValueError, KeyError, AttributeError):
                at_time, kind, body = connection.execute(
                    "SELECT at, kind, body FROM events NOT INDEXED WHERE id = ?", (number,)
                ).fetchone() or (b"", b"", b"")
                decoded = decode_stored(body.decode(), EVENT_TYPES[kind.decode()])
                if decoded.at == at_time.decode():
                    found.add(_shown(decoded))
    return found


def _shown(one: Event) -> str:
    return f"{kind_of(one)} {to_dict(one)}"


async def start_and_save(folder: Path, fresh: Snapshot, event: Event) -> str:
    """Start on the state, save an event, end; return the first problem."""
    persistence = Persistence(folder)
    await persistence.open()
    problems = [(await persistence.save(fresh, (one,), ())).problem for one in (event, event)]
    problems.append((await persistence.save(fresh, (), ())).problem)
    await persistence.close(fresh, ())
    return problems[-1]


@pytest.mark.parametrize("block", range(6))
def test_random_damage_loses_nothing_that_can_be_read(written: Path, tmp_path: Path, block: int) -> None:
    """After each damage the daemon starts and saves, also what it could read; few damaged files are kept."""
    for seed in range(block, TIMES, 6):
        choose, folder = random.Random(seed), tmp_path / str(seed)
        shutil.copytree(written, folder)
        choose.choice(DAMAGES)(folder / FILE, choose)
        look = tmp_path / f"look-{seed}"
        shutil.copytree(folder, look)
        readable = readable_events(look / FILE)
        marker = ConfigReloaded(at=at(3000), digest=f"after damage {seed}")
        with structlog.testing.capture_logs():
            problem = asyncio.run(start_and_save(folder, snapshot(Standings()), marker))
        assert problem == "", seed
        found = read_history(folder, since="1000", until="3000", target=None)
        shown = {_shown(one) for one in found.events}
        assert _shown(marker) in shown, seed
        lost = {one for one in readable if "'at': '2026" in one} - shown
        assert not lost, (seed, len(lost), len(readable))
        aside = [one for one in folder.glob("*.damaged-*") if not one.name.endswith(("-wal", "-shm"))]
        assert len(aside) <= 2, seed
        for one in (folder, look):
            shutil.rmtree(one)


def test_a_hole_in_the_middle_is_bridged(written: Path, tmp_path: Path) -> None:
    """Rows on both sides of unreadable pages, and between two of them, are all kept."""
    folder = tmp_path / "state"
    shutil.copytree(written, folder)
    path = folder / FILE
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        total = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    data = bytearray(path.read_bytes())
    pages = [
        one for one in range(2, len(data) // 4096) if data.count(b"x" * 900, one * 4096, one * 4096 + 4096)
    ]
    for one in (pages[len(pages) // 4], pages[len(pages) // 2]):
        data[one * 4096 : one * 4096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    marker = ConfigReloaded(at=at(3000), digest="after")
    with structlog.testing.capture_logs():
        assert asyncio.run(start_and_save(folder, snapshot(Standings()), marker)) == ""
    kept = read_history(folder, since="1000", until="3000", target=None).events
    assert total - 10 <= len(kept) - 2 < total
    assert total < MOST_NUMBERS
