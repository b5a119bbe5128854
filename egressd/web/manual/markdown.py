"""Markdown to HTML as the forge shows it: headings are anchors, and links lead to pages that are served."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec import Struct

_COMMENT = re.compile(r"^<!--.*?-->\n?", re.DOTALL | re.MULTILINE)
_NO_ANCHOR = re.compile(r"[^\w\- ]")

Locate = Callable[[str], str | None]
"""Returns where the target of a link is served; None: nowhere."""


class RenderedMarkdown(Struct, frozen=True, kw_only=True):
    """A document as HTML."""

    title: str
    """The text of its first heading; empty: it has none."""
    anchors: tuple[str, ...]
    """Those of its headings, in order."""
    html: str


def markdown_to_html(text: str, locate: Locate) -> RenderedMarkdown:
    """Render CommonMark with tables; HTML in it is shown as text, but for comments, which are left out."""
    parser = _parser()
    tokens = parser.parse(_COMMENT.sub("", text))
    headings = tuple(_mark_headings(tokens))
    for token in tokens:
        _direct_links(token.children or (), locate)
        if token.type == "th_open":
            token.attrSet("scope", "col")
    return RenderedMarkdown(
        title=headings[0][0] if headings else "",
        anchors=tuple(anchor for _, anchor in headings),
        html=parser.renderer.render(tokens, parser.options, {}),
    )


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _mark_headings(tokens: list[Token]) -> Iterator[tuple[str, str]]:
    """Give each heading its anchor, the second of a name with a number; yield text and anchor."""
    seen: Counter[str] = Counter()
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(one.content for one in inline.children or () if one.type in ("text", "code_inline"))
        anchor = anchor_of(text)
        number, seen[anchor] = seen[anchor], seen[anchor] + 1
        anchor = f"{anchor}-{number}" if number else anchor
        token.attrSet("id", anchor)
        yield text, anchor


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as forges make it."""
    return _NO_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def _direct_links(tokens: Iterable[Token], locate: Locate) -> None:
    for token in tokens:
        if token.type != "link_open":
            continue
        place = locate(str(token.attrGet("href") or ""))
        if place is None:
            del token.attrs["href"]
        else:
            token.attrSet("href", place)
