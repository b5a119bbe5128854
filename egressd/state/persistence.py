"""The daemon's side of the state: never in its way, whatever the disk does."""

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
"""Events that wait for a disk that can't take them; beyond, the oldest are lost, and that is said."""
WHOLE_EVERY = 600.0
"""Seconds between two savings of what changes all the time."""

log = structlog.get_logger(__name__)


class Persistence:
    """Saves in a thread, one save at a time; trouble is a status, never an exception."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._store: Store | None = None
        self._lock: int | None = None
        self._turn = asyncio.Lock()
        self._thread = threading.Lock()
        """A save that was cancelled goes on in its thread."""
        self._unsaved: deque[Event] = deque(maxlen=MOST_UNSAVED)
        self._left: tuple[Event, ...] = ()
        """Of a save that was cancelled before its turn: the next one takes them."""
        self._lost = 0
        self._problem = ""
        self._whole_at = clock.monotonic()

    async def open(self) -> tuple[SavedState, StateStatus]:
        """Load what was kept.

        Raises:
            StateInUseError: another daemon has the directory.
        """
        if self._directory is None:
            log.warning("nothing is kept over a restart: no state.directory, and no $STATE_DIRECTORY")
            return SavedState(), StateStatus()
        saved_state = await asyncio.to_thread(self._attempt, self._open)
        return saved_state or SavedState(), self._status()

    async def save(
        self, snapshot: Snapshot, events: tuple[Event, ...], discoveries: tuple[Discovery, ...]
    ) -> StateStatus:
        """Save all or nothing, with what could not be saved before."""
        if self._directory is None:
            return StateStatus()
        try:
            await self._turn.acquire()
        except asyncio.CancelledError:
            self._left += events
            raise
        try:
            self._queue(events)
            saved_state, retention = _of(snapshot, discoveries), snapshot.settings.state.retention
            due = clock.monotonic() - self._whole_at >= WHOLE_EVERY
            await asyncio.to_thread(
                self._attempt, lambda: self._save(saved_state, retention=retention, whole=due)
            )
        finally:
            self._turn.release()
        return self._status()

    async def close(self, snapshot: Snapshot, discoveries: tuple[Discovery, ...]) -> None:
        """Save everything a last time, and let go."""
        if self._directory is None:
            return
        async with self._turn:
            self._queue(())
            saved_state, retention = _of(snapshot, discoveries), snapshot.settings.state.retention
            await asyncio.to_thread(
                self._attempt, lambda: self._save(saved_state, retention=retention, whole=True)
            )
            await asyncio.to_thread(self._let_go)

    def _queue(self, events: tuple[Event, ...]) -> None:
        """Let events wait for the save that comes now."""
        events, self._left = self._left + events, ()
        self._lost += max(0, len(self._unsaved) + len(events) - MOST_UNSAVED)
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
        if self._store is None:  # the disk was full, or the file damaged: it may all be new
            self._open()
            whole = True
        if self._store is None:
            return
        events = tuple(self._unsaved)
        self._store.save(saved_state, events, whole=whole)
        for _ in events:
            self._unsaved.popleft()
        if self._lost:
            log.error("events were lost while the state could not be saved", count=self._lost)
            self._lost = 0
        if whole:
            self._whole_at = clock.monotonic()
        self._store.prune(retention)

    def _attempt(self, work: Callable[[], SavedState | None]) -> SavedState | None:
        """Do something with the file; note what went wrong, and say it once."""
        try:
            with self._thread:
                done = work()
        except sqlite3.Error as error:
            self._drop_store(damaged=database.is_damage(error))
            self._trouble(f"cannot keep state in {self._directory}: {error}")
            return None
        except OSError as error:
            self._trouble(f"cannot keep state in {self._directory}: {error.strerror or error}")
            return None
        if self._problem:
            log.info("state is kept again", directory=str(self._directory))
            self._problem = ""
        return done

    def _trouble(self, problem: str) -> None:
        if problem != self._problem:
            log.error("state is not kept", why=problem, unsaved=len(self._unsaved))
            self._problem = problem

    def _drop_store(self, *, damaged: bool) -> None:
        """Close what can't be written to; the next save opens it again, from scratch if it is damaged."""
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        if damaged and self._directory is not None:
            try:
                aside = database.move_aside(self._directory / database.FILE)
            except OSError as error:
                self._trouble(f"cannot move damaged state aside: {error.strerror or error}")
            else:
                log.error("state moved aside", aside=str(aside), why="damaged while in use")

    def _let_go(self) -> None:
        with self._thread:
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
