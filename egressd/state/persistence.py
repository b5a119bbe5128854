"""Saving the daemon's state in a thread: disk errors become a status, never an exception."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from egressd import clock
from egressd.bugs import report_bug
from egressd.errors import Part, describe_bug
from egressd.log import get_logger
from egressd.model.catalog import Discovery
from egressd.model.event import Event
from egressd.model.observation import Timestamp
from egressd.model.snapshot import Snapshot, StateStatus
from egressd.state import database
from egressd.state.layout import FILE
from egressd.state.store import SavedState, Store

MOST_UNSAVED = 5000
"""Unsaved events kept while the disk fails; beyond it the oldest are lost, which is logged."""
WAIT_FOR_FILE = 30.0
"""Seconds to wait at the start for a file that is there and can't be opened, such as a locked one."""
RETRY_AFTER = 0.5
WHOLE_EVERY = 600.0
"""Seconds between two saves of values that change with every probe."""

log = get_logger(__name__)

Identity = tuple[int, int] | None
"""Device and inode of a file; None: there is none."""


class Place(Struct, frozen=True, kw_only=True):
    """Which directory and which files are in use: names may come to mean others."""

    name: str
    identities: tuple[Identity, ...]

    @classmethod
    def of(cls, directory: Path) -> Place:
        """Return what a directory is now."""
        paths = (directory, directory / FILE, directory / database.LOCK)
        return cls(name=str(directory / FILE), identities=tuple(map(_identity, paths)))

    def is_lost(self, directory: Path) -> bool:
        """Whether the directory, the file or its lock was removed, or is another one by now."""
        return Place.of(directory) != self


def _identity(path: Path) -> Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Persistence:
    """Loads and saves the state, one save at a time."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._store: Store | None = None
        self._lock: int | None = None
        self._turn = asyncio.Lock()
        self._thread_lock = threading.Lock()
        """Held by the thread: a cancelled save goes on in it."""
        self._unsaved: deque[Event] = deque(maxlen=MOST_UNSAVED)
        self._cancelled: tuple[Event, ...] = ()
        """Events of a save cancelled before its turn, for the next save."""
        self._lost_count = 0
        self._problem = ""
        self._damaged = False
        """Whether the file was found to be damaged while in use."""
        self._place: Place | None = None
        """Where the open file is; None: none was opened yet, or it was lost."""
        self._opened = False
        """Whether the file was ever opened."""
        self._saved_at: Timestamp | None = None
        self._failing_since: Timestamp | None = None
        self._whole_at = clock.monotonic()

    async def open(self) -> tuple[SavedState, StateStatus]:
        """Load the saved state.

        Raises:
            StateInUseError: another daemon uses the directory.
        """
        if self._directory is None:
            log.warning("nothing is kept over a restart: no state.directory, and no $STATE_DIRECTORY")
            return SavedState(), StateStatus()
        until = clock.monotonic() + WAIT_FOR_FILE
        while (loaded := await asyncio.to_thread(self._guarded, self._open)) is None:
            # What waits in a file must not be overwritten because it can't be read for a moment.
            if clock.monotonic() >= until or not (self._directory / FILE).exists():
                return SavedState(), self._status()
            await asyncio.sleep(RETRY_AFTER)
        return loaded, self._status()

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        """Save a snapshot, the events and those that could not be saved before, all or nothing."""
        if self._directory is None:
            return StateStatus()
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._cancelled += events
            raise
        try:
            self._queue(events)
            saved_state, retention = _of(snapshot, discoveries), snapshot.settings.state.retention
            due = clock.monotonic() - self._whole_at >= WHOLE_EVERY
            await asyncio.to_thread(
                self._guarded, lambda: self._save(saved_state, retention=retention, whole=due)
            )
        finally:
            self._turn.release()
        return self._status()

    async def close(self, snapshot: Snapshot, discoveries: tuple[Discovery, ...]) -> None:
        """Save everything a last time, and close the file."""
        if self._directory is None:
            return
        async with self._turn:
            self._queue(())
            saved_state, retention = _of(snapshot, discoveries), snapshot.settings.state.retention
            await asyncio.to_thread(
                self._guarded, lambda: self._save(saved_state, retention=retention, whole=True)
            )
            await asyncio.to_thread(self._close)

    def _queue(self, events: tuple[Event, ...]) -> None:
        """Add events to those that the next save writes."""
        events, self._cancelled = self._cancelled + events, ()
        self._lost_count += max(0, len(self._unsaved) + len(events) - MOST_UNSAVED)
        self._unsaved.extend(events)

    def _open(self) -> SavedState:
        if self._directory is None:
            raise RuntimeError("nothing to open")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = database.lock(self._directory)
        try:
            return self._load()
        except sqlite3.Error as error:
            if not database.is_damage(error):
                raise
            self._drop_store(damaged=True)
            return self._load()

    def _load(self) -> SavedState:
        if self._directory is None:
            raise RuntimeError("nothing to open")
        damaged, self._damaged = self._damaged, False
        self._store = Store(self._directory, damaged=damaged)
        loaded = self._store.load()
        self._place, self._opened = Place.of(self._directory), True
        return loaded

    def _save(self, saved_state: SavedState, *, retention: float, whole: bool) -> None:
        self._check_place()
        if self._store is None:  # after a full disk, damage or a removal: the file may be new
            self._open()
            whole = True
        if self._store is None:
            return
        events = tuple(self._unsaved)
        self._store.save(saved_state, events, whole=whole)
        for _ in events:
            self._unsaved.popleft()
        if self._lost_count:
            log.error("events were lost while the state could not be saved", count=self._lost_count)
            self._lost_count = 0
        if whole:
            self._whole_at = clock.monotonic()
        self._saved_at = clock.timestamp()
        self._store.prune(retention)

    def _check_place(self) -> None:
        """Let go of files that were removed or replaced: what is written to them is lost."""
        if self._place is not None and self._directory is not None and self._place.is_lost(self._directory):
            log.error("state was removed or replaced while in use; it is written anew", file=self._place.name)
            self._place = None
            self._drop_store(damaged=False)
            self._unlock()

    def _guarded(self, work: Callable[[], SavedState | None]) -> SavedState | None:
        """Run work on the file; an error becomes the status, and is logged once."""
        try:
            with self._thread_lock:
                done = work()
        except sqlite3.Error as error:
            self._drop_store(damaged=database.is_damage(error))
            self._report(f"cannot keep state in {self._directory}: {error}")
            return None
        except OSError as error:
            self._drop_store(damaged=False)
            self._report(f"cannot keep state in {self._directory}: {error.strerror or error}")
            return None
        except database.StateInUseError as error:
            if not self._opened:  # the user decides which of two goes on
                raise
            self._report(str(error))
            return None
        except Exception as bug:  # noqa: BLE001 - it is reported: the daemon goes on without saving
            report_bug(Part.STATE, bug)
            self._drop_store(damaged=False)
            self._report(f"cannot keep state in {self._directory}: internal error: {describe_bug(bug)}")
            return None
        if self._problem:
            log.info("state is kept again", directory=str(self._directory))
            self._problem = ""
        return done

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            log.error("state is not kept", why=problem, unsaved=len(self._unsaved))
            self._failing_since = self._failing_since if self._problem else clock.timestamp()
            self._problem = problem

    def _drop_store(self, *, damaged: bool) -> None:
        """Close the store; the next save opens it again, and what is damaged is replaced then."""
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        self._damaged = self._damaged or damaged

    def _close(self) -> None:
        with self._thread_lock:
            if self._store is not None:
                self._store.close()
                self._store = None
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _status(self) -> StateStatus:
        return StateStatus(
            directory=str(self._directory),
            problem=self._problem,
            failing_since=self._failing_since if self._problem else None,
            saved_at=self._saved_at,
        )


def _of(snapshot: Snapshot, discoveries: tuple[Discovery, ...]) -> SavedState:
    return SavedState(
        standings=snapshot.standings,
        profiles=tuple(snapshot.counters.profiles.items()),
        discoveries=discoveries,
        alerts=snapshot.alerts,
        outbox=snapshot.outbox,
    )
