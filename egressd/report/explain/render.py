"""Reason codes and blame words on a terminal: the explanation of one, and lists."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from egressd.attribution.blame_text import CALL, blame_text
from egressd.attribution.reasons import CHAPTERS, REASONS, Reason, fill_template
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.attribution.rules.certainties import certainty_text
from egressd.model.verdict import Blame, Outcome, team_of

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.OK: "ok (for information)",
    Outcome.DEGRADED: "degraded",
    Outcome.UNKNOWN: "unknown",
    Outcome.DOWN: "down",
    Outcome.BLOCKED: "blocked",
}


def render_explanation(reason: Reason, *, width: int = 80) -> str:
    """Render what a reason code means for a terminal; command lines are never wrapped."""
    sections = [
        ("What it means", _prose(reason.meaning, width=width)),
        ("What egressd observed", _prose(reason.signal, width=width)),
        ("Evidence", _bullets(reason.evidence, width=width)),
        ("Usually", _prose(usual_values(reason), width=width)),
        ("What to ask for", _prose(reason.advise({}), width=width)),
        ("Check by hand", _steps(reason.confirmation({}), width=width)),
    ]
    if through := confirmation_by_proxy(reason):
        sections.append(("Check by hand, through a proxy", _steps(fill_template(through, {}), width=width)))
    head = [reason.code, *textwrap.wrap(reason.title, width)]
    return "\n".join(head + [f"\n{title}\n{body}" for title, body in sections]) + "\n"


def render_blame(blame: Blame, *, width: int = 80) -> str:
    """Render what a blame word means: who it is, whom to call, and which reason codes it can have caused."""
    named = [one for one in REASONS.values() if blame in one.suspects.parties]
    first = [one for one in named if one.suspects.usual is blame]
    later = [one for one in named if one.suspects.usual is not blame]
    head = textwrap.wrap(f"{blame.value}: {blame_text(blame)}", width, subsequent_indent="  ")
    call = _prose(f"{CALL[blame]}; its rules and tickets: --team {team_of(blame)}", width=width)
    sections = [("Whom to call", call)]
    sections += (
        [("Reason codes for which it is thought of first", _entries(first, width=width))] if first else []
    )
    sections += [("Reason codes that it can have caused", _entries(later, width=width))] if later else []
    return "\n".join(head + [f"\n{title}\n{body}" for title, body in sections]) + "\n"


def render_reason_list(*, width: int = 80) -> str:
    """Render every code with its title, chapter by chapter."""
    return "\n".join(f"{chapter}\n{_entries(table, width=width)}\n" for chapter, table in CHAPTERS.items())


def render_titles(reasons: Iterable[Reason], *, width: int = 80) -> str:
    """Render reason codes with their titles."""
    return f"{_entries(reasons, width=width)}\n"


def usual_values(reason: Reason) -> str:
    """Describe the usual outcome, blame and confidence of a reason, and what it requires."""
    suspects = ", ".join(blame_text(one) for one in reason.suspects.parties)
    parts = [
        f"Outcome {_OUTCOMES[reason.severity]}. {certainty_text(reason.code)}".rstrip(),
        f"Who can have caused it, the most likely first: {suspects}.",
        f"Arises only with: {', '.join(reason.needs)}." if reason.needs else "",
    ]
    return " ".join(part for part in parts if part)


def _prose(text: str, *, width: int) -> str:
    return textwrap.fill(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _bullets(items: tuple[str, ...], *, width: int) -> str:
    return "\n".join(
        textwrap.fill(one, width, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)
        for one in items
    )


def _steps(text: str, *, width: int) -> str:
    return "\n".join(
        "\n".join(f"  {line}" for line in block) if command else _prose(" ".join(block), width=width)
        for command, block in command_blocks(text)
    )


def command_blocks(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Split a check by hand into runs of command lines (True) and runs of prose (False)."""
    for command, block in groupby(text.split("\n"), key=lambda line: line.startswith(("$ ", "  "))):
        yield command, list(block)


def _entries(reasons: Iterable[Reason], *, width: int) -> str:
    return "\n".join(_entry(one, width=width) for one in reasons)


def _entry(reason: Reason, *, width: int) -> str:
    column = 36
    title = textwrap.wrap(reason.title, width - column)
    if len(reason.code) > column - 3:
        title.insert(0, "")
    first, *rest = title
    lines = [f"  {reason.code}".ljust(column) + first, *(" " * column + line for line in rest)]
    return "\n".join(line.rstrip() for line in lines)
