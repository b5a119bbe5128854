"""A notice as plain text: what a mail says, and what one would want to read at two in the morning."""

from __future__ import annotations

from collections.abc import Iterator

from egressd.notify.message.words.story import Section, Story


def plain(story: Story) -> str:
    """Return the story as text, lines ended by a newline."""
    return "\n".join(_lines(story)) + "\n"


def _lines(story: Story) -> Iterator[str]:
    yield story.title
    for section in story.sections:
        yield ""
        yield from _section(section)
    if story.link:
        yield ""
        yield f"Runbook: {story.link}"


def _section(section: Section) -> Iterator[str]:
    if not section.heading:
        yield from section.lines
        return
    yield f"{section.heading}:"
    yield from (f"  {line}" for line in section.lines)
