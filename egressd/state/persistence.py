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

import structlog

from egressd import clock
from egressd.model.catalog import Discovery
from egressd.model.event import Event
from egressd.model.snapshot import Snapshot, StateStatus
from egressd.state import database
from egressd.state.store import SavedState, Store

MOST_UNSAVED = 5000
"""Unsaved events kept while the disk fails; beyond it the oldest are lost, which is logged."""
WHOLE_EVERY = 600.0
"""Seconds between two saves of values that change with every probe."""

log = structlog.get_logger(__name__)


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
        self._whole_at = clock.monotonic()

    async def open(self) -> tuple[SavedState, StateStatus]:
        """Load the saved state.

        Raises:
            StateInUseError: another daemon uses the directory.
        """
        if self._directory is None:
            log.warning("nothing is kept over a restart: no state.directory, and no $STATE_DIRECTORY")
            return SavedState(), StateStatus()
        saved_state = await asyncio.to_thread(self._guarded, self._open)
        return saved_state or SavedState(), self._status()

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
        if self._lock is None:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = database.lock(self._directory)
        self._store = Store(self._directory)
        return self._store.load()

    def _save(self, saved_state: SavedState, *, retention: float, whole: bool) -> None:
        if self._store is None:  # after a full disk or damage: the file may be new
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
        self._store.prune(retention)

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
            self._report(f"cannot keep state in {self._directory}: {error.strerror or error}")
            return None
        if self._problem:
            log.info("state is kept again", directory=str(self._directory))
            self._problem = ""
        return done

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            log.error("state is not kept", why=problem, unsaved=len(self._unsaved))
            self._problem = problem

    def _drop_store(self, *, damaged: bool) -> None:
        """Close the store; the next save opens it again, and a damaged file is replaced."""
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        if damaged and self._directory is not None:
            try:
                aside = database.move_aside(self._directory / database.FILE)
            except OSError as error:
                self._report(f"cannot move damaged state aside: {error.strerror or error}")
            else:
                log.error("state moved aside", aside=str(aside), why="damaged while in use")

    def _close(self) -> None:
        with self._thread_lock:
            if self._store is not None:
                self._store.close()
                self._store = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _status(self) -> StateStatus:
        return StateStatus(directory=str(self._directory), problem=self._problem)


def _of(snapshot: Snapshot, discoveries: tuple[Discovery, ...]) -> SavedState:
    return SavedState(
        standings=snapshot.standings,
        profiles=tuple(snapshot.counters.profiles.items()),
        discoveries=discoveries,
        alerts=snapshot.alerts,
        outbox=snapshot.outbox,
    )
