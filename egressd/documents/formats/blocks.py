"""A page as blocks, whatever it is written in, and the rows of its tables and lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from egressd.documents.cells import RowSource, hosts_in, rows_of_cells
from egressd.documents.columns import IGNORED, cloud_of, field_of, name_of
from egressd.documents.hosts import read_host, reads_as_host, split_cell, text_of_cell
from egressd.documents.listed import Cells, ListedRow
from egressd.model.endpoint import Cloud

MOST_BLOCKS = 20_000
NO_TAB = 99
"""The level of a tab that ends with its element, not at a heading."""
_LIST_START = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])?\s*(?:`|\*\*|<|\[)*")


class Heading(Struct, frozen=True, kw_only=True):
    """A heading; a `tab` is one that other content stands beside, as for another cloud."""

    level: int
    text: str
    tab: bool = False


class TabsEnd(Struct, frozen=True, kw_only=True):
    """The end of a group of tabs."""


class PageTable(Struct, frozen=True, kw_only=True):
    """A table, its cells in the inline markup of Markdown."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """The line and the cells of each."""


class Item(Struct, frozen=True, kw_only=True):
    """An item of a bullet list."""

    line: int
    text: str


class Fence(Struct, frozen=True, kw_only=True):
    """A block of code without a language: the lines, with their numbers."""

    lines: tuple[tuple[int, str], ...]


class Include(Struct, frozen=True, kw_only=True):
    """Another file whose blocks stand here."""

    line: int
    path: str


Block = Heading | TabsEnd | PageTable | Item | Fence | Include


class PlaceInPage(Struct, kw_only=True):
    """The headings and the tab that a block stands under."""

    headings: list[Heading] = field(default_factory=list)

    def move(self, block: Heading | TabsEnd) -> None:
        """Take note of a heading or of the end of tabs."""
        if isinstance(block, TabsEnd):
            while any(one.tab for one in self.headings):
                self.headings.pop()
            return
        while self.headings and (
            self.headings[-1].level >= block.level or (block.tab and self.headings[-1].tab)
        ):
            self.headings.pop()
        self.headings.append(block)

    @property
    def section(self) -> str | None:
        """The innermost heading, after the tab if there is one."""
        names = [one.text for one in self.headings if one.tab] + [one.text for one in self.headings[-1:]]
        return text_of_cell(", ".join(dict.fromkeys(names)))[:100] or None

    @property
    def cloud(self) -> Cloud | None:
        """The cloud that the innermost heading names; a page's own title is no such heading."""
        clouds = (cloud_of(one.text) for one in reversed(self.headings) if one.tab or one.level > 1)
        return next((one for one in clouds if one is not None), None)


class PageRows(Struct, kw_only=True):
    """Collect the rows of the blocks of one page."""

    rows: list[ListedRow] = field(default_factory=list)
    unused: dict[str, None] = field(default_factory=dict)
    place: PlaceInPage = field(default_factory=PlaceInPage)
    _number: int = 0
    _items: list[tuple[Item, str]] = field(default_factory=list)

    def add(self, block: Block, origin: str) -> None:
        """Read one block; includes are the caller's."""
        match block:
            case Item():
                self._items.append((block, origin))
                return
            case Heading() | TabsEnd():
                self.end_of_list()
                self.place.move(block)
            case PageTable():
                self.end_of_list()
                self._table(block, origin)
            case Fence():
                self._fence(block, origin)
            case Include():
                pass

    def end_of_list(self) -> None:
        """Read the items of one section together: whether it is a list of hosts shows in most of them."""
        items, self._items = self._items, []
        leading = [one for one, _ in items if _begins_with_host(one.text)]
        loose = 2 * len(leading) > len(items)
        for item, origin in items:
            if loose or item in leading:
                words = [one for one in _marked(item.text) if reads_as_host(one)]
                self._hosts(item.line, words, origin, around=item.text)

    def _fence(self, block: Fence, origin: str) -> None:
        lines = [(number, text.strip().strip(",;'\"")) for number, text in block.lines]
        lines = [(number, text) for number, text in lines if text and not text.startswith(("#", "//"))]
        if len(lines) > 1 and all(reads_as_host(text) and " " not in text for _, text in lines):
            for number, text in lines:
                self._hosts(number, [text], origin, around="")

    def _hosts(self, line: int, words: list[str], origin: str, *, around: str) -> None:
        if not words:
            return
        cells = {"host": " ".join(words)}
        cloud = cloud_of(around) or self.place.cloud
        self._add(Cells(line=line, cells=cells, cloud=cloud, section=self.place.section), origin)

    def _add(self, row: Cells, origin: str, *, more: bool = False) -> None:
        self._number += 0 if more else 1
        self.rows.extend(rows_of_cells(row, RowSource(origin=origin, number=self._number)))

    def _table(self, table: PageTable, origin: str) -> None:
        own = {name_of(one) for one in table.header} >= {"tls inspection", "web socket", "for"}
        columns = [field_of(one) for one in table.header]
        columns[:1] = ["host"] if own else columns[:1]
        hosts = [index for index, one in enumerate(columns) if one == "host"]
        hosts = [index for index in hosts if any(_cell_hosts(cells, index) for _, cells in table.rows)] or (
            hosts if "port" in columns else []
        )
        if not hosts:
            return
        for heading, column in zip(table.header, columns, strict=True):
            if column is None and (name := text_of_cell(heading)) and name_of(heading) not in IGNORED:
                self.unused[name] = None
        for line, cells in table.rows:
            named = _own_cells(columns, cells) if own else _named_cells(columns, cells)
            for place, index in enumerate(hosts):
                cloud = cloud_of(table.header[index]) or self.place.cloud
                row = Cells(
                    line=line, cells=named | {"host": cells[index]}, cloud=cloud, section=self.place.section
                )
                if own:
                    row.cells |= _own_side(table.header[0], self.place.headings[-1:])
                self._add(row, origin, more=place > 0)


def _cell_hosts(cells: tuple[str, ...], index: int) -> bool:
    return bool(hosts_in(cells[index]))


def _named_cells(columns: Iterable[str | None], cells: tuple[str, ...]) -> dict[str, str]:
    """Return the cells by field; the first column of two with the same field counts."""
    named: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column not in (None, "host", "id") and cell.strip():
            named.setdefault(str(column), cell)
    return named


def _own_side(first: str, headings: list[Heading]) -> dict[str, str]:
    """Return the roles that the heading names, and the direction that the first column does."""
    found = re.fullmatch(r"(?:From|To): ([a-z, -]+)", headings[0].text) if headings else None
    roles = {"roles": found[1]} if found and found[1] != "every role" else {}
    return roles | {"direction": "inbound" if name_of(first) == "source" else "outbound"}


def _own_cells(columns: Iterable[str | None], cells: tuple[str, ...]) -> dict[str, str]:
    """Return the cells of a table that `catalog export` wrote."""
    named = _named_cells(columns, cells)
    if named.get("purpose", "").startswith("Proxy. Carry everything"):
        named["leg"] = "to-proxy"
    service, stop, purpose = named.pop("purpose", "").partition(". ")
    if "(any depth)" in " ".join(cells):
        named["deep"] = "yes"
    return named | {"service": service.rstrip(".")} | ({"purpose": purpose} if stop and purpose else {})


def _begins_with_host(text: str) -> bool:
    rest = text[_end_of_marks(text) :]
    word = re.split(r"[\s`,;)\]]", rest, maxsplit=1)[0]
    if not reads_as_host(word):
        return False
    marked = rest is not text and "`" in text[: _end_of_marks(text) + 1]
    return marked or "://" in word or len(text.split()) == 1


def _end_of_marks(text: str) -> int:
    found = _LIST_START.match(text)
    return found.end() if found else 0


def _marked(text: str) -> Iterator[str]:
    """Yield the words of an item that stand as code, or the first word if none does."""
    spans = re.findall(r"`([^`]+)`", text)
    for span in spans:
        yield from split_cell(span)
    if not spans:
        yield from (
            one for one in split_cell(text) if read_host(one) is not None and ("://" in one or "." in one)
        )
