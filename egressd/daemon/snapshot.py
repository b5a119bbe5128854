"""The board: where the current snapshot hangs, and the scheduler's promise of its next step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from egressd import clock
from egressd.model.snapshot import ConfigStatus, Counters, Histogram, Snapshot, StateStatus

__all__ = ["Board", "ConfigStatus", "Counters", "Histogram", "Pulse", "Snapshot", "StateStatus"]


@dataclass(slots=True)
class Pulse:
    """The sweeper's word: by when it will be heard of again. Who breaks it has stalled."""

    due: float = float("inf")
    """On the monotonic clock."""

    def promise(self, seconds: float) -> None:
        """Promise to call again within that many seconds."""
        self.due = clock.monotonic() + seconds

    @property
    def stalled(self) -> bool:
        """Whether a promise was broken."""
        return clock.monotonic() > self.due


@dataclass(slots=True)
class Board:
    """The current snapshot. Readers take the reference once and keep it."""

    current: Snapshot
    pulse: Pulse = field(default_factory=Pulse)

    def put(self, **changes: Any) -> Snapshot:
        """Swap the snapshot for one with some fields replaced, and return it."""
        self.current = replace(self.current, **changes)
        return self.current
