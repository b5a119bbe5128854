"""Changes for people, and for programs (`egressd.diff/1`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from egressd.report.diff.change import Change, ChangeKind, Changes
from egressd.report.text import count, fold

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
    several = len({one.source for one in changes.changes}) > 1
    for kind, heading in HEADINGS.items():
        some = [one for one in changes.changes if one.kind is kind]
        if some:
            yield [heading, *(line for one in some for line in _lines(one, width=width, several=several))]
    for heading, titles in (
        ("CAUSES THAT ARE NEW", changes.findings_opened),
        ("CAUSES THAT ARE GONE", changes.findings_closed),
    ):
        if titles:
            yield [heading, *(line for one in titles for line in fold(one, width=width, first="  - "))]


def _lines(one: Change, *, width: int, several: bool) -> list[str]:
    place = one.target.partition("/")[2] or one.target
    where = f" from {one.source}" if several else ""
    label = " (random label)" if one.random else ""
    return fold(f"{place}{where}: {_said(one)}{label}", width=width, first="  - ")


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
