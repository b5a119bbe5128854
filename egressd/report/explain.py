"""Reason codes for people to read: one on a terminal, the list, and the page of the manual.

Text in, text out; nothing here knows a sweep. `make docs` writes the page that is kept as
`docs/reason-codes.md`.
"""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from egressd.attribution.blame_text import party
from egressd.attribution.reasons import CHAPTERS, REASONS, Reason
from egressd.model.verdict import Outcome

_OUTCOMES: Mapping[Outcome, str] = {
    Outcome.OK: "ok (only worth knowing)",
    Outcome.DEGRADED: "degraded",
    Outcome.UNKNOWN: "unknown",
    Outcome.DOWN: "down",
    Outcome.BLOCKED: "blocked",
}

MOST_PROOFS = 4
"""Tests named for one code; a few show more than all."""

_INTRODUCTION = """\
# Reason codes

<!-- Generated from egressd/attribution/reasons and the tables of the tests; do not edit. To write it anew:
     make docs -->

A verdict that is not `ok` carries one reason code; others that hold too stand in `also`. Codes are
API: they are never renamed and never reused, so alerts and scripts can rely on them. The same text
is shown by `egressd explain CODE`.

Words in capitals (`HOST`, `PORT`, `SOURCE`, `ADDRESS`, `SNI`, ...) stand for values that a report fills
in. *Confidence* is where one ordinary run starts; controls raise it, a failed control lowers it. Field
names under *evidence* are those of the JSON report; `controls.x` is a control of that kind. *Proven by*
names the tests that show the code on real sockets: with real firewalls, resolvers and proxies in network
namespaces (`tests/net`), with real servers on loopback (`tests/servers`), or in `egressd lab`.
[unproven.md](unproven.md) lists the others, and why.
"""


def render_explanation(reason: Reason, *, width: int = 80) -> str:
    """Render what a reason code means for a terminal; command lines are never wrapped."""
    sections = (
        ("What it means", _prose(reason.meaning, width=width)),
        ("What egressd saw", _prose(reason.signal, width=width)),
        ("Evidence to look at", _bullets(reason.evidence, width=width)),
        ("Usually", _prose(_usually(reason), width=width)),
        ("What to ask for", _prose(reason.advise({}), width=width)),
        ("Check by hand", _steps(reason.confirmation({}), width=width)),
    )
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


def render_reasons_markdown(proofs: Mapping[str, Sequence[str]]) -> str:
    """Render the page of the manual: contents, then every code and the tests that prove it."""
    contents = [_contents(chapter, table) for chapter, table in CHAPTERS.items()]
    chapters = [
        "\n".join([f"## {chapter}\n", *(_article(one, proofs.get(one.code, ())) for one in table)])
        for chapter, table in CHAPTERS.items()
    ]
    return "\n".join([_INTRODUCTION, "## Contents\n", *contents, *chapters])


def _usually(reason: Reason) -> str:
    parts = [
        f"Outcome {_OUTCOMES[reason.severity]}; to blame: {party(reason.blame)}; "
        f"confidence {reason.base}. {reason.capped}".rstrip(),
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
        for command, block in _blocks(text)
    )


def _blocks(text: str) -> Iterator[tuple[bool, list[str]]]:
    """Split a check into runs of command lines (true) and runs of prose."""
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


def _contents(chapter: str, table: tuple[Reason, ...]) -> str:
    rows = [f"- [`{one.code}`](#{one.code}): {one.title}" for one in table]
    return "\n".join([f"**{chapter}**\n", *rows, ""])


def _article(reason: Reason, proofs: Sequence[str]) -> str:
    proven = "; ".join(proofs[:MOST_PROOFS]) or "no test on a network: see [unproven.md](unproven.md)"
    evidence = "\n".join(_fact(one) for one in reason.evidence)
    return "\n\n".join(
        (
            f"### {reason.code}",
            f"**{reason.title}.** {reason.meaning}",
            f"*Seen:* {reason.signal}",
            f"*Evidence:*\n\n{evidence}",
            f"*Usually:* {_usually(reason)}",
            f"*Ask:* {reason.advise({})}",
            f"*Check by hand:*\n\n{_fenced(reason.confirmation({}))}",
            f"*Proven by:* {proven}\n",
        )
    )


def _fact(evidence: str) -> str:
    names, _, words = evidence.partition(": ")
    fields = ", ".join(f"`{name}`" for name in names.split(", "))
    return f"- {fields}: {words}"


def _fenced(text: str) -> str:
    return "\n\n".join(
        "```sh\n" + "\n".join(line.removeprefix("$ ") for line in block) + "\n```"
        if command
        else " ".join(block)
        for command, block in _blocks(text)
    )
