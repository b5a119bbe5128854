"""Lines on stdout or in a file, while a sweep or a watch goes on."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Full, Queue
from types import TracebackType
from typing import TYPE_CHECKING, Self

from msgspec import Struct, field

from egressd import clock
from egressd.cli.log import printable, without_secrets
from egressd.cli.output import to_stdout, write_bytes
from egressd.cli.outputfile import open_output
from egressd.errors import EgressdError, ExitCode, OutputError
from egressd.inputfile import why_unusable

if TYPE_CHECKING:
    from egressd.report.stream import Line

MOST_WAITING = 50_000
"""Lines that wait for a reader; one that is so far behind does not read."""
LAST_LINE = 1.0
"""Seconds in which the last line must be written where the process is told to end at once."""


class LineStream(Struct):
    """Writes lines whole and in order by a thread: a slow reader must not slow what is measured.

    The output is opened for the first line. Where a line can't be written, `on_failure` is called in the
    event loop, and leaving the context raises OutputError. Left by an exception, its last line says so.
    """

    output: Path | None
    """None: stdout."""
    on_failure: Callable[[], None]
    failure: str = ""
    """Why it can't be written; empty: it can."""
    _lines: Queue[str | None] = field(default_factory=lambda: Queue(MOST_WAITING))
    _thread: threading.Thread | None = None
    _descriptor: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, EgressdError):
            self._abort(without_secrets(str(error)), error.exit_code)
        elif isinstance(error, Exception):
            self._abort(f"internal error ({type(error).__name__})", ExitCode.BUG)
        self._end(timeout=None)
        if self.failure and error is None:
            raise OutputError(self.failure)

    def write(self, *lines: Line) -> None:
        """Hand lines over to be written."""
        from egressd.report.stream import line_json

        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, args=(loop,), name="stream", daemon=True)
            self._thread.start()
        for one in lines:
            self._put(line_json(one))

    def end_at_once(self) -> None:
        """Say in the last line that a second signal ends the process, if its reader takes that by now."""
        self._abort("interrupted twice", ExitCode.INTERRUPTED)
        self._end(timeout=LAST_LINE)

    def _abort(self, why: str, code: int) -> None:
        from egressd.report.stream import AbortedLine, line_json

        if self._thread is not None:
            self._put(line_json(AbortedLine(time=clock.timestamp(), why=printable(why), exit_code=code)))

    def _put(self, line: str | None) -> None:
        try:
            self._lines.put_nowait(line)
        except Full:
            self.failure = self.failure or "cannot write the stream: its reader does not read"
            self.on_failure()

    def _end(self, *, timeout: float | None) -> None:
        if self._thread is not None:
            self._put(None)
            self._thread.join(timeout)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what comes until the end; after a failure, drop it."""
        while (line := self._lines.get()) is not None:
            if not self.failure:
                self.failure = self._try(line)
                if self.failure and not loop.is_closed():
                    loop.call_soon_threadsafe(self.on_failure)
        if self._descriptor is not None:
            os.close(self._descriptor)

    def _try(self, line: str) -> str:
        """Write a line; return why it can't be written, or nothing."""
        if self.output is None:
            return _to_stdout(line)
        try:
            if self._descriptor is None:
                self._descriptor = open_output(self.output)
            write_bytes(self._descriptor, line.encode())
        except OSError as error:
            return f"cannot write {self.output}: {why_unusable(self.output, error)}"
        return ""


def _to_stdout(line: str) -> str:
    try:
        return "" if to_stdout(line) else "cannot write the stream to stdout: its reader has gone"
    except OutputError as error:
        return str(error)
