"""A message as plain text, as mail has it."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.notify.content.content import ContentSection, MessageContent


def plain_text(content: MessageContent) -> str:
    """Return a message as lines, each ended by a newline."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: MessageContent) -> Iterator[str]:
    yield content.title
    for section in content.sections:
        yield ""
        yield from _section(section)
    if content.link:
        yield ""
        yield f"Runbook: {content.link}"


def _section(section: ContentSection) -> Iterator[str]:
    if not section.heading:
        yield from section.lines
        return
    yield f"{section.heading}:"
    yield from (f"  {line}" for line in section.lines)
