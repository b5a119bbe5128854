"""egressd as it is, with a note of what holds its event loop: the longest callbacks, in CPU time.

`python -m bench.watched NOTE ARGUMENTS...` runs `egressd ARGUMENTS...`. At SIGUSR1 it writes what was
noted since the last time to the file NOTE, as JSON. Waiting for other threads is not counted.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from egressd.__main__ import main

KEPT = 12
"""Callbacks that are noted, the longest ones."""
EVERY = 0.02
"""Seconds between two looks at where a callback is."""
FRAMES = 5


class Watch:
    """What callbacks of the event loop took, and where the long ones were."""

    def __init__(self, note: Path) -> None:
        self.note = note
        self.calls = 0
        self.where = ""
        self.longest: list[tuple[float, int, str]] = []

    def install(self) -> None:
        """Time every callback from now on."""
        run: Callable[[asyncio.Handle], None] = asyncio.Handle._run  # noqa: SLF001 - there is no other way in

        def timed(handle: asyncio.Handle) -> None:
            begun = time.thread_time()
            run(handle)
            self._add(time.thread_time() - begun)

        setattr(asyncio.Handle, "_run", timed)  # noqa: B010 - it is not meant to be set
        signal.signal(signal.SIGUSR1, lambda *_: self.write())
        threading.Thread(target=self._look, args=(threading.get_ident(),), daemon=True).start()

    def _add(self, seconds: float) -> None:
        self.calls += 1
        where, self.where = self.where, ""
        if len(self.longest) < KEPT:
            heapq.heappush(self.longest, (seconds, self.calls, where))
        elif seconds > self.longest[0][0]:
            heapq.heapreplace(self.longest, (seconds, self.calls, where))

    def _look(self, thread: int) -> None:
        """Note where a callback is that was running at the last look already."""
        before = -1
        while True:
            time.sleep(EVERY)
            frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way
            if self.calls == before and frame is not None:
                own = [one for one in traceback.extract_stack(frame) if "/egressd/" in one.filename]
                self.where = " > ".join(f"{Path(one.filename).stem}.{one.name}" for one in own[-FRAMES:])
            before = self.calls

    def write(self) -> None:
        """Write what was noted, and begin anew."""
        longest = [{"ms": 1000 * one[0], "where": one[2]} for one in sorted(self.longest, reverse=True)]
        fresh = self.note.with_suffix(".new")
        fresh.write_text(json.dumps({"calls": self.calls, "longest": longest}), encoding="utf-8")
        fresh.rename(self.note)
        self.calls, self.longest = 0, []


if __name__ == "__main__":
    Watch(Path(sys.argv.pop(1))).install()
    main()
