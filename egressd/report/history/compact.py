"""One line for each change: what, when, which host, why and who."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.model.event import History
from egressd.model.observation import Timestamp
from egressd.report.history.changes import LONGEST_WORD, ChangeLine, Word, change_lines_of
from egressd.report.history.full import history_head
from egressd.report.text import UNWRAPPED, Style, colourize

_STYLES = {
    Word.BAD: Style.RED,
    Word.CAUSE: Style.RED,
    Word.ALERT: Style.YELLOW,
    Word.DEGRADED: Style.YELLOW,
    Word.UNKNOWN: Style.YELLOW,
    Word.GOOD: Style.GREEN,
    Word.OVER: Style.GREEN,
}


def render_compact(history: History, *, width: int | None = 80, colour: bool = False) -> str:
    """Render the changes of a time range; lines are cut at `width`, and begin with the whole date without."""
    lines = [*history_head(history, width or UNWRAPPED), ""]
    if history.already:
        lines += ["NOT OK AT THE START", *_lines(history, before=True, width=width, colour=colour), ""]
        lines += ["THEN"] if history.events else []
    lines += _lines(history, before=False, width=width, colour=colour)
    if not history.events:
        lines.append("Nothing changed in that time.")
    return "\n".join(lines) + "\n"


def _lines(history: History, *, before: bool, width: int | None, colour: bool) -> Iterator[str]:
    events, already = (history.already, ()) if before else (history.events, history.already)
    day = ""
    for one in change_lines_of(events, already=already):
        if width is not None and one.at[:10] != day:
            day = one.at[:10]
            yield colourize(day, Style.BOLD, colour=colour)
        yield _line(one, width=width, colour=colour)


def _line(one: ChangeLine, *, width: int | None, colour: bool) -> str:
    style = Style.GREEN if one.word is Word.ALERT and one.ended else _STYLES.get(one.word)
    text = f"{_time(one.at, whole=width is None)}  {one.word:<{LONGEST_WORD}}  {one.text}"
    if width is not None and len(text) > width:
        text = f"{text[: width - 1]}\u2026"
    return colourize(text, style, colour=colour) if style else text


def _time(at: Timestamp, *, whole: bool) -> str:
    return at if whole else f"{at[11:19]}Z"
