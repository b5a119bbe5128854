"""An event loop whose clock pauses with the process: a busy or suspended machine causes no timeouts.

Where a test's client and server share one loop, a pause of the machine stops both, but not their timers: the
client's expires before the server had a chance to answer. On this loop each iteration counts as a few
milliseconds at most. A timeout still takes at least its real time.

`EGRESSD` is the start of a command line that runs egressd on such a loop.
"""

from __future__ import annotations

import asyncio
import re
import selectors
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from egressd import clock

TURN = 0.005
"""The most seconds that one iteration of the loop counts for."""
EGRESSD = (sys.executable, "-P", str(Path(__file__).resolve()))
"""The command line for sweeps of a lab in the same process: client and server share the loop."""


class _CountingSelector(selectors.DefaultSelector):
    """Selects for TURN at most, and counts the time."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = self._last = time.monotonic()

    def now(self) -> float:
        """Return the time counted so far, the current iteration included."""
        return self._counted + min(time.monotonic() - self._last, TURN)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(TURN if timeout is None else min(timeout, TURN))
        self._counted, self._last = self.now(), time.monotonic()
        return found


class PausingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its selector."""

    def __init__(self) -> None:
        self._selector = _CountingSelector()
        super().__init__(self._selector)
        self._began = datetime.now(UTC) - timedelta(seconds=self.time())

    def now(self) -> datetime:
        """Return the time of a wall clock that was right when the loop began, and pauses with it."""
        return self._began + timedelta(seconds=self.time())

    def time(self) -> float:
        return self._selector.now()


def monotonic() -> float:
    """Return the time of the running PausingLoop, or the machine's where none runs."""
    loop = asyncio._get_running_loop()
    return loop.time() if isinstance(loop, PausingLoop) else time.monotonic()


def now() -> datetime:
    """Return the wall clock's time by the running PausingLoop, or by the machine where none runs."""
    loop = asyncio._get_running_loop()
    return loop.now() if isinstance(loop, PausingLoop) else datetime.now(UTC)


def use_pausing_clock() -> None:
    """Let egressd's clock follow the loop, so that both show the same time."""
    clock.time = SimpleNamespace(  # type: ignore[assignment,attr-defined]  # all it takes of it
        monotonic=monotonic,
        CLOCK_BOOTTIME=None,
        clock_gettime=lambda _: monotonic(),
        thread_time=time.thread_time,
    )


def with_long_timeouts(lab: str) -> str:
    """Return a lab's configuration with timeouts so long that only targets without an answer reach them."""
    return re.sub(r"(connect|tls|dns|http)_timeout: \S+", r"\1_timeout: 20s", lab).replace(
        "deadline: 10000ms", "deadline: 60s"
    )


if __name__ == "__main__":
    from egressd.__main__ import main

    class PausingLoopPolicy(asyncio.DefaultEventLoopPolicy):
        """Creates PausingLoops only."""

        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return PausingLoop()

    asyncio.set_event_loop_policy(PausingLoopPolicy())
    use_pausing_clock()
    clock.now = now  # or it would show egressd that the machine paused
    main()
