"""The start time and duration of a phase."""

from __future__ import annotations

from egressd.clock import monotonic, timestamp
from egressd.model.observation import Timestamp


class Stopwatch:
    """A stopwatch that runs from its creation."""

    __slots__ = ("_begun", "started")

    def __init__(self) -> None:
        self.started: Timestamp = timestamp()
        self._begun = monotonic()

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the start."""
        return round((monotonic() - self._begun) * 1000, 3)
