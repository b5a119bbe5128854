"""The lines about changes, and the status line below them. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator

from egressd.attribution.blame.claims import who_text
from egressd.engine.schedule import WATCH_ALL_EVERY
from egressd.fields.parse import config_duration
from egressd.model.verdict import Sweep, Verdict
from egressd.report.diff.render_diff import change_line, diff_blocks, summarize_diff
from egressd.report.diff.sweep_diff import Change, ChangeKind, SweepDiff
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
    missing = sum(not one.reachable for one in sweep.deciding.values())
    wait = f"{count(missing, 'required target')} to go" if missing else "every required target is ok"
    return clean(f"{ok} of {count(len(outcomes), 'target')} ok, {wait}; {doing}")


def interval_note(every: float, *, everything: bool, keys: bool) -> str:
    """Say how often a watch probes what fails, or everything; and how a pass is asked for."""
    some, rest = config_duration(every), config_duration(max(WATCH_ALL_EVERY, every))
    how = f"probing everything every {some}"
    if not everything:
        how = f"probing what fails every {some}, everything every {rest}"
    ask = "Enter or r probes everything now" if keys else f"`kill -USR1 {os.getpid()}` probes everything now"
    return f"{how}; {ask}; Ctrl-C ends the watch"


def elapsed_text(seconds: float) -> str:
    """Write a time that has passed as a clock shows it: `2:05`, `1:02:05`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def closing_lines(changes: SweepDiff, *, passes: int, elapsed: float, width: int) -> Iterator[str]:
    """Yield what changed since a watch began; nothing where it ended with its first pass."""
    if passes < 2:
        return
    head = f"watched for {elapsed_text(elapsed)}, {passes} passes; since the first: {summarize_diff(changes)}"
    yield from fold(head, width=width)
    for block in diff_blocks(changes, width=width):
        yield from ("", *block)


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
