"""The state directory is removed, replaced, locked or made unusable while a daemon runs: that is noticed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from egressd.bugs import BUGS
from egressd.model.event import ConfigReloaded, Event
from egressd.state import Persistence
from egressd.state.codec import encode
from egressd.state.database import LOCK
from egressd.state.history import read_history
from egressd.state.layout import FILE
from egressd.state.store import Store
from tests.standing.sweeps import at
from tests.state.test_persistence import failing, history, save_and_close, saved_state, snapshot

LATER = ConfigReloaded(at=at(50), digest="later")


def remove_all(directory: Path) -> None:
    shutil.rmtree(directory)


def remove_file(directory: Path) -> None:
    for one in directory.glob(f"{FILE}*"):
        one.unlink()


def remove_lock(directory: Path) -> None:
    (directory / LOCK).unlink()


def replace_by_empty(directory: Path) -> None:
    directory.rename(directory.with_name("moved"))
    directory.mkdir()


def move_behind_a_link(directory: Path) -> None:
    moved = directory.with_name("elsewhere")
    shutil.copytree(directory, moved)
    shutil.rmtree(directory)
    directory.symlink_to(moved)


def restore_older(directory: Path) -> None:
    """Put a copy in place, as a restored backup is."""
    for one in list(directory.glob(f"{FILE}*")):
        shutil.copy(one, one.with_name(f"new-{one.name}"))
        one.unlink()
    for one in list(directory.glob("new-*")):
        one.rename(one.with_name(one.name.removeprefix("new-")))


@pytest.mark.parametrize(
    "lose", [remove_all, remove_file, remove_lock, replace_by_empty, move_behind_a_link, restore_older]
)
async def test_a_lost_place_is_noticed_and_all_is_written_anew(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    """The next save says so and writes everything; another daemon is kept out as before."""
    directory = tmp_path / "state"
    standings, emitted = failing()
    persistence = Persistence(directory)
    await persistence.open()
    assert (await persistence.save(snapshot(standings), tuple(emitted), ())).problem == ""
    lose(directory)
    with structlog.testing.capture_logs() as output:
        assert (await persistence.save(snapshot(standings), (LATER,), ())).problem == ""
        assert (await persistence.save(snapshot(standings), (), ())).problem == ""
    said = [one for one in output if one["event"].startswith("state was removed or replaced")]
    assert len(said) == 1
    with pytest.raises(Exception, match="another egressd keeps its state"):
        await Persistence(directory).open()
    await persistence.close(snapshot(standings), ())
    assert (await saved_state(directory)).standings.targets == standings.targets
    assert LATER in history(directory)


async def test_a_directory_that_cannot_come_back_is_a_status_until_it_can(tmp_path: Path) -> None:
    """A file in its place is said once, events are kept, and all are written when the file is gone."""
    directory = tmp_path / "state"
    standings, emitted = failing()
    persistence = Persistence(directory)
    await persistence.open()
    shutil.rmtree(directory)
    directory.write_text("in the way", encoding="ascii")
    with structlog.testing.capture_logs() as output:
        for one in emitted:
            assert (await persistence.save(snapshot(standings), (one,), ())).problem != ""
        directory.unlink()
        assert (await persistence.save(snapshot(standings), (), ())).problem == ""
    assert len([one for one in output if one["event"] == "state is not kept"]) == 1
    await persistence.close(snapshot(standings), ())
    assert history(directory) == tuple(emitted)


async def test_a_file_that_another_process_locks_is_waited_for(tmp_path: Path) -> None:
    """A start beside a backup program loses nothing of what waits in the file."""
    standings, emitted = failing()
    await save_and_close(tmp_path, standings, emitted)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        asyncio.get_running_loop().call_later(0.5, other.close)
        persistence = Persistence(tmp_path)
        found, status = await persistence.open()
    assert (found.standings.targets, status.problem) == (standings.targets, "")
    await persistence.close(snapshot(standings), ())


async def test_an_event_with_bytes_that_are_no_text_is_saved(tmp_path: Path) -> None:
    """A surrogate, as in a file name that is not UTF-8, costs itself and not the event."""
    persistence = Persistence(tmp_path)
    await persistence.open()
    odd = ConfigReloaded(at=at(1), digest="caf\udce9\0\ud800")
    assert (await persistence.save(snapshot(), (odd, LATER), ())).problem == ""
    await persistence.close(snapshot(), ())
    assert history(tmp_path) == (ConfigReloaded(at=at(1), digest="caf?\0?"), LATER)
    assert "?" in encode(odd)


@pytest.mark.bugs
async def test_a_bug_in_saving_is_a_status_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception while saving leaves the daemon running, and events wait for the next save."""
    persistence = Persistence(tmp_path)
    await persistence.open()
    before = BUGS.totals()["state"]
    for bug in (RecursionError("deep"), MemoryError(), OverflowError("int"), KeyError("row")):

        def fail(*_: object, error: Exception = bug, **__: object) -> None:
            raise error

        with monkeypatch.context() as broken, structlog.testing.capture_logs():
            broken.setattr(Store, "save", fail)
            assert "internal error" in (await persistence.save(snapshot(), (LATER,), ())).problem
    assert BUGS.totals()["state"] == before + 4
    assert (await persistence.save(snapshot(), (), ())).problem == ""
    await persistence.close(snapshot(), ())
    assert history(tmp_path) == (LATER,) * 4


async def test_a_damaged_event_hides_no_other(tmp_path: Path) -> None:
    """`history` leaves out what can't be read, says how much, and shows the rest."""
    standings, emitted = failing()
    events: list[Event] = [*emitted, LATER, LATER]
    await save_and_close(tmp_path, standings, events)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE events SET body = CAST(x'7bff7d' AS TEXT) WHERE id = 2")
        connection.execute("UPDATE events SET body = '{' WHERE id = 3")
    found = read_history(tmp_path, since="2000", until="3000", target=None)
    assert found.events == tuple(emitted)
    assert found.unreadable == 2
