"""The current snapshot, and by when the scheduler must show that it is alive."""

from __future__ import annotations

from collections import Counter
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from egressd import clock
from egressd.errors import Part
from egressd.model.snapshot import Snapshot

MOST_RESTARTS = 10
"""Restarts of a task in a row, none of which got anything done, after which the daemon counts as stalled."""


class WatchdogDeadline(Struct):
    """When the scheduler counts as stalled, unless it extends the deadline before.

    A task that is started again and again, and gets nothing done, has stalled as well.
    """

    due: float = float("inf")
    """On the monotonic clock."""
    _restarts: Counter[Part] = field(default_factory=Counter)
    """Of each task since it last got something done."""

    def expect_within(self, seconds: float) -> None:
        """Expect the next call within that many seconds."""
        self.due = clock.monotonic() + seconds

    def restarted(self, part: Part) -> None:
        """Note that a bug ended a task, which is started again."""
        self._restarts[part] += 1

    def progressed(self, part: Part) -> None:
        """Note that a task got something done."""
        del self._restarts[part]

    @property
    def stalled(self) -> bool:
        """Whether the deadline has passed, or a task does not get on."""
        return clock.monotonic() > self.due or any(one >= MOST_RESTARTS for one in self._restarts.values())


class SnapshotHolder(Struct):
    """Holds the current snapshot. Readers take the reference once and keep it."""

    current: Snapshot
    watchdog: WatchdogDeadline = field(default_factory=WatchdogDeadline)

    def update(self, **changes: Any) -> Snapshot:
        """Replace the snapshot by one with some fields changed, and return it."""
        self.current = replace(self.current, **changes)
        return self.current
