"""Changes between two sweeps as text, and as JSON (`egressd.diff/1`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import to_builtins

from egressd.model.observation import Timestamp
from egressd.report.diff.sweep_diff import Change, ChangeKind, SweepDiff
from egressd.report.text import fold
from egressd.wording import count

SCHEMA = "egressd.diff/1"
TIMELINE = "AS IT HAPPENED"
HEADINGS = {
    ChangeKind.NEW_FAILURE: "NEW FAILURES",
    ChangeKind.FIRST_FAILURE: "FAILING, NOT LOOKED AT BEFORE",
    ChangeKind.OTHER_REASON: "FAILING FOR ANOTHER REASON",
    ChangeKind.NOW_UNKNOWN: "NOW UNKNOWN",
    ChangeKind.RECOVERED: "RECOVERED",
    ChangeKind.FIRST_RESULT: "REACHABLE, NOT LOOKED AT BEFORE",
    ChangeKind.WORSE: "DEGRADED NOW",
    ChangeKind.BETTER: "NO LONGER DEGRADED",
    ChangeKind.ADDED: "NEW TARGETS",
    ChangeKind.REMOVED: "REMOVED TARGETS",
}


Timeline = Sequence[tuple[Timestamp, Change]]
"""Changes at the times at which they were seen; those that came and went are not among the net changes."""


def render_diff_text(changes: SweepDiff, *, width: int = 80, timeline: Timeline = ()) -> str:
    """Render changes for a terminal, the worst first; what did not change is a number."""
    blocks = [fold(diff_heading(changes), width=width), *diff_blocks(changes, width=width)]
    if timeline:
        lines = (part for one in timeline_lines(timeline) for part in fold(one, width=width, first="  - "))
        blocks.append([TIMELINE, *lines])
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def diff_blocks(changes: SweepDiff, *, width: int) -> Iterator[list[str]]:
    """Yield a block of lines for each kind of change, then for findings opened and closed."""
    for heading, lines in diff_lines(changes):
        yield [heading, *(part for line in lines for part in fold(line, width=width, first="  - "))]


def diff_lines(changes: SweepDiff) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each heading with a line for each change; equal lines are merged and counted."""
    several = len({one.source for one in changes.changes}) > 1
    for kind, heading in HEADINGS.items():
        some = [change_line(one, several=several) for one in changes.changes if one.kind is kind]
        if some:
            yield heading, tuple(_counted(some))
    if changes.findings_opened:
        yield "NEW FINDINGS", changes.findings_opened
    if changes.findings_closed:
        yield "CLOSED FINDINGS", changes.findings_closed


def diff_heading(changes: SweepDiff) -> str:
    """Say what is compared, and what changed in numbers."""
    before, after = moment_before(changes), changes.after_started
    after += f" at {changes.after_site}" if _of_two_sites(changes) else ""
    return f"from {before} to {after}: {summarize_diff(changes)}"


def moment_before(changes: SweepDiff) -> str:
    """Return when the earlier sweep was made, and at which site where that is another one."""
    return changes.before_started + (f" at {changes.before_site}" if _of_two_sites(changes) else "")


def _of_two_sites(changes: SweepDiff) -> bool:
    before, after = changes.before_site, changes.after_site
    return before is not None and after is not None and before != after


def timeline_lines(timeline: Timeline) -> Iterator[str]:
    """Yield a line for each change as it was seen; those of one moment that read the same are one."""
    several = len({one.source for _, one in timeline}) > 1
    yield from dict.fromkeys(f"{at} {change_line(one, several=several)}" for at, one in timeline)


def _counted(lines: list[str]) -> Iterator[str]:
    """Yield each line once: endpoints that share a host have equal lines."""
    for line, number in Counter(lines).items():
        yield line if number == 1 else f"{line}; {number} endpoints"


def change_line(one: Change, *, several: bool) -> str:
    """Describe the change of one target; `several` adds the source."""
    name = one.target.partition("/")[2] or one.target
    where = f" from {one.source}" if several else ""
    label = " (random label)" if one.random else ""
    return f"{name}{where}: {_before_after(one)}{label}"


def _before_after(one: Change) -> str:
    was = _outcome(one.before, one.reason_before)
    now = _outcome(one.after, one.reason_after)
    if was and now:
        return f"{now}, was {was}"
    return now or f"was {was}"


def _outcome(outcome: str | None, reason: str | None) -> str:
    if outcome is None:
        return ""
    return f"{outcome} ({reason})" if reason else outcome


def summarize_diff(changes: SweepDiff) -> str:
    """Summarise the changes in one line."""
    failing = f" ({changes.still_failing} of them failing)" if changes.still_failing else ""
    parts = [
        count(len(changes.new_failures), "new failure"),
        *(
            f"{number} {words}"
            for kind, words in (
                (ChangeKind.FIRST_FAILURE, "failing and not looked at before"),
                (ChangeKind.OTHER_REASON, "failing for another reason"),
                (ChangeKind.NOW_UNKNOWN, "now unknown"),
                (ChangeKind.RECOVERED, "recovered"),
                (ChangeKind.FIRST_RESULT, "reachable and not looked at before"),
                (ChangeKind.WORSE, "degraded now"),
                (ChangeKind.BETTER, "no longer degraded"),
                (ChangeKind.ADDED, "new"),
                (ChangeKind.REMOVED, "removed"),
            )
            if (number := changes.count(kind)) or kind is ChangeKind.RECOVERED
        ),
        f"{changes.unchanged} unchanged{failing}",
    ]
    return ", ".join(parts)


def render_diff_json(changes: SweepDiff, *, timeline: Timeline = ()) -> str:
    """Render changes as JSON text."""
    document = {
        "schema": SCHEMA,
        **to_builtins(changes),
        "new_failures": len(changes.new_failures),
        "timeline": [{"time": at, **to_builtins(one)} for at, one in timeline],
    }
    return json.dumps(document, indent=2) + "\n"
