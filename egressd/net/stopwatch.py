"""When a phase began, and how long it took."""

from __future__ import annotations

from egressd.clock import monotonic, timestamp
from egressd.model.observation import Timestamp


class Stopwatch:
    """Started when it is made."""

    __slots__ = ("_begun", "started")

    def __init__(self) -> None:
        self.started: Timestamp = timestamp()
        self._begun = monotonic()

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the start."""
        return round((monotonic() - self._begun) * 1000, 3)
