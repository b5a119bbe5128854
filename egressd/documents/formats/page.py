"""HTML as a browser saves it, as blocks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from msgspec import Struct, field

from egressd.documents.formats.blocks import (
    MOST_BLOCKS,
    NO_TAB,
    Block,
    Fence,
    Heading,
    Item,
    PageTable,
    TabsEnd,
)
from egressd.errors import UsageError

MOST_DEPTH = 400
"""Of elements; deeper ones are read as if they stood beside each other."""
MOST_CELLS = 200_000
_HIDDEN = frozenset(
    {"head", "math", "nav", "noscript", "object", "script", "style", "svg", "template", "textarea"}
)
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_CODE = frozenset({"code", "kbd", "samp", "tt"})
_COMMENT_ENDS = re.compile(r"--!?>")


def read_page(text: str) -> tuple[Block, ...]:
    """Return the blocks of a page: headings, tabs, tables, lists and code without a language.

    Raises UsageError for a page of too many parts.
    """
    reader = _PageReader()
    reader.feed(_without_comments(text))
    reader.close()
    return (*reader.blocks,)


def _without_comments(text: str) -> str:
    """Take comments and declarations out, and what follows the last tag: looking for their end costs most."""
    parts = []
    while (begin := text.find("<!")) >= 0:
        parts.append(text[:begin])
        if text.startswith("<!--", begin):
            end = _COMMENT_ENDS.search(text, begin + 2)
            gone, text = (text[begin : end.end()], text[end.end() :]) if end else (text[begin:], "")
        else:
            end_at = text.find(">", begin)
            gone, text = (text[begin : end_at + 1], text[end_at + 1 :]) if end_at >= 0 else (text[begin:], "")
        parts.append("\n" * gone.count("\n"))
    parts.append(text)
    whole = "".join(parts).replace("<?", "< ")
    return whole[: whole.rfind(">") + 1]


class _OpenTable(Struct, kw_only=True):
    header: list[str] = field(default_factory=list)
    rows: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    line: int = 0
    is_header: bool = True
    """Whether the row that is open has header cells only."""


class _PageReader(HTMLParser):
    """Follow tags without recursion; text goes to whatever was opened last."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._open: list[str] = []
        self._hidden = 0
        """How many elements of the open ones hide what is in them."""
        self._texts: list[tuple[str, int, list[str]]] = []
        """What is being collected: its kind, its line, its parts."""
        self._tables: list[_OpenTable] = []
        self._tabs: list[int] = []
        """The depths of the open tab panels."""
        self._cells = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            if tag in ("br", "hr"):
                self._append("\n")
            return
        if len(self._open) < MOST_DEPTH:
            self._open.append(tag)
            self._hidden += tag in _HIDDEN
        if self._hidden:
            return
        given = {name: value or "" for name, value in attrs}
        if panel := _panel(tag, given):
            self._add(Heading(level=NO_TAB, text=panel, tab=True))
            self._tabs.append(len(self._open))
        self._start(tag, given)

    def _start(self, tag: str, given: dict[str, str]) -> None:
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6", "li", "pre"):
            if tag == "li" and self._texts and self._texts[-1][0] == "li":
                self._finish("li")
            self._collect(tag if tag != "pre" or not _language(given) else "skip")
        elif tag == "table":
            self._tables.append(_OpenTable())
        elif tag == "tr" and self._tables:
            self._end_row()
            self._tables[-1].line = self.getpos()[0]
        elif tag in ("td", "th") and self._tables:
            self._end_cell()
            self._tables[-1].is_header &= tag == "th"
            self._collect(self._cell_kind())
        elif tag in ("sup", "sub"):
            self._collect("skip")
        elif tag in _CODE:
            if tag == "code" and self._texts and self._texts[-1][0] == "pre" and _language(given):
                self._texts[-1] = ("skip", self._texts[-1][1], [])
            self._append(" `")
        elif tag in ("p", "div"):
            self._append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._open:
            if len(self._open) >= MOST_DEPTH and not self._hidden:
                self._end(tag)
            return
        visible = not self._hidden
        while self._open:
            closed = self._open.pop()
            self._hidden -= closed in _HIDDEN
            if self._tabs and len(self._open) < self._tabs[-1]:
                self._tabs.pop()
                self._add(TabsEnd())
            if closed == tag:
                break
        if visible:
            self._end(tag)

    def _end(self, tag: str) -> None:
        if tag in _CODE:
            self._append("` ")
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6", "li", "pre"):
            self._finish(tag)
        elif tag in ("sup", "sub"):
            self._finish("skip")
        elif tag in ("td", "th") and self._tables:
            self._end_cell()
        elif tag == "tr":
            self._end_row()
        elif tag == "table" and self._tables:
            self._end_row()
            table = self._tables.pop()
            width = len(table.header)
            rows = tuple((line, (*cells, *("",) * width)[:width]) for line, cells in table.rows)
            self._add(PageTable(header=tuple(table.header), rows=rows))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._append(data)

    def _append(self, text: str) -> None:
        if self._texts:
            self._texts[-1][2].append(text)

    def _collect(self, kind: str) -> None:
        if len(self._texts) < MOST_DEPTH:
            self._texts.append((kind, self.getpos()[0], []))

    def _finish(self, kind: str) -> None:
        """End the collected text of a kind, and what was left open inside of it."""
        if not any(one == kind or (one == "skip" and kind == "pre") for one, _, _ in self._texts):
            return
        while self._texts:
            name, line, parts = self._texts.pop()
            self._emit(name, line, "".join(parts))
            if name == kind or (name == "skip" and kind == "pre"):
                return

    def _emit(self, kind: str, line: int, text: str) -> None:
        if kind == "li":
            self._add(Item(line=line, text=" ".join(text.split())))
        elif kind == "pre":
            plain = text.replace("`", "").strip("\n")
            self._add(Fence(lines=tuple((line + at, one) for at, one in enumerate(plain.split("\n")))))
        elif kind.startswith("cell"):
            self._tables[int(kind[4:]) - 1].cells.append(_cell(text))
        elif kind.startswith("h"):
            self._add(Heading(level=int(kind[1]), text=" ".join(text.split())))

    def _end_cell(self) -> None:
        self._finish(self._cell_kind())

    def _cell_kind(self) -> str:
        """Return the kind of a cell of the innermost table, apart from those of the tables around it."""
        return f"cell{len(self._tables)}"

    def _end_row(self) -> None:
        if not self._tables:
            return
        self._end_cell()
        table = self._tables[-1]
        cells, table.cells = tuple(table.cells), []
        self._cells += len(cells)
        if self._cells > MOST_CELLS:
            raise UsageError(f"more than {MOST_CELLS} cells in its tables")
        if cells and not table.header:
            table.header = list(cells)
        elif cells:
            table.rows.append((table.line, cells))
        table.is_header = True

    def _add(self, block: Block) -> None:
        if len(self.blocks) >= MOST_BLOCKS:
            raise UsageError(f"more than {MOST_BLOCKS} headings, lists and tables")
        self.blocks.append(block)


def _cell(text: str) -> str:
    """Write a cell's text in the markup of Markdown: `<region>` in it is text, not a tag."""
    lines = (" ".join(one.split()) for one in text.replace("&", "&amp;").split("\n"))
    return "<br>".join(one for one in lines if one)


def _panel(tag: str, given: dict[str, str]) -> str | None:
    """Return the name of the tab that an element holds the content of."""
    if given.get("role") != "tabpanel" and not (tag == "section" and "data-tab" in given):
        return None
    return given.get("data-tab") or given.get("id") or "tab"


def _language(given: dict[str, str]) -> bool:
    """Whether code is marked as that of a language."""
    words = " ".join((given.get("class", ""), given.get("data-interactive", ""))).lower()
    found = re.search(r"lang(?:uage)?-(\w+)", words)
    return found is not None and found[1] not in {"text", "output", "plaintext", "console", "none"}
