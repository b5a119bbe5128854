"""Lays content out as text, and splits it into pieces that fit a limit; nothing is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from egressd.notify.content.message import ContentSection, MessageContent

Piece = TypeVar("Piece")

CONTINUED = " (continued)"


def split_section(
    section: ContentSection, limit: int, size: Callable[[str], int]
) -> Iterator[ContentSection]:
    """Yield the section as sections whose text, heading and line breaks included, is `limit` at most.

    `size` measures text in the format's own transport, escaped or encoded; it must grow with the text.
    """
    heading = _cut(section.heading, limit // 4, size)
    room = limit - size(f"{heading}{CONTINUED}:\n")
    lines: list[str] = []
    used = 0
    for line in (piece for whole in section.lines for piece in _broken(whole, room, size)):
        more = size(line) + size("\n")
        if lines and used + more > room:
            yield ContentSection(heading=heading, lines=tuple(lines))
            heading, lines, used = _again(heading), [], 0
        lines.append(line)
        used += more
    yield ContentSection(heading=heading, lines=tuple(lines))


def pack(
    pieces: Sequence[Piece], limit: int, size: Callable[[Piece], int], *, most: int
) -> tuple[tuple[Piece, ...], ...]:
    """Return the pieces in order in as few groups as possible: `limit` in all and `most` pieces each.

    A piece over the limit is alone in its group.
    """
    groups: list[list[Piece]] = [[]]
    used = 0
    for piece in pieces:
        more = size(piece)
        if groups[-1] and (used + more > limit or len(groups[-1]) == most):
            groups.append([])
            used = 0
        groups[-1].append(piece)
        used += more
    return tuple(tuple(group) for group in groups)


def section_text(section: ContentSection) -> str:
    """Return a section as lines of text, its heading first."""
    return "\n".join((*((f"{section.heading}:",) if section.heading else ()), *section.lines))


def part_suffix(number: int, count: int) -> str:
    """Return which part of how many, as the end of a title; empty where there is but one."""
    return f" ({number} of {count})" if count > 1 else ""


def _again(heading: str) -> str:
    return heading if not heading or heading.endswith(CONTINUED) else heading + CONTINUED


def _broken(line: str, room: int, size: Callable[[str], int]) -> Iterator[str]:
    """Yield a line in pieces that fit, broken at spaces where there are any."""
    while size(line) > room:
        head = _cut(line, room, size)
        space = head.rfind(" ", len(head) // 2)
        head = head[:space] if space > 0 else head
        yield head
        line = line[len(head) :].removeprefix(" ")
    yield line


def _cut(text: str, room: int, size: Callable[[str], int]) -> str:
    """Return the longest beginning that fits, a character at least."""
    low, high = 1, len(text)
    if size(text) <= room:
        return text
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= room else (low, middle - 1)
    return text[:low]


def plain_text(content: MessageContent) -> str:
    """Return a message as lines, each ended by a newline."""
    return "\n".join(_text_lines(content)) + "\n"


def _text_lines(content: MessageContent) -> Iterator[str]:
    yield content.title
    for section in content.sections:
        yield ""
        yield from _indented(section)
    if content.link:
        yield ""
        yield f"Runbook: {content.link}"


def _indented(section: ContentSection) -> Iterator[str]:
    if not section.heading:
        yield from section.lines
        return
    yield f"{section.heading}:"
    yield from (f"  {line}" for line in section.lines)
