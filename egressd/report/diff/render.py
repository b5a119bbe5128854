"""Changes for people, and for programs (`egressd.diff/1`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from egressd.report.diff.change import Change, ChangeKind, Changes
from egressd.report.text import fold
from egressd.wording import count

SCHEMA = "egressd.diff/1"
HEADINGS = {
    ChangeKind.NEW_FAILURE: "NEW FAILURES",
    ChangeKind.OTHER_CAUSE: "FAILING FOR ANOTHER REASON",
    ChangeKind.UNSURE: "NO LONGER KNOWN",
    ChangeKind.MENDED: "MENDED",
    ChangeKind.WORSE: "DEGRADED NOW",
    ChangeKind.BETTER: "NO LONGER DEGRADED",
    ChangeKind.APPEARED: "NOT THERE BEFORE",
    ChangeKind.GONE: "NO LONGER THERE",
}


def render_text(changes: Changes, *, width: int = 80) -> str:
    """Render changes for a terminal; the worst first, what did not change as a number."""
    head = f"from {changes.before_started} to {changes.after_started}: {summarize(changes)}"
    blocks = [fold(head, width=width), *blocks_of(changes, width=width)]
    return "\n\n".join("\n".join(lines) for lines in blocks) + "\n"


def blocks_of(changes: Changes, *, width: int) -> Iterator[list[str]]:
    """Yield a block of lines for each kind of change, then the causes that came and went."""
    for heading, lines in lines_of(changes):
        yield [heading, *(part for line in lines for part in fold(line, width=width, first="  - "))]


def lines_of(changes: Changes) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the heading of each kind of change with a line for each; what reads the same is one line."""
    several = len({one.source for one in changes.changes}) > 1
    for kind, heading in HEADINGS.items():
        some = [line_of(one, several=several) for one in changes.changes if one.kind is kind]
        if some:
            yield heading, tuple(_counted(some))
    if changes.findings_opened:
        yield "CAUSES THAT ARE NEW", changes.findings_opened
    if changes.findings_closed:
        yield "CAUSES THAT ARE GONE", changes.findings_closed


def _counted(lines: list[str]) -> Iterator[str]:
    """Yield each line once; endpoints that share a host read the same."""
    for line, number in Counter(lines).items():
        yield line if number == 1 else f"{line}; {number} endpoints"


def line_of(one: Change, *, several: bool) -> str:
    """Say what became of a target; from which source, where there are several."""
    place = one.target.partition("/")[2] or one.target
    where = f" from {one.source}" if several else ""
    label = " (random label)" if one.random else ""
    return f"{place}{where}: {_said(one)}{label}"


def _said(one: Change) -> str:
    was = _standing(one.before, one.reason_before)
    now = _standing(one.after, one.reason_after)
    if was and now:
        return f"{now}, was {was}"
    return now or f"was {was}"


def _standing(outcome: str | None, reason: str | None) -> str:
    if outcome is None:
        return ""
    return f"{outcome} ({reason})" if reason else outcome


def summarize(changes: Changes) -> str:
    """Say in one line how much changed."""
    failing = f" ({changes.still_failing} of them failing)" if changes.still_failing else ""
    said = [
        count(len(changes.new_failures), "new failure"),
        *(
            f"{number} {words}"
            for kind, words in (
                (ChangeKind.OTHER_CAUSE, "failing for another reason"),
                (ChangeKind.UNSURE, "no longer known"),
                (ChangeKind.MENDED, "mended"),
                (ChangeKind.WORSE, "degraded now"),
                (ChangeKind.BETTER, "no longer degraded"),
                (ChangeKind.APPEARED, "not there before"),
                (ChangeKind.GONE, "gone"),
            )
            if (number := changes.count(kind)) or kind is ChangeKind.MENDED
        ),
        f"{changes.unchanged} unchanged{failing}",
    ]
    return ", ".join(said)


def render_json(changes: Changes) -> str:
    """Render changes as JSON text."""
    document = {"schema": SCHEMA, **asdict(changes), "new_failures": len(changes.new_failures)}
    return json.dumps(document, indent=2) + "\n"
