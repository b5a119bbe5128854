"""Bugs of egressd: each is logged and counted, and ends no more than the result it happened in.

Exceptions only: a cancellation, Ctrl-C and SystemExit pass through everything here.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import ParamSpec, TypeVar

from msgspec import Struct, field

from egressd import clock
from egressd.errors import Part, describe_bug, isolate
from egressd.log import get_logger

MOST_KINDS = 200
"""Kinds of bugs that are logged; further ones are counted only."""
AGAIN_AFTER = 3600.0
"""Seconds between two log lines about bugs of one kind; only the first has a traceback."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a task that a bug ended is started again: twice as long each time."""
STEADY = 300.0
"""Seconds after which a running task counts as recovered."""

P = ParamSpec("P")
T = TypeVar("T")
log = get_logger("egressd")


class _Kind(Struct):
    """Bugs of one type in one place."""

    logged: float
    since: int = 0
    """How many came since that were not logged."""


class BugLog(Struct):
    """Logs bugs, one kind once in a while, and counts all. Safe in any thread."""

    _counts: Counter[Part] = field(default_factory=Counter)
    _kinds: dict[tuple[Part, str], _Kind] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, part: Part, bug: Exception, **about: object) -> None:
        """Count a bug, and log it unless one like it was logged lately; `about`: what it concerns."""
        why = describe_bug(bug)
        with self._lock:
            self._counts[part] += 1
            first, unlogged = self._turn(part, why)
        if unlogged is None:
            return
        times = {"again": unlogged} if unlogged else {}
        with suppress(Exception):  # a bug of the log itself has nowhere to go
            log.error(
                "internal error: a bug of egressd, please report it",
                part=part.value,
                why=why,
                **about,
                **times,
                exc_info=bug if first else None,
            )

    def _turn(self, part: Part, why: str) -> tuple[bool, int | None]:
        """Return whether a kind is new, and how many of it were not logged; None: this is one more."""
        known, now = self._kinds.get((part, why)), clock.monotonic()
        if known is None:
            if len(self._kinds) >= MOST_KINDS:
                return False, None
            self._kinds[part, why] = _Kind(logged=now)
            return True, 0
        known.since += 1
        if now - known.logged < AGAIN_AFTER:
            return False, None
        unlogged, known.since, known.logged = known.since, 0, now
        return False, unlogged

    def totals(self) -> Mapping[str, int]:
        """Return how many bugs there were in each part of the program since it started."""
        with self._lock:
            return {one.value: self._counts[one] for one in Part}


BUGS = BugLog()
"""Those of this process."""
report_bug = BUGS.report


def attempt(part: Part, otherwise: T, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns; `otherwise` where it has a bug, which is reported."""
    return isolate(part, report_bug, lambda: work(*args, **kwargs), lambda _: otherwise)


async def run_again(
    part: Part, run: Callable[[], Awaitable[None]], *, on_restart: Callable[[Part], None] | None = None
) -> None:
    """Run a task to its end; after a bug, report it, wait, and run it again. `on_restart` is called then."""
    pause = FIRST_PAUSE
    while True:
        began = clock.monotonic()
        try:
            await run()
        except Exception as bug:  # noqa: BLE001 - it is reported
            report_bug(part, bug)
        else:
            return
        if on_restart is not None:
            on_restart(part)
        if clock.monotonic() - began >= STEADY:
            pause = FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause)
