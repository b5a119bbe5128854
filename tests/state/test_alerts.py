"""Alerts, queued notices and their events survive a restart, saved atomically."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from egressd.model.alert import Alert, AlertState, Notice, Outbox
from egressd.model.event import Event
from egressd.model.snapshot import Snapshot
from egressd.notify.outbox import enqueue, remove_delivered, restrict
from egressd.state import Persistence, database
from egressd.state.history import read_history
from egressd.state.layout import APPLICATION, FILE, STEPS
from egressd.state.store import SavedState, Store
from tests.notify.notices import AT, alert, condition, notice
from tests.state.test_persistence import failing, save_and_close, snapshot

BOUNDS = {"hook": 3, "chat": 10}


def snapshot_with_alerts(*names: str, outbox: Outbox = Outbox()) -> Snapshot:  # noqa: B008 - frozen
    """Return a snapshot with alerts, and an outbox."""
    return replace(snapshot(), alerts=tuple(alert(name) for name in names), outbox=outbox)


def queue(*numbers: int) -> Outbox:
    """Return a queue in which two receivers share notices, and some were dropped."""
    outbox = Outbox(next_number=100)
    for number in numbers:
        outbox = enqueue(outbox, [(notice(number, at=AT), BOUNDS)], BOUNDS)
    return outbox


async def save(directory: Path, *snapshots: Snapshot) -> None:
    """Save snapshots, and stop without a final save."""
    persistence = Persistence(directory)
    await persistence.open()
    for one in snapshots:
        assert (await persistence.save(one, (), ())).problem == ""
    persistence._close()


async def load(directory: Path) -> SavedState:
    persistence = Persistence(directory)
    found, status = await persistence.open()
    persistence._close()
    assert status.problem == ""
    return found


async def test_alerts_and_the_queue_survive_a_kill(tmp_path: Path) -> None:
    """Alerts and queue are loaded unchanged: order, numbers, dropped counts, last notified condition."""
    shown = snapshot_with_alerts("a", "b", outbox=queue(1, 2, 3, 4, 5))
    await save(tmp_path, shown)
    found = await load(tmp_path)
    assert found.alerts == shown.alerts
    assert found.outbox == shown.outbox
    assert found.outbox.dropped == (("hook", 2),)


async def test_delivered_notices_are_deleted_and_numbers_are_never_used_twice(tmp_path: Path) -> None:
    """An emptied queue continues with its next number."""
    first = queue(1, 2)
    done = remove_delivered(first, [one.number for one in first.waiting], "hook")
    empty, _ = restrict(done, {})
    await save(tmp_path, snapshot_with_alerts("a", outbox=first), snapshot_with_alerts("a", outbox=done))
    assert (await load(tmp_path)).outbox == done
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        assert file.execute("SELECT count(*) FROM notices").fetchone() == (2,)
    await save(tmp_path, snapshot_with_alerts(outbox=empty))
    found = await load(tmp_path)
    assert (found.alerts, found.outbox.waiting, found.outbox.next_number) == ((), (), 104)
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        for table in ("alerts", "notices", "outbox"):
            assert file.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_new_evidence_alone_is_not_written(tmp_path: Path) -> None:
    """New evidence without a change is not written; it is saved with the next change."""
    before = alert("a")
    newer = replace(before, condition=condition("a", evidence=("another line",)))
    changed = replace(newer, state=AlertState.RESOLVING, cleared_at=AT)
    await save(tmp_path, replace(snapshot(), alerts=(before,)), replace(snapshot(), alerts=(newer,)))
    assert (await load(tmp_path)).alerts == (before,)
    await save(tmp_path, replace(snapshot(), alerts=(changed,)))
    assert (await load(tmp_path)).alerts == (changed,)


async def test_a_save_is_atomic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full in the middle of a save, nothing of it is written; the next save writes all."""
    persistence = Persistence(tmp_path)
    await persistence.open()
    before = snapshot_with_alerts("a", outbox=queue(1))
    await persistence.save(before, (), ())
    after, events = snapshot_with_alerts("a", "b", outbox=queue(1, 2)), tuple(failing()[1])
    with monkeypatch.context() as full:
        full.setattr("egressd.state.store._row", _disk_full)
        assert "full" in (await persistence.save(after, events, ())).problem
    assert _rows(tmp_path) == (1, 2, 0)
    assert (await persistence.save(after, (), ())).problem == ""
    assert _rows(tmp_path) == (2, 4, len(events))
    persistence._close()


async def test_a_cancelled_save_loses_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of a save that was cancelled at shutdown are written by the final save."""
    persistence, events = Persistence(tmp_path), tuple(failing()[1])
    await persistence.open()
    go = threading.Event()
    with monkeypatch.context() as slow:
        plain = Store.save
        slow.setattr(Store, "save", lambda *given, **more: (go.wait(10), plain(*given, **more))[1])
        async with asyncio.TaskGroup() as group:
            group.create_task(persistence.save(snapshot_with_alerts("a"), (), ()))
            await asyncio.sleep(0.05)
            late = group.create_task(persistence.save(snapshot_with_alerts("a", "b"), events, ()))
            await asyncio.sleep(0.05)
            late.cancel()
            await asyncio.sleep(0)
            go.set()
    await persistence.close(snapshot_with_alerts("a", "b"), ())
    assert read_history(tmp_path, since="2000", until="3000", target=None).events == events


def _disk_full(_: Event) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def _rows(directory: Path) -> tuple[int, ...]:
    with closing(sqlite3.connect(directory / FILE)) as file:
        tables = ("alerts", "outbox", "events")
        return tuple(file.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in tables)


async def test_a_damaged_row_costs_only_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged alert or notice is logged and skipped; the others are loaded, and saved again."""
    await save(tmp_path, snapshot_with_alerts("a", "b", outbox=queue(1, 2)))
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as file:
        file.execute("UPDATE alerts SET body = '{}' WHERE id LIKE '%/a'")
        file.execute("UPDATE notices SET body = 'nonsense' WHERE id = 'n1'")
    found = await load(tmp_path)
    assert [one.id for one in found.alerts] == [alert("b").id]
    assert [(one.receiver, one.notice.id) for one in found.outbox.waiting] == [("hook", "n2"), ("chat", "n2")]
    assert capsys.readouterr().err.count("can't be read and is left out") == 2
    await save(tmp_path, snapshot_with_alerts("b", outbox=found.outbox))
    capsys.readouterr()
    assert (await load(tmp_path)).outbox == found.outbox
    assert capsys.readouterr().err == ""


def first_version(directory: Path) -> None:
    """Write a database of schema version 1, without alerts."""
    directory.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(directory / FILE, isolation_level=None)) as file:
        file.executescript(
            f"PRAGMA journal_mode = WAL; BEGIN; {STEPS[0]}"
            f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1; COMMIT;"
        )


async def test_a_database_of_version_1_is_migrated_in_place(tmp_path: Path) -> None:
    """Standings and events are kept, the file is not moved aside, and alerts can be saved."""
    standings, events = failing()
    await save_and_close(tmp_path / "new", standings, events)
    first_version(tmp_path / "old")
    with closing(sqlite3.connect(tmp_path / "old" / FILE, isolation_level=None)) as file:
        file.execute("ATTACH ? AS new", (str(tmp_path / "new" / FILE),))
        for table in ("standings", "findings", "memory", "events"):
            file.execute(f"INSERT INTO {table} SELECT * FROM new.{table}")
    found = await load(tmp_path / "old")
    assert found.standings.targets == standings.targets
    assert (found.alerts, found.outbox) == ((), Outbox())
    await save(tmp_path / "old", replace(snapshot_with_alerts("a", outbox=queue(1)), standings=standings))
    assert (await load(tmp_path / "old")).outbox == queue(1)
    assert read_history(tmp_path / "old", since="2000", until="3000", target=None).events == tuple(events)
    assert [one.name for one in (tmp_path / "old").iterdir() if "damaged" in one.name] == []


async def test_a_failed_migration_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed migration leaves the file at version 1, and the next start retries it."""
    first_version(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(database, "STEPS", (STEPS[0], STEPS[1] + "INSERT INTO events VALUES (1);"))
        with pytest.raises(sqlite3.Error):
            database.connect(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (1,)
        assert file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alerts'").fetchone() == (0,)
    assert (await load(tmp_path)).outbox == Outbox()


@settings(max_examples=30)
@given(steps=st.lists(st.tuples(st.sampled_from(["post", "arrive", "kill"]), st.integers(1, 6)), max_size=25))
def test_the_file_has_the_last_save(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """After any sequence of queueing, delivering and reopening, the file has the last save."""
    directory = tmp_path_factory.mktemp("state")
    outbox, alerts, count = Outbox(), dict[str, Alert](), 0
    store = Store(directory)
    store.load()
    for what, number in steps:
        if what == "post":
            count += 1
            made: Notice = notice(count, at=AT)
            outbox = enqueue(outbox, [(made, BOUNDS)], BOUNDS)
            alerts[f"x{number}"] = alert(f"x{number}")
        elif what == "arrive":
            outbox = remove_delivered(outbox, [one.number for one in outbox.of("hook")[:number]], "hook")
            alerts.pop(f"x{number}", None)
        else:
            store.close()
            store = Store(directory)
            store.load()
        listed = tuple(alerts[name] for name in sorted(alerts))
        store.save(SavedState(alerts=listed, outbox=outbox), (), whole=False)
        other = Store(directory)
        found = other.load()
        other.close()
        assert (found.alerts, found.outbox) == (listed, outbox)
    store.close()
