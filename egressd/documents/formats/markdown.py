"""Markdown as Microsoft's documents are written, as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from egressd.documents.formats.blocks import Block, Fence, Heading, Include, Item, PageTable, TabsEnd

_DELIMITER = re.compile(r"\s*\|?\s*:?-{1,}:?\s*(?:\|\s*:?-{1,}:?\s*)*\|?\s*")
_HEADING = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_TAB = re.compile(r"\[([^\[\]]{1,200})\]\(#tab/([^()\s]{1,200})\)")
_INCLUDE = re.compile(r"\[!INCLUDE\s*\[[^\]]{0,300}\]\(([^()\s]{1,500})[^()]{0,200}\)\]", re.IGNORECASE)
_FENCE = re.compile(r"(\s*)(`{3,}|~{3,})\s*([^`]*)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(.*)")
_PLAIN = frozenset({"", "text", "txt", "plaintext", "output", "console", "none"})
_QUOTE = re.compile(r"^\s{0,3}>\s?")


def read_markdown(text: str) -> Iterator[Block]:
    """Yield the blocks of a page; what is neither heading, table, list, code nor include is left out."""
    lines = _visible(text)
    at = _after_front_matter(lines)
    while at < len(lines):
        line = _QUOTE.sub("", lines[at], count=1)
        if found := _FENCE.fullmatch(line):
            at, block = _fence(lines, at, found[2], found[3])
            yield from block
        elif found := _HEADING.fullmatch(line):
            yield _heading(found)
            at += 1
        elif _is_table(lines, at):
            at, table = _table(lines, at)
            yield table
        elif line.strip() in ("---", "***", "* * *"):
            yield TabsEnd()
            at += 1
        else:
            for include in _INCLUDE.findall(line):
                yield Include(line=at + 1, path=include)
            if (found := _ITEM.fullmatch(line)) and not _INCLUDE.search(line):
                yield Item(line=at + 1, text=found[1])
            at += 1


def looks_like_markdown(text: str) -> bool:
    """Whether a text has a heading, a table, a fence, a link or front matter of Markdown."""
    lines = text.splitlines()[:2000]
    return (
        lines[:1] == ["---"]
        or any(_HEADING.fullmatch(one) and not one.startswith("#!") and "##" in one for one in lines)
        or any(_is_table(lines, at) for at in range(len(lines)))
        or any("](" in one or one.startswith("```") or _ITEM.fullmatch(one) for one in lines)
    )


def _visible(text: str) -> list[str]:
    """Return the lines without HTML comments; a line keeps its number."""
    parts = []
    while True:
        before, opened, rest = text.partition("<!--")
        parts.append(before)
        if not opened:
            break
        hidden, _, text = rest.partition("-->")
        parts.append("\n" * hidden.count("\n"))
    return "".join(parts).split("\n")


def _after_front_matter(lines: list[str]) -> int:
    if not lines or lines[0].strip() != "---":
        return 0
    end = next((at for at, one in enumerate(lines[1:200], 1) if one.strip() == "---"), None)
    return 0 if end is None else end + 1


def _heading(found: re.Match[str]) -> Heading:
    tab = _TAB.search(found[2])
    text = f"{tab[1]} ({tab[2]})" if tab else found[2]
    return Heading(level=len(found[1]), text=text, tab=tab is not None)


def _fence(lines: list[str], at: int, mark: str, language: str) -> tuple[int, list[Fence]]:
    """Read to the end of a fence; only one without a language of its own can be a list."""
    end = at + 1
    while end < len(lines) and not _QUOTE.sub("", lines[end], count=1).strip().startswith(mark):
        end += 1
    inside = tuple((number + 1, lines[number]) for number in range(at + 1, min(end, len(lines))))
    plain = language.strip().lower() in _PLAIN
    return end + 1, [Fence(lines=inside)] if plain else []


def _is_table(lines: list[str], at: int) -> bool:
    if at + 1 >= len(lines) or "|" not in lines[at] or len(lines[at]) > 10_000:
        return False
    below = _QUOTE.sub("", lines[at + 1], count=1)
    return "|" in below and "-" in below and len(below) < 2000 and _DELIMITER.fullmatch(below) is not None


def _table(lines: list[str], at: int) -> tuple[int, PageTable]:
    header = split_row(_QUOTE.sub("", lines[at], count=1))
    end, rows = at + 2, []
    while end < len(lines) and "|" in lines[end]:
        cells = split_row(_QUOTE.sub("", lines[end], count=1))
        rows.append((end + 1, tuple((cells + [""] * len(header))[: len(header)])))
        end += 1
    return end, PageTable(header=tuple(header), rows=tuple(rows))


def split_row(line: str) -> list[str]:
    """Split a line of a table at its pipes; one after a backslash is part of a cell."""
    cells = [one.replace("\\|", "|").strip() for one in re.split(r"(?<!\\)\|", line.strip())]
    if cells and not cells[0]:
        cells = cells[1:]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells
