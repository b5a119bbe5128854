"""The lines about changes, and the status line below them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.attribution.blame.claims import who_text
from egressd.engine.schedule import WATCH_ALL_EVERY
from egressd.fields.parse import config_duration
from egressd.model.verdict import Sweep, Verdict, deciding_by_target
from egressd.report.diff.render_diff import change_line
from egressd.report.diff.sweep_diff import Change, ChangeKind
from egressd.report.summary import outcomes_of
from egressd.report.text import Style, clean, colourize, fold
from egressd.wording import count

MAX_DETAILED = 3
"""Changes for the worse that are shown with evidence and advice; of more, the list of findings shows more."""
MARGIN = " " * 11
WORD = 9
"""Columns of the word that says how a target changed."""

_KINDS = {
    ChangeKind.NEW_FAILURE: ("BAD", Style.RED),
    ChangeKind.FIRST_FAILURE: ("BAD", Style.RED),
    ChangeKind.OTHER_REASON: ("BAD", Style.RED),
    ChangeKind.NOW_UNKNOWN: ("UNKNOWN", Style.YELLOW),
    ChangeKind.RECOVERED: ("GOOD", Style.GREEN),
    ChangeKind.FIRST_RESULT: ("GOOD", Style.GREEN),
    ChangeKind.WORSE: ("DEGRADED", Style.YELLOW),
    ChangeKind.BETTER: ("GOOD", Style.GREEN),
    ChangeKind.ADDED: ("NEW", Style.BOLD),
    ChangeKind.REMOVED: ("GONE", Style.BOLD),
}


def change_lines(
    changes: tuple[Change, ...], sweep: Sweep, *, at: str, width: int, colour: bool
) -> Iterator[str]:
    """Yield the lines about changes at a time (`HH:MM:SSZ`); targets that share a host are one."""
    verdicts = {(one.target, by.source): by.verdict for one in sweep.verdicts for by in one.by_source}
    several = len(sweep.recording.plan.sources) > 1
    shown: dict[str, Change] = {}
    for one in changes:
        shown.setdefault(change_line(one, several=several), one)
    worse = [one for one in shown.values() if _is_worse(one)]
    for text, one in shown.items():
        word, style = _KINDS[one.kind]
        first, *rest = fold(text, width=width, first=f"{at}  {word:<{WORD}}")
        yield colourize(first, style, colour=colour)
        yield from rest
        verdict = verdicts.get((one.target, one.source))
        if verdict is not None and one in worse and len(worse) <= MAX_DETAILED:
            yield from _details(verdict, width=width)


def timed_lines(text: str, *, at: str, width: int) -> list[str]:
    """Return a text as lines that begin with a time."""
    return fold(text, width=width, first=f"{at}  ", rest=MARGIN)


def progress_text(sweep: Sweep, doing: str) -> str:
    """Return the status line: how many targets are ok, and what happens now."""
    outcomes = outcomes_of(sweep)
    ok = sum(one.reachable for one in outcomes.values())
    missing = sum(not one.reachable for one in deciding_by_target(sweep).values())
    wait = f"{count(missing, 'required target')} to go" if missing else "every required target is ok"
    return clean(f"{ok} of {count(len(outcomes), 'target')} ok, {wait}; {doing}")


def interval_note(every: float) -> str:
    """Say how often a watch probes."""
    some, everything = config_duration(every), config_duration(max(WATCH_ALL_EVERY, every))
    return f"probing what fails every {some}, everything every {everything}; Ctrl-C ends the watch"


def time_of_day(timestamp: str) -> str:
    """Cut a timestamp down to the time of day, in UTC."""
    return timestamp[11:19] + "Z"


def _is_worse(one: Change) -> bool:
    return one.kind in (ChangeKind.NEW_FAILURE, ChangeKind.FIRST_FAILURE, ChangeKind.OTHER_REASON)


def _details(verdict: Verdict, *, width: int) -> Iterator[str]:
    if verdict.evidence:
        yield from fold(verdict.evidence[0], width=width, first=f"{MARGIN}seen ")
    if verdict.blame:
        who = who_text(verdict.blame, verdict.blame_confidence, verdict.suspects)
        yield from fold(who, width=width, first=f"{MARGIN}who  ")
    if verdict.advice:
        yield from fold(verdict.advice, width=width, first=f"{MARGIN}ask  ")
