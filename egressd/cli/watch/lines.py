"""The lines of a watch's stream besides those of a sweep: passes and changes."""

from __future__ import annotations

from collections.abc import Iterator

from egressd import clock
from egressd.cli.watch.journal import Journal
from egressd.engine.schedule import Turn
from egressd.model.verdict import Sweep
from egressd.report.diff.sweep_diff import Change
from egressd.report.saved import to_report
from egressd.report.stream import Line, PassLine, TransitionLine, judged_targets, state_lines
from egressd.report.summary import outcomes_of


def first_lines(sweep: Sweep) -> Iterator[Line]:
    """Yield the state that the first pass found."""
    yield from state_lines(to_report(sweep), at=clock.timestamp())


def pass_line(sweep: Sweep, turn: Turn, journal: Journal, *, requested: bool) -> PassLine:
    """Return the line about a pass that ended."""
    return PassLine(
        time=clock.timestamp(),
        number=journal.passes,
        elapsed_seconds=round(journal.elapsed, 3),
        probes=len(turn.probes),
        everything=turn.everything,
        requested=requested,
        ok=sum(one.reachable for one in outcomes_of(sweep).values()),
        missing=sum(not one.reachable for one in sweep.deciding.values()),
    )


def transition_lines(changes: tuple[Change, ...], sweep: Sweep, journal: Journal) -> Iterator[TransitionLine]:
    """Yield a line for each change, with the target as it is now."""
    targets = judged_targets(sweep) if changes else {}
    for one in changes:
        yield TransitionLine(
            time=clock.timestamp(),
            elapsed_seconds=round(journal.elapsed, 3),
            change=one,
            target=targets.get(one.target),
        )
