"""A cache of control results between sweeps: some controls are too conspicuous to repeat every time.

Rule of the file: a cached control keeps its own timestamps, so that a report can tell it is not new.
"""

from __future__ import annotations

from msgspec import Struct, field

from egressd.clock import monotonic
from egressd.model.plan import ControlKind, ControlPlan
from egressd.model.recording import Control

TTL_SECONDS = {
    ControlKind.LARGE_HELLO: 600.0,
    ControlKind.SPLIT_HELLO: 3600.0,
    ControlKind.SNI_LAST: 600.0,
    ControlKind.NO_SNI: 600.0,
    ControlKind.REVOCATION: 300.0,
    ControlKind.REDIRECT: 300.0,
}
"""Seconds for which the result of a kind is reused; other kinds run every time."""
MAX_ENTRIES = 2000


class ControlCache(Struct):
    """Results by control id."""

    _entries: dict[str, tuple[float, Control]] = field(default_factory=dict)

    def get(self, plan: ControlPlan) -> Control | None:
        """Return the result of the same control with the same target, unless it has expired."""
        expires, control = self._entries.get(plan.id, (0.0, None))
        if control is None or monotonic() >= expires:
            return None
        same = (control.address, control.port, control.host, control.url)
        return control if same == (plan.address, plan.port, plan.host, plan.url) else None

    def forget(self, subject: str) -> None:
        """Drop the results about a probe: it ended otherwise, or they are too old to explain how it ended."""
        self._entries = {key: one for key, one in self._entries.items() if one[1].subject != subject}

    def put(self, control: Control) -> None:
        """Store a result for the TTL of its kind; the oldest entry is dropped when the cache is full."""
        seconds = TTL_SECONDS.get(control.kind)
        if seconds is None:
            return
        self._entries.pop(control.id, None)
        self._entries[control.id] = (monotonic() + seconds, control)
        while len(self._entries) > MAX_ENTRIES:
            del self._entries[next(iter(self._entries))]
