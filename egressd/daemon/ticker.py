"""Time passes for the alerts although nobody looks; and a window that is opened by hand holds at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog

from egressd import clock
from egressd.daemon.state_store import StateStore
from egressd.state.silences import FILE, SilencesFileError, read_silences

EVERY = 15.0
"""Seconds between two ticks."""
LOOK_EVERY = 2.0
"""Seconds between two looks at the file of maintenance windows."""

Stamp = tuple[int, int, int] | None
"""What changes with a file; None: there is none."""

log = structlog.get_logger("egressd")


@dataclass(slots=True, kw_only=True)
class Ticker:
    """The task that lets time pass."""

    store: StateStore
    directory: Path | None
    """Where the file is; None: there is none, for nothing is kept."""
    _stamp: Stamp = None
    _problem: str = ""

    async def run(self) -> None:
        """Tick until cancelled."""
        ticked = clock.monotonic()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            changed = await self.look()
            if changed or clock.monotonic() - ticked >= EVERY:
                ticked = clock.monotonic()
                await self.store.tick()

    async def look(self) -> bool:
        """Read the windows again where the file has changed; return whether they are others now.

        A file that can't be used leaves those that were known: an edit must not end a maintenance.
        """
        if self.directory is None:
            return False
        stamp = await asyncio.to_thread(_stamp_of, self.directory / FILE)
        if stamp == self._stamp:
            return False
        before = self.store.silences
        try:
            self.store.silences = await asyncio.to_thread(read_silences, self.directory)
        except SilencesFileError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("maintenance windows can't be read, those before stay", why=self._problem)  # noqa: TRY400
            return False
        self._stamp, self._problem = stamp, ""
        return self.store.silences != before


def _stamp_of(path: Path) -> Stamp:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
