"""A loop whose clock runs only while its process does: a machine that is busy elsewhere ends no timer.

Where a test's client and server share one loop, a pause of the machine stops both, but not their timers: the
client's is over before the server had a chance to answer. On this loop each turn takes a few milliseconds at
most, however long it took. A wait for something that never happens takes as long as before, or longer.

`EGRESSD`, before the words of a command, is egressd on such a loop.
"""

from __future__ import annotations

import asyncio
import re
import selectors
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from egressd import clock

TURN = 0.005
"""The most seconds a turn of the loop counts for."""
EGRESSD = (sys.executable, "-P", str(Path(__file__).resolve()))
"""The command line for sweeps of a lab in one process: what answers shares the loop with what asks."""


class _Turns(selectors.DefaultSelector):
    """Waits a turn at a time, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = self._looked = time.monotonic()

    def now(self) -> float:
        """Return the time counted so far; while a turn goes on, it counts too."""
        return self._counted + min(time.monotonic() - self._looked, TURN)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(TURN if timeout is None else min(timeout, TURN))
        self._counted, self._looked = self.now(), time.monotonic()
        return found


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop on that clock."""

    def __init__(self) -> None:
        self._turns = _Turns()
        super().__init__(self._turns)

    def time(self) -> float:
        return self._turns.now()


def monotonic() -> float:
    """Return the time of the loop that runs here; where none of these does, the machine's."""
    loop = asyncio._get_running_loop()
    return loop.time() if isinstance(loop, PatientLoop) else time.monotonic()


def wait_patiently() -> None:
    """Let egressd's clock follow the loop, so that both show the same time."""
    clock.time = SimpleNamespace(monotonic=monotonic)  # type: ignore[assignment,attr-defined]  # all it takes of it


def unhurried(lab: str) -> str:
    """Give the configuration of a lab in another process so much time that only what is silent uses it up."""
    return re.sub(r"(connect|tls|dns|http)_timeout: \S+", r"\1_timeout: 20s", lab).replace(
        "deadline: 10000ms", "deadline: 60s"
    )


if __name__ == "__main__":
    from egressd.__main__ import main

    class Patient(asyncio.DefaultEventLoopPolicy):
        """Every loop of the process is a patient one."""

        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return PatientLoop()

    asyncio.set_event_loop_policy(Patient())
    wait_patiently()
    main()
