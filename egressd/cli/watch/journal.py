"""What happened since a watch began: the first state, the changes that were reported, how long, how often."""

from __future__ import annotations

from msgspec import Struct, field

from egressd import clock
from egressd.attribution import baseline_of
from egressd.model.observation import Timestamp
from egressd.model.recording import Baseline
from egressd.model.verdict import Sweep
from egressd.report.diff.sweep_diff import Change, SweepDiff, compare_baselines


class Journal(Struct, kw_only=True):
    """One watch, as it is told at its end."""

    began: float = field(default_factory=clock.monotonic)
    passes: int = 0
    first: Baseline | None = None
    """The state that the first pass found."""
    timeline: list[tuple[Timestamp, Change]] = field(default_factory=list)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return clock.monotonic() - self.began

    def note(self, changes: tuple[Change, ...], *, at: Timestamp) -> None:
        """Keep changes that are reported."""
        self.timeline += [(at, one) for one in changes]

    def since_start(self, last: Sweep) -> SweepDiff:
        """Compare the last state with the first."""
        now = baseline_of(last)
        return compare_baselines(self.first or now, now)
