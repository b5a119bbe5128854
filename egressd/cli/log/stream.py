"""A log stream that can't fail and never blocks: a thread writes, and what it can't write is counted.

A full disk, a closed pipe, a reader that never reads and a stopped terminal are the same to the daemon.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread
from typing import TextIO

MOST_WAITING = 4 << 20
"""Bytes that wait for a slow reader; what comes then is lost."""
LAST_LINES = 1.0
"""Seconds that waiting lines have at the end of the process."""
_CHUNK = 4096
"""PIPE_BUF: a pipe that select calls writable takes so many bytes at once."""

Report = Callable[[int], str]
"""Writes the line that says how many lines were lost."""


class LogStream:
    """A text stream over a descriptor, for a log. Safe to use from any thread."""

    def __init__(self, number: int, *, waiting: int = MOST_WAITING) -> None:
        self.number = number
        self.report: Report = "{} log lines were lost\n".format
        self._most = waiting
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._writing = False
        self._lost = 0
        self._unreported = 0
        self._torn = False
        """Whether the last line was written in part."""
        self._changed = Condition()
        self._thread: Thread | None = None

    @property
    def lost(self) -> int:
        """How many lines were lost since the process was started."""
        return self._lost

    def write(self, text: str) -> int:
        """Queue whole lines; never waits."""
        data = text.encode("utf-8", "backslashreplace")
        with self._changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            if self._bytes + len(data) > self._most:
                self._lose()
            else:
                self._lines.append(data)
                self._bytes += len(data)
                self._changed.notify_all()
        return len(text)

    def flush(self) -> None:
        """Do nothing: lines are written as soon as they can be."""

    def drain(self, seconds: float = LAST_LINES) -> None:
        """Wait until everything is written, for some time at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._writing, seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: bool(self._lines))
                data = self._lines.popleft()
                self._bytes -= len(data)
                self._writing = True
            self._put(data)

    def _put(self, data: bytes) -> None:
        """Write a line, and how many were lost before it."""
        if not self._written(data):
            with self._changed:
                self._lose()
            return
        missing = self._unreported
        if missing and self._written(self.report(missing).encode("utf-8", "backslashreplace")):
            with self._changed:
                self._unreported -= missing

    def _written(self, data: bytes) -> bool:
        """Write all of it; return whether that worked."""
        left = memoryview(b"\n" + data if self._torn else data)
        whole = len(left)
        try:
            while left:
                left = left[self._write_some(left) :]
        except OSError:
            self._torn = self._torn if len(left) == whole else True
            return False
        self._torn = False
        return True

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self.number, data[:_CHUNK])
        except BlockingIOError:  # another program made the descriptor non-blocking
            select.select((), (self.number,), ())
            return 0

    def _lose(self) -> None:
        self._lost += 1
        self._unreported += 1


def descriptor_of(stream: TextIO) -> int | None:
    """Return the descriptor of a stream; None: it has none, as in a test."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
