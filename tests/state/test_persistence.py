"""Persistence: restarts, damaged files, full disks, a second daemon, retention."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from egressd import clock
from egressd.model.catalog import Discovery
from egressd.model.event import ConfigReloaded, Event, SweepFinished, TargetChanged
from egressd.model.settings import Settings
from egressd.model.snapshot import ConfigStatus, Counters, Snapshot
from egressd.model.standing import Standings
from egressd.model.verdict import OutcomeCounts
from egressd.standing import advance
from egressd.state import Persistence, SavedState
from egressd.state.database import MOST_ASIDE, StateInUseError
from egressd.state.history import HistoryError, history_json, read_history
from egressd.state.layout import FILE
from egressd.state.store import Store
from tests.standing.sweeps import at, sweep

RETENTION = 90 * 86400.0
DISCOVERY = Discovery(name="service-bus-allowlist", hosts=("a.servicebus.windows.net",))


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Return a wall clock that can be set."""
    moments = [datetime(2026, 11, 20, 4, 0, tzinfo=UTC)]
    monkeypatch.setattr(clock, "now", lambda: moments[0])
    return lambda moment: moments.__setitem__(0, moment)


def snapshot(standings: Standings = Standings(), *, profiles: dict[str, str] | None = None) -> Snapshot:  # noqa: B008 - frozen
    return Snapshot(
        settings=Settings(),
        config=ConfigStatus(digest="", since=at(0)),
        started=at(0),
        standings=standings,
        counters=Counters(profiles=profiles or {}),
    )


def failing(results: int = 4, word: str = "blocked:tls_reset") -> tuple[Standings, list[Event]]:
    """Return standings and events after a target that was ok has failed so many times."""
    standings, emitted = Standings(), list[Event]()
    for number, one in enumerate(["ok", *[word] * (results - 1)]):
        standings, events = advance(
            standings, sweep(number, {"row/a:443": one, "row/b:443": "ok"}), now=at(number)
        )
        emitted += events
    return standings, emitted


async def save_and_close(
    directory: Path, standings: Standings, events: list[Event], **kinds: dict[str, str]
) -> None:
    """Save something and close the file."""
    persistence = Persistence(directory)
    await persistence.open()
    status = await persistence.save(snapshot(standings, **kinds), tuple(events), (DISCOVERY,))
    assert status.problem == ""
    await persistence.close(snapshot(standings, **kinds), (DISCOVERY,))


async def saved_state(directory: Path) -> SavedState:
    persistence = Persistence(directory)
    found, status = await persistence.open()
    assert status.problem == ""
    await persistence.close(snapshot(found.standings), ())
    return found


def history(directory: Path) -> tuple[Event, ...]:
    return read_history(directory, since="2000", until="3000", target=None).events


async def test_a_restart_loses_nothing_and_reports_nothing_again(tmp_path: Path) -> None:
    """Times, evidence, profiles and discoveries are loaded; a continuing failure is no new event."""
    standings, emitted = failing()
    await save_and_close(tmp_path, standings, emitted, profiles={"bridge": at(0)})
    found = await saved_state(tmp_path)
    assert found.standings.targets == standings.targets
    assert found.profiles == (("bridge", at(0)),)
    assert found.discoveries == (DISCOVERY,)
    after, events = advance(
        found.standings, sweep("x", {"row/a:443": "blocked:tls_reset", "row/b:443": "ok"}), now=at(99)
    )
    assert events == ()
    assert after.targets[0].since == standings.targets[0].since
    assert history(tmp_path) == tuple(emitted)


async def test_an_unconfirmed_failure_survives_a_restart(tmp_path: Path) -> None:
    """A suspect target is still suspect after a restart, with its result count."""
    standings, emitted = failing(3)
    assert emitted == []
    await save_and_close(tmp_path, standings, emitted)
    found = await saved_state(tmp_path)
    assert found.standings.targets == standings.targets
    _, events = advance(
        found.standings, sweep("x", {"row/a:443": "blocked:tls_reset", "row/b:443": "ok"}), now=at(99)
    )
    assert [type(one) for one in events] == [TargetChanged]


async def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """Directory and files are private, since they hold evidence about the network."""
    directory = tmp_path / "deep" / "state"
    await save_and_close(directory, *failing())
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / FILE).stat().st_mode) == 0o600


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"hello\n" * 1000,
    "cut": lambda data: data[: len(data) // 2],
    "head": lambda data: b"\0" * 100 + data[100:],
    "middle": lambda data: data[:4096] + os.urandom(8192) + data[12288:],
    "other program": lambda data: data[:68] + b"\0\0\0\7" + data[72:],
    "later schema": lambda data: data[:60] + b"\0\0\0\x63" + data[64:],
}


READABLE = frozenset({"head", "other program", "later schema"})
"""Damage that takes no row with it."""


@pytest.mark.parametrize("kind", list(DAMAGE))
async def test_a_damaged_file_is_moved_aside_and_logged(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a damaged file the daemon starts, takes over what can be read of it, and keeps it."""
    standings, emitted = failing()
    await save_and_close(tmp_path, standings, emitted)
    path = tmp_path / FILE
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    found = await saved_state(tmp_path)
    assert set(found.standings.targets) <= set(standings.targets)
    if kind in READABLE:
        assert found.standings.targets == standings.targets
        assert history(tmp_path) == tuple(emitted)
    await save_and_close(tmp_path, *failing())
    assert len((await saved_state(tmp_path)).standings.targets) == 2
    aside = _aside(tmp_path)
    assert len(aside) == (kind != "empty")
    assert ("state moved aside" in capsys.readouterr().err) is (kind != "empty")


async def test_few_damaged_files_are_kept(tmp_path: Path, now: Callable[[datetime], None]) -> None:
    """Only the newest damaged files are kept."""
    for number in range(MOST_ASIDE + 3):
        now(datetime(2026, 11, 20, 4, number, tzinfo=UTC))
        (tmp_path / FILE).write_bytes(b"no database" * 500)
        await saved_state(tmp_path)
    assert len(_aside(tmp_path)) == MOST_ASIDE


async def test_damage_while_in_use_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage found by a save: all state goes to a new file, with that save's event and those before."""
    standings, emitted = failing()
    persistence = Persistence(tmp_path)
    await persistence.open()
    await persistence.save(snapshot(standings), tuple(emitted), ())
    reloaded = ConfigReloaded(at=at(9), digest="x")
    with monkeypatch.context() as damage:
        damage.setattr(Store, "save", _malformed)
        assert "malformed" in (await persistence.save(snapshot(standings), (reloaded,), ())).problem
    assert (await persistence.save(snapshot(standings), (), ())).problem == ""
    await persistence.close(snapshot(standings), ())
    assert len(_aside(tmp_path)) == 1
    assert (await saved_state(tmp_path)).standings.targets == standings.targets
    assert history(tmp_path) == (*emitted, reloaded)


def _malformed(*_: object, **__: object) -> None:
    raise sqlite3.DatabaseError("database disk image is malformed")


def _aside(directory: Path) -> list[Path]:
    return [one for one in directory.glob("*.damaged-*") if not one.name.endswith(("-wal", "-shm"))]


async def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    """A second daemon on one directory is refused, since both would send every notification."""
    persistence = Persistence(tmp_path)
    await persistence.open()
    with pytest.raises(StateInUseError, match="another egressd keeps its state in"):
        await Persistence(tmp_path).open()
    await persistence.close(snapshot(), ())
    await save_and_close(tmp_path, *failing())


async def test_without_a_directory_nothing_is_kept() -> None:
    """Without a state directory nothing is saved, and nothing fails."""
    persistence = Persistence(None)
    assert await persistence.open() == (SavedState(), persistence._status().__class__())
    assert (await persistence.save(snapshot(), tuple(failing()[1]), ())).directory is None
    await persistence.close(snapshot(), ())


async def test_a_directory_that_cannot_be_created_is_a_status(tmp_path: Path) -> None:
    """The daemon runs without the directory, and saves the events since then once it can be created."""
    (tmp_path / "file").write_text("", encoding="ascii")
    persistence = Persistence(tmp_path / "file" / "state")
    _, status = await persistence.open()
    assert "cannot keep state in" in status.problem
    standings, emitted = failing()
    assert "Not a directory" in (await persistence.save(snapshot(standings), tuple(emitted), ())).problem
    (tmp_path / "file").unlink()
    assert (await persistence.save(snapshot(standings), (), ())).problem == ""
    await persistence.close(snapshot(standings), ())
    assert history(tmp_path / "file" / "state") == tuple(emitted)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of one MiB; skip without permission to mount it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("SKIPPED: a full disk needs root, to mount a small one")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_is_survived(small_disk: Path) -> None:
    """A full disk is a status; events are kept in memory, and all are written once there is room."""
    standings, emitted = failing()
    persistence = Persistence(small_disk)
    await persistence.open()
    assert (await persistence.save(snapshot(), (), ())).problem == ""
    filler = small_disk / "filler"
    _fill(filler)
    problems = [(await persistence.save(snapshot(standings), (one,), ())).problem for one in _many(emitted)]
    assert any("full" in one or "I/O" in one for one in problems)
    filler.unlink()
    assert (await persistence.save(snapshot(standings), (), ())).problem == ""
    await persistence.close(snapshot(standings), ())
    assert history(small_disk) == tuple(_many(emitted))
    assert (await saved_state(small_disk)).standings.targets == standings.targets


def _fill(filler: Path) -> None:
    """Write until there is no room for another byte."""
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        with suppress(OSError):
            while os.write(descriptor, b"x" * 4096):
                pass
    finally:
        os.close(descriptor)


def _many(emitted: list[Event]) -> list[Event]:
    return [*emitted, *(ConfigReloaded(at=at(number), digest="x" * 2000) for number in range(30))]


def finished(moment: str, *, bad: int = 0) -> SweepFinished:
    tally = OutcomeCounts(targets=9, ok=9 - bad, degraded=0, blocked=bad, down=0, unknown=0)
    return SweepFinished(at=moment, recording="r", started=moment, seconds=1.0, tally=tally)


def rows(directory: Path, statement: str) -> list[tuple[Any, ...]]:
    """Query the database directly."""
    with closing(sqlite3.connect(directory / FILE)) as connection:
        return connection.execute(statement).fetchall()


def test_failures_are_kept_longer_than_successes(tmp_path: Path, now: Callable[[datetime], None]) -> None:
    """Routine events are deleted after a tenth of the retention, failures after all of it."""
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    store = Store(tmp_path)
    change = failing()[1][0]
    assert isinstance(change, TargetChanged)
    for days in (1, 20, 80, 100):
        stamp = clock.timestamp(moment - timedelta(days=days))
        events = (finished(stamp), finished(stamp, bad=1), replace(change, at=stamp))
        store.save(SavedState(), events, whole=False)
    now(moment)
    store.prune(90 * 86400.0)
    store.close()
    found = rows(tmp_path, "SELECT kind, routine, at FROM events ORDER BY id")
    kept = [(kind, routine, (moment - datetime.fromisoformat(stamp)).days) for kind, routine, stamp in found]
    assert kept == [
        ("sweep", 1, 1), ("sweep", 0, 1), ("target", 0, 1),
        ("sweep", 0, 20), ("target", 0, 20),
        ("sweep", 0, 80), ("target", 0, 80),
    ]  # fmt: skip


def test_a_shorter_retention_applies_at_once(tmp_path: Path, now: Callable[[datetime], None]) -> None:
    """A shorter retention frees space at the next save."""
    moment = datetime(2026, 11, 20, tzinfo=UTC)
    now(moment)
    store = Store(tmp_path)
    store.prune(90 * 86400.0)
    stamp = clock.timestamp(moment - timedelta(days=20))
    store.save(SavedState(), (ConfigReloaded(at=stamp, digest="x"),), whole=False)
    store.prune(90 * 86400.0)
    assert rows(tmp_path, "SELECT count(*) FROM events") == [(1,)]
    store.prune(7 * 86400.0)
    store.close()
    assert rows(tmp_path, "SELECT count(*) FROM events") == [(0,)]


def test_the_database_is_bounded_however_much_flaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of rows is limited, and the space of deleted ones is freed."""
    monkeypatch.setattr("egressd.state.store.MOST_EVENTS", 200)
    monkeypatch.setattr("egressd.state.store.PRUNE_EVERY", 50)
    store, sizes = Store(tmp_path), list[int]()
    for number in range(60):
        reloads = tuple(ConfigReloaded(at=at(number), digest="x" * 500) for _ in range(50))
        store.save(SavedState(), reloads, whole=False)
        store.prune(RETENTION)
        sizes.append((tmp_path / FILE).stat().st_size + (tmp_path / f"{FILE}-wal").stat().st_size)
    store.close()
    assert max(sizes[30:]) <= max(sizes[:30]) * 1.1
    assert max(sizes) < 6_000_000
    assert rows(tmp_path, "SELECT count(*) FROM events")[0][0] <= 250


def test_results_that_agree_are_not_written(tmp_path: Path) -> None:
    """A target that stays ok is not written with every sweep."""
    store = Store(tmp_path)
    standings, _ = failing()
    store.save(SavedState(standings=standings), (), whole=False)
    changes = store._connection.total_changes
    for number in range(10, 20):
        words = {"row/a:443": "blocked:tls_reset", "row/b:443": "ok"}
        standings, _ = advance(standings, sweep(number, words), now=at(number))
        store.save(SavedState(standings=standings), (), whole=False)
    assert store._connection.total_changes == changes
    store.save(SavedState(standings=standings), (), whole=True)
    assert store._connection.total_changes == changes + 2
    store.close()


async def test_history_has_changes_and_their_evidence(tmp_path: Path) -> None:
    """The history has earlier failures, and matching changes with their evidence."""
    standings, emitted = failing()
    recovered, events = advance(standings, sweep(70, {"row/a:443": "ok", "row/b:443": "ok"}), now=at(70))
    recovered, events = advance(recovered, sweep(71, {"row/a:443": "ok", "row/b:443": "ok"}), now=at(71))
    await save_and_close(tmp_path, recovered, [*emitted, finished(at(30)), *events])
    found = read_history(tmp_path, since=at(60), until=at(100), target="A")
    (was,), (now_ok,) = found.already, found.events
    assert isinstance(was, TargetChanged)
    assert isinstance(now_ok, TargetChanged)
    assert (was.after.reason, was.after.evidence) == ("tls_reset", ("evidence of blocked:tls_reset",))
    assert (now_ok.before_since, now_ok.since) == (at(1), at(70))
    assert found.watch.sweeps == 0
    whole = read_history(tmp_path, since=at(0), until=at(100), target=None)
    assert (whole.watch.sweeps, len(whole.events)) == (1, 2)
    assert '"kind": "target"' in history_json(whole)
    for pattern, count in (("row", 2), ("row/a:443", 2), ("a:443", 2), ("*", 2), ("b", 0), ("r?w/*", 2)):
        assert len(read_history(tmp_path, since=at(0), until=at(100), target=pattern).events) == count


async def test_history_is_read_while_the_daemon_writes(tmp_path: Path) -> None:
    """A reader and the writer do not block each other."""
    standings, emitted = failing()
    persistence = Persistence(tmp_path)
    await persistence.open()
    await persistence.save(snapshot(standings), tuple(emitted), ())
    assert history(tmp_path) == tuple(emitted)
    assert (
        await persistence.save(snapshot(standings), (ConfigReloaded(at=at(9), digest="x"),), ())
    ).problem == ""
    assert len(history(tmp_path)) == 2
    await persistence.close(snapshot(standings), ())


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 100])
def test_no_history_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """A missing file, an empty one, and another program's are errors."""
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(HistoryError, match=r"no history in|cannot read"):
        history(tmp_path)
