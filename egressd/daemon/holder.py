"""The current snapshot, and by when the scheduler must show that it is alive."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from egressd import clock
from egressd.model.snapshot import Snapshot


@dataclass(slots=True)
class WatchdogDeadline:
    """When the scheduler counts as stalled, unless it extends the deadline before."""

    due: float = float("inf")
    """On the monotonic clock."""

    def expect_within(self, seconds: float) -> None:
        """Expect the next call within that many seconds."""
        self.due = clock.monotonic() + seconds

    @property
    def stalled(self) -> bool:
        """Whether the deadline has passed."""
        return clock.monotonic() > self.due


@dataclass(slots=True)
class SnapshotHolder:
    """Holds the current snapshot. Readers take the reference once and keep it."""

    current: Snapshot
    watchdog: WatchdogDeadline = field(default_factory=WatchdogDeadline)

    def update(self, **changes: Any) -> Snapshot:
        """Replace the snapshot by one with some fields changed, and return it."""
        self.current = replace(self.current, **changes)
        return self.current
