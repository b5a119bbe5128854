"""Changes between two sweeps for a ticket: Markdown, and one self-contained HTML file without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template

from egressd.report.diff.render_diff import TIMELINE, Timeline, diff_heading, diff_lines, timeline_lines
from egressd.report.diff.sweep_diff import SweepDiff
from egressd.report.text import clean
from egressd.report.ticket.markdown import inline

TEMPLATE = Path(__file__).with_name("diff.html")


def render_diff_markdown(changes: SweepDiff, *, timeline: Timeline = ()) -> str:
    """Render changes as GitHub-flavoured Markdown."""
    blocks = ["# egressd: what changed", inline(_sentence(changes))]
    for heading, lines in _sections(changes, timeline):
        blocks += [f"## {heading.capitalize()}", "\n".join(f"- {inline(line)}" for line in lines)]
    return "\n\n".join(blocks) + "\n"


def render_diff_html(changes: SweepDiff, *, timeline: Timeline = ()) -> str:
    """Render changes as HTML; all text is escaped and free of control characters."""
    sections = [
        (heading.capitalize(), [clean(line) for line in lines])
        for heading, lines in _sections(changes, timeline)
    ]
    return _template().render(sentence=clean(_sentence(changes)), sections=sections) + "\n"


def _sentence(changes: SweepDiff) -> str:
    text = diff_heading(changes)
    return f"{text[:1].upper()}{text[1:]}."


def _sections(changes: SweepDiff, timeline: Timeline) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from diff_lines(changes)
    if timeline:
        yield TIMELINE, tuple(timeline_lines(timeline))


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
