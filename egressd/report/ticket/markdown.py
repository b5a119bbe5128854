"""The report as Markdown, for a ticket: findings with advice and evidence first, then every target.

Text from the network is a code span or a code block wherever it is more than plain words, so that no Markdown
reader makes a link, an image, a mention or markup of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from egressd.model.verdict import Sweep, Verdict
from egressd.report.findings import ReportedFinding
from egressd.report.text import clean
from egressd.report.ticket.page import ConnectionRow, ReportPage, ReportSection, TargetRow, facts_of, page_of

_TARGET_HEADING = ("outcome", "target", "need", "source", "reason", "for")
_CONNECTION_HEADING = (
    "target",
    "outcome",
    "time (UTC)",
    "from",
    "to",
    "SNI",
    "TLS bytes sent / received",
    "source",
    "path",
)
_PLAIN = re.compile(r"[A-Za-z0-9(),;:'\"%+=/.-]*")
"""A word without Markdown markup; links are checked apart."""
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([).,;:]*)")
"""Brackets and punctuation around a word are no part of it."""


def render_markdown(sweep: Sweep) -> str:
    """Render a sweep as GitHub-flavoured Markdown."""
    page = page_of(sweep)
    blocks = [
        f"# egressd: {inline(page.headline)}",
        *(f"> **{inline(one)}**" for one in page.notices),
        "\n".join(
            [f"- {name}: {inline(value)}" for name, value in page.facts] + [f"- result: {page.counts}"]
        ),
        *(block for section in page.sections for block in _section(section)),
        *_list("Changes", page.changes),
        *_profiles(page),
        *_unsampled(page),
        *_list("Notes", page.notes),
        "## All targets",
        _table(_TARGET_HEADING, (_target_cells(one) for one in page.rows)),
    ]
    return "\n\n".join(blocks) + "\n"


def inline(text: str, *, cell: bool = False) -> str:
    """Escape text for use inside a line; `cell` also escapes the bars of a table."""
    words = " ".join(_word(word) for word in clean(text).split(" "))
    # A backslash before a bar would undo the escape.
    return re.sub(r"\\*\|", r"\\|", words) if cell else words


def block(lines: Iterable[str]) -> str:
    """Write lines as a code block with a fence longer than any in them."""
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


def _section(section: ReportSection) -> Iterator[str]:
    yield f"## {section.title}"
    for number, (finding, connections) in enumerate(section.findings, 1):
        yield from _finding(finding, connections, number)


def _finding(finding: ReportedFinding, connections: tuple[ConnectionRow, ...], number: int) -> Iterator[str]:
    yield f"### {number}. {inline(finding.title)}"
    if finding.advice:
        yield f"**Ask for:** {inline(finding.advice)}"
    yield "\n".join(f"- {name}: {inline(value)}" for name, value in facts_of(finding))
    if finding.evidence:
        yield "Evidence:\n\n" + block(finding.evidence)
    if connections:
        yield _table(_CONNECTION_HEADING, (_connection_cells(one) for one in connections))


def _connection_cells(one: ConnectionRow) -> tuple[str, ...]:
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


def _target_cells(one: TargetRow) -> tuple[str, ...]:
    verdict = one.judged.verdict
    return (
        verdict.outcome,
        f"{one.place} {one.target.protocol}",
        one.target.need,
        one.judged.source,
        _reason_cell(verdict),
        one.target.service,
    )


def _reason_cell(verdict: Verdict) -> str:
    facts = (verdict.reason or "", f"in {verdict.phase}" if verdict.phase else "", verdict.blame or "")
    return ", ".join(one for one in facts if one)


def _profiles(page: ReportPage) -> Iterator[str]:
    if page.profiles:
        yield "## Products"
        rows = (
            (
                name,
                *(
                    str(number)
                    for number in (one.targets, one.ok, one.degraded, one.blocked, one.down, one.unknown)
                ),
            )
            for name, one in page.profiles
        )
        yield _table(("profile", "targets", "ok", "degraded", "blocked", "down", "unknown"), rows)


def _unsampled(page: ReportPage) -> Iterator[str]:
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
