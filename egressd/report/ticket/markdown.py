"""The report as Markdown, for a ticket: causes, evidence and the ask first, then every target.

Law of the file: text from elsewhere is a code span or a code block wherever it is more than plain words, so
that nothing in it is a link, a picture, a mention or markup, in whatever reads the Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from egressd.model.verdict import Sweep, Verdict
from egressd.report.cause import Cause
from egressd.report.text import clean
from egressd.report.ticket.page import Line, Page, Section, Seen, facts_of, page_of

_PLAIN = re.compile(r"[A-Za-z0-9(),;:'\"%+=/.-]*")
"""A word that no reader of Markdown makes more of, where no link is in it either."""
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([).,;:]*)")
"""What opens and ends a sentence or a bracket is no part of a name."""


def render_markdown(sweep: Sweep) -> str:
    """Render a sweep as GitHub-flavoured Markdown; tables and code are all it needs."""
    page = page_of(sweep)
    blocks = [
        f"# egressd: {inline(page.headline)}",
        "\n".join(
            [f"- {name}: {inline(value)}" for name, value in page.facts] + [f"- result: {page.counts}"]
        ),
        *(block for section in page.sections for block in _section(section)),
        *_list("Changes", page.changes),
        *_unsampled(page),
        *_list("Notes", page.notes),
        "## All targets",
        _table(("outcome", "target", "need", "source", "cause", "for"), (_line(one) for one in page.lines)),
    ]
    return "\n\n".join(blocks) + "\n"


def inline(text: str, *, cell: bool = False) -> str:
    """Write text from elsewhere inside a line; in a cell of a table bars are escaped as well."""
    words = " ".join(_word(word) for word in clean(text).split(" "))
    # A backslash before a bar would undo the escape: reports have no use for either.
    return re.sub(r"\\*\|", r"\\|", words) if cell else words


def block(lines: Iterable[str]) -> str:
    """Write lines from elsewhere as a code block that nothing in them can end."""
    text = "\n".join(clean(line) for line in lines)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word) and not _LINK.search(word):
        return word
    found = _PARTS.fullmatch(word)
    start, body, end = found.groups() if found else ("", word, "")
    fence = "`" * (_longest_run(body) + 1)
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{start}{fence}{pad}{body}{pad}{fence}{end}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.title}"
    for number, (cause, seen) in enumerate(section.causes, 1):
        yield from _cause(cause, seen, number)


def _cause(cause: Cause, seen: tuple[Seen, ...], number: int) -> Iterator[str]:
    yield f"### {number}. {inline(cause.title)}"
    if cause.advice:
        yield f"**Ask:** {inline(cause.advice)}"
    yield "\n".join(f"- {name}: {inline(value)}" for name, value in facts_of(cause))
    if cause.evidence:
        yield "Evidence:\n\n" + block(cause.evidence)
    if seen:
        heading = (
            "target",
            "outcome",
            "time (UTC)",
            "from",
            "to",
            "SNI",
            "TLS bytes out / in",
            "source",
            "path",
        )
        yield _table(heading, (_seen(one) for one in seen))


def _seen(one: Seen) -> tuple[str, ...]:
    ends = f"{one.connection.transport} {one.remote}" if one.remote else ""
    return (
        one.place,
        one.outcome,
        one.connection.time,
        one.local,
        ends,
        one.connection.sni,
        one.size,
        one.source,
        one.path,
    )


def _line(one: Line) -> tuple[str, ...]:
    verdict = one.judged.verdict
    return (
        verdict.outcome,
        f"{one.place} {one.target.protocol}",
        one.target.need,
        one.judged.source,
        _cause_of(verdict),
        one.target.service,
    )


def _cause_of(verdict: Verdict) -> str:
    facts = (verdict.reason or "", f"in {verdict.phase}" if verdict.phase else "", verdict.blame or "")
    return ", ".join(one for one in facts if one)


def _unsampled(page: Page) -> Iterator[str]:
    if page.unsampled:
        yield "## Not probed"
        yield _table(("endpoint", "need", "why"), page.unsampled)


def _list(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if lines:
        yield f"## {title}"
        yield "\n".join(f"- {inline(line)}" for line in lines)


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading)]
    text = [f"| {' | '.join(cells)} |" for cells in lines]
    text += [f"| {' | '.join(inline(cell, cell=True) for cell in row)} |" for row in rows]
    return "\n".join(text)
