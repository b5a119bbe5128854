"""Strips of history: columns of equal time, each as bad as the worst that was in it.

Colour is not the only sign: what is bad is tall, what is ok is low, and what is not known is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from msgspec import Struct

from egressd.model.verdict import Outcome
from egressd.state.timeline import Segment, Span
from egressd.wording import count, seconds_between, span

COLUMNS = 96
"""Columns of a strip, a quarter of an hour each where it shows a day."""
HEIGHT = 20
_HEIGHTS: Mapping[str, int] = {
    Outcome.OK: 7,
    Outcome.DEGRADED: 13,
    Outcome.UNKNOWN: 10,
    Outcome.DOWN: 20,
    Outcome.BLOCKED: 20,
}


class Bar(Struct, frozen=True, kw_only=True):
    """Columns of a strip that are alike."""

    x: int
    width: int
    height: int
    word: str
    """The outcome, or `pause` where no daemon ran."""

    @property
    def y(self) -> int:
        """Where it begins: bars stand on the ground."""
        return HEIGHT - self.height


class Strip(Struct, frozen=True, kw_only=True):
    """The history of a target from a source."""

    bars: tuple[Bar, ...]
    text: str
    """The same in words."""


class StripScale(Struct, frozen=True, kw_only=True):
    """The time that strips show."""

    begin: datetime
    period: timedelta
    pauses: tuple[Span, ...] = ()

    def columns_of(self, begin: str, end: str) -> range:
        """Return the columns that a time touches."""
        first = self._place(begin)
        return range(max(0, int(first)), min(COLUMNS, max(int(first) + 1, -int(-self._place(end) // 1))))

    def _place(self, stamp: str) -> float:
        return (datetime.fromisoformat(stamp) - self.begin) / self.period * COLUMNS


def strip_of(segments: Sequence[Segment], scale: StripScale) -> Strip:
    """Draw the history of a target."""
    return Strip(bars=tuple(_bars(segments, scale)), text=_words(segments))


def _bars(segments: Iterable[Segment], scale: StripScale) -> Iterator[Bar]:
    """Yield one bar for neighbours that are alike."""
    columns: list[Outcome | None] = [None] * COLUMNS
    for one in segments:
        for number in scale.columns_of(one.begin, one.end):
            known = columns[number]
            if known is None or one.outcome.severity > known.severity:
                columns[number] = one.outcome
    paused = {number for one in scale.pauses for number in scale.columns_of(one.begin, one.end)}
    words = [
        "pause" if number in paused and known in (None, Outcome.OK) else known or ""
        for number, known in enumerate(columns)
    ]
    x = 0
    for word, some in groupby(words):
        width = len(list(some))
        if word:
            yield Bar(x=x, width=width, height=_HEIGHTS.get(word, HEIGHT), word=str(word))
        x += width


def _words(segments: Sequence[Segment]) -> str:
    """Say how long it was what, the worst first, and how often it changed."""
    if not segments:
        return "no history"
    seconds: dict[Outcome, float] = {}
    for one in segments:
        seconds[one.outcome] = seconds.get(one.outcome, 0.0) + seconds_between(one.begin, one.end)
    if len(seconds) == 1:
        return f"{segments[0].outcome} for all of the {span(sum(seconds.values()))} on record"
    worst = sorted(seconds, key=lambda one: -one.severity)
    changes = count(len(segments) - 1, "change")
    return f"{', '.join(f'{one} for {span(seconds[one])}' for one in worst)}; {changes}"
