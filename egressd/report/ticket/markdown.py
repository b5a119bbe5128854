"""The report as Markdown, for a ticket: findings with rules, log rows and checks first, then the targets.

Text from the network is a code span or a code block wherever it is more than plain words, so that no Markdown
reader makes a link, an image, a mention or markup of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from egressd.model.verdict import Sweep, Verdict
from egressd.report.text import clean
from egressd.report.ticket.connection_row import ConnectionRow
from egressd.report.ticket.entry import TicketEntry
from egressd.report.ticket.page import ReportPage, ReportSection, TargetRow, page_of
from egressd.report.ticket.rule_row import RuleRow, rule_columns
from egressd.report.ticket.scope import WHOLE, TicketScope

_TARGET_HEADING = ("outcome", "target", "need", "source", "reason", "latency", "for")
_CONNECTION_HEADING = (
    "time (UTC)",
    "from",
    "to",
    "SNI",
    "target",
    "outcome",
    "TLS bytes sent / received",
    "latency",
    "source",
    "path",
)
_PLAIN = re.compile(r"[A-Za-z0-9(),;:'\"%+=/.?-]*")
"""A word without Markdown markup; links are checked apart."""
_SPAN = re.compile(r"(?:^|(?<= )|(?<= \())`[^`]+`(?=[).,;:?]*(?: |$))")
"""What is a code span already; no code span that `inline` makes can touch it."""
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_PARTS = re.compile(r"(\(?)(.*?)([).,;:?]*)")
"""Brackets and punctuation around a word are no part of it."""


def render_markdown(sweep: Sweep, scope: TicketScope = WHOLE) -> str:
    """Render a sweep, or one team's ticket of it, as GitHub-flavoured Markdown."""
    return markdown_page(page_of(sweep, scope))


def markdown_page(page: ReportPage) -> str:
    """Render a page."""
    blocks = [
        f"# egressd: {inline(page.headline)}",
        *(f"> [!WARNING]\n> {inline(one)}" for one in page.notices),
        "\n".join(
            [f"- {name}: {inline(value)}" for name, value in page.facts] + [f"- result: {page.counts}"]
        ),
        *_rules("## Rules to add", page.rules),
        *(block for section in page.sections for block in _section(section, rules=page.rules_by_finding)),
        *_list("Changes", page.changes),
        *_profiles(page),
        *_unsampled(page),
        *_list("Notes", page.notes),
        *_targets(page),
    ]
    return "\n\n".join(blocks) + "\n"


def inline(text: str, *, cell: bool = False) -> str:
    """Escape text for use inside a line; `cell` also escapes the bars of a table.

    A word between backticks, with blanks or punctuation around them, is a code span already.
    """
    text = clean(text)
    parts, at = [], 0
    for span in _SPAN.finditer(text):
        parts += [_words(text[at : span.start()]), span.group()]
        at = span.end()
    words = "".join([*parts, _words(text[at:])])
    # A backslash before a bar would undo the escape.
    return re.sub(r"\\*\|", r"\\|", words) if cell else words


def block(lines: Iterable[str], *, indented: bool = False) -> str:
    """Write lines as a code block with a fence longer than any in them; `indented` keeps leading blanks."""
    text = "\n".join(f"{_indent(line) if indented else ''}{clean(line)}" for line in lines)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _indent(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" ")))


def _words(text: str) -> str:
    return " ".join(_word(word) for word in text.split(" "))


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


def _rules(title: str, rules: Sequence[RuleRow]) -> Iterator[str]:
    """Yield a table of rules under a title; nothing where there are none."""
    if not rules:
        return
    yield title
    yield _table(*rule_columns(rules))


def _section(section: ReportSection, *, rules: bool) -> Iterator[str]:
    yield f"## {section.title}"
    for number, one in enumerate(section.entries, 1):
        yield from _finding(one, number, rules=rules)


def _finding(one: TicketEntry, number: int, *, rules: bool) -> Iterator[str]:
    """Yield what its reader needs, in the order of use: ask, rules, log, check, suspects, evidence."""
    finding = one.finding
    yield f"### {number}. {inline(finding.title)}"
    if finding.advice:
        yield f"**Ask for:** {inline(finding.advice)}"
    if rules:
        yield from _rules("#### Rules to add", one.rules)
    if one.connections:
        yield "#### Rows to look for in the log"
        yield _table(_CONNECTION_HEADING, (_connection_cells(row) for row in one.connections))
    if one.by_hand:
        yield f"#### Check by hand: {inline(one.checked)}"
        yield block(one.by_hand, indented=True)
    if one.decides:
        yield "#### What decides"
        yield "\n".join(f"- {inline(line)}" for line in one.decides)
    yield "#### What is known"
    known = (*one.facts, *(("ruled out", line) for line in one.ruled_out))
    yield "\n".join(f"- {name}: {inline(value)}" for name, value in known)
    if finding.evidence:
        yield "Evidence:\n\n" + block(finding.evidence)


def _connection_cells(one: ConnectionRow) -> tuple[str, ...]:
    ends = f"{one.connection.transport} {one.remote}" if one.remote else ""
    return (
        one.connection.time,
        one.local,
        ends,
        one.connection.sni,
        one.place,
        one.outcome,
        one.size,
        one.connection.latency_text,
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
        one.connection.latency_text,
        one.target.service,
    )


def _reason_cell(verdict: Verdict) -> str:
    facts = (verdict.reason or "", f"in {verdict.phase}" if verdict.phase else "", verdict.blame or "")
    return ", ".join(one for one in facts if one)


def _targets(page: ReportPage) -> Iterator[str]:
    if page.rows:
        yield f"## {page.rows_title}"
        yield _table(_TARGET_HEADING, (_target_cells(one) for one in page.rows))
    if page.rows_left_out:
        verb = "is" if page.rows_left_out == 1 else "are"
        yield f"{page.rows_left_out} more {verb} ok; `--all` lists every one."


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
