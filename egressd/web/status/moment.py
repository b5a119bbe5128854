"""Times as pages show them: how long ago, with the time itself to look at."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from egressd.model.observation import Timestamp
from egressd.wording import span


class Moment(Struct, frozen=True, kw_only=True):
    """A time on a page."""

    stamp: Timestamp
    ago: str
    """How long ago, or how far ahead."""

    @property
    def shown(self) -> str:
        """The time, to the second."""
        return f"{self.stamp[:10]} {self.stamp[11:19]} UTC"


def moment_of(stamp: Timestamp | None, now: datetime) -> Moment | None:
    """Return a time as seen from now; None: there is none."""
    if stamp is None:
        return None
    seconds = (now - datetime.fromisoformat(stamp)).total_seconds()
    shown = _coarse(abs(seconds))
    return Moment(stamp=stamp, ago=f"in {shown}" if seconds < 0 else f"{shown} ago")


def _coarse(seconds: float) -> str:
    """Write a duration without what is below its second digit: nobody reads `42 min 1 s`."""
    for unit, above in ((86400, 5 * 86400), (3600, 86400), (60, 60)):
        if seconds >= above:
            return span(seconds // unit * unit)
    return span(seconds)
