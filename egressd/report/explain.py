"""Reason codes on a terminal: the explanation of one, and the list of all."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping
from itertools import groupby

from egressd.attribution.blame_text import blame_text
from egressd.attribution.reasons import CHAPTERS, REASONS, Reason, fill_template
from egressd.attribution.reasons.by_path import confirmation_by_proxy
from egressd.attribution.rules.certainties import certainty_text
from egressd.model.verdict import Outcome

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


def suggest(code: str) -> tuple[str, ...]:
    """Return up to five codes that may have been meant, the closest first."""
    asked = code.strip().lower().replace("-", "_")[:80]
    within = [one for one in REASONS if len(asked) > 2 and asked in one]
    close = difflib.get_close_matches(asked, REASONS, n=5, cutoff=0.6)
    return tuple(dict.fromkeys(within + close))[:5]


def render_reason_list(*, width: int = 80) -> str:
    """Render every code with its title, chapter by chapter."""
    return "\n".join(
        "\n".join([chapter, *(_entry(one, width=width) for one in table), ""])
        for chapter, table in CHAPTERS.items()
    )


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


def _entry(reason: Reason, *, width: int) -> str:
    column = 36
    title = textwrap.wrap(reason.title, width - column)
    if len(reason.code) > column - 3:
        title.insert(0, "")
    first, *rest = title
    lines = [f"  {reason.code}".ljust(column) + first, *(" " * column + line for line in rest)]
    return "\n".join(line.rstrip() for line in lines)
