"""Read a document, whatever its format: its content shows what it is, or its name where that is open."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from egressd.documents.cells import RowSource
from egressd.documents.columns import cloud_of
from egressd.documents.formats.blocks import Include, PageRows
from egressd.documents.formats.checker import target_rows
from egressd.documents.formats.delimited import looks_delimited, read_csv
from egressd.documents.formats.manifest import read_xml, targets_in, value_of
from egressd.documents.formats.markdown import looks_like_markdown, read_markdown
from egressd.documents.formats.page import read_page
from egressd.documents.formats.plain import looks_like_hosts, read_host_list
from egressd.documents.formats.structured import read_structured
from egressd.documents.listed import MOST_ROWS, ListedRow, Listing
from egressd.errors import EgressdError, UsageError
from egressd.model.endpoint import Cloud

MOST_BYTES = 4_000_000
MOST_INCLUDES = 200
DEEPEST_INCLUDE = 8

Opener = Callable[[str, str], "tuple[str, str] | None"]
"""Find an included file, by the page that asks for it and the path that it writes: its name and text."""
_MARKED = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_EXPORTED = re.compile(r"^Profiles: ([^;\n]*); cloud (\w+), region ([\w ]+); catalog of ", re.MULTILINE)


def decode_document(data: bytes) -> str:
    """Return the text of a file: UTF-8, or UTF-16 as PowerShell writes it.

    Raises UsageError: it is neither, or more than can be read.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(f"more than {MOST_BYTES} bytes")
    if data.startswith(b"PK\x03\x04"):
        raise UsageError("it is a workbook or an archive: save the sheet as CSV")
    encoding = next((name for mark, name in _MARKED if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"line {line}: not UTF-8 text") from None
    if "\0" in text:
        raise UsageError("not text: it has null characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_document(text: str, name: str, opener: Opener | None = None) -> Listing:
    """Read a document. Without `opener`, what it includes is not read, which a note says.

    Raises:
        ConfigError: it is not valid in its format.
        UsageError: it holds no list, or too much.
    """
    try:
        listing = _read(text, name, opener)
    except UsageError as error:
        raise UsageError(f"cannot read {name}: {error}") from None
    if len(listing.rows) > MOST_ROWS:
        raise UsageError(f"cannot read {name}: more than {MOST_ROWS} rows")
    return listing


def format_of(text: str, name: str) -> str:
    """Return what a document is: xml, html, markdown, json, yaml, csv or hosts."""
    start = text.lstrip("\ufeff \n\t")[:4000]
    suffix = Path(name).suffix.lower()
    page = re.search(r"<(?:!doctype html|html|body|table)\b", start, re.IGNORECASE) is not None
    known = _SUFFIXES.get(suffix)
    if known in ("markdown", "csv", "yaml"):
        return known
    if known == "html" or (page and known is None):
        return "html"
    if known == "xml" or re.match(r"<\?xml|<Objects?\b", start):
        return "xml"
    if known == "json" or start[:1] in ("{", "["):
        return "json"
    if looks_delimited(start) and not looks_like_markdown(text):
        return "csv"
    if looks_like_hosts(text):
        return "hosts"
    return "yaml" if re.match(r"(?:endpoints|schema|profiles|rules):", start) else "markdown"


_SUFFIXES = {
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".html", ".htm"), "html"),
    **dict.fromkeys((".yaml", ".yml"), "yaml"),
    **dict.fromkeys((".csv", ".tsv"), "csv"),
    ".json": "json",
    ".xml": "xml",
}


def _read(text: str, name: str, opener: Opener | None) -> Listing:
    if not text.strip("\ufeff \n\t"):
        raise UsageError("it is empty")
    match format_of(text, name):
        case "xml":
            return _manifest(text, name)
        case "html":
            return _page(text, name)
        case "csv":
            return read_csv(text, name)
        case "hosts":
            return read_host_list(text, name)
        case "json" | "yaml" as found:
            return read_structured(text, name, is_json=found == "json")
        case _:
            return _markdown(text, name, opener)


def _manifest(text: str, name: str) -> Listing:
    rows: list[ListedRow] = []
    notes = []
    targets = targets_in(read_xml(text.lstrip("\ufeff \n\t")))
    if not targets:
        raise UsageError("it is XML without a property called Targets")
    for number, node in enumerate(targets, 1):
        value = value_of(node)
        if not isinstance(value, dict):
            raise UsageError(f"line {node.line}: a target must have named properties")
        found, why = target_rows(value, RowSource(origin=name, number=number), node.line)
        rows += found
        notes += [f"{name}:{node.line}: {why}"] if why else []
    return Listing(
        name=name, format="a manifest of the Environment Checker", rows=tuple(rows), notes=tuple(notes)
    )


def _page(text: str, name: str) -> Listing:
    page = PageRows()
    for block in read_page(text):
        page.add(block, name)
    page.end_of_list()
    return Listing(name=name, format="a page", rows=tuple(page.rows), unused=tuple(page.unused))


def _markdown(text: str, name: str, opener: Opener | None) -> Listing:
    reader = _MarkdownReader(opener)
    reader.read(text, name, depth=0)
    reader.page.end_of_list()
    exported = _EXPORTED.search(text[:5000])
    profiles = exported[1].split(", ") if exported and exported[1] != "none" else []
    return Listing(
        name=name,
        format="an export of egressd" if exported else "Markdown",
        rows=tuple(reader.page.rows),
        notes=tuple(reader.notes),
        unused=tuple(reader.page.unused),
        cloud=next((one for one in Cloud if one.value == exported[2]), None)
        if exported
        else cloud_of(Path(name).name),
        region=exported[3] if exported and exported[3] != "not given" else None,
        profiles=tuple(profiles),
        exported=exported is not None,
    )


class _MarkdownReader:
    """Read a page and what it includes, under the headings and tabs of the page."""

    def __init__(self, opener: Opener | None) -> None:
        self.page = PageRows()
        self.notes: list[str] = []
        self._opener = opener
        self._open: list[str] = []
        self._included = 0

    def read(self, text: str, name: str, *, depth: int) -> None:
        self._open.append(name)
        headings = list(self.page.place.headings)
        for block in read_markdown(text):
            if isinstance(block, Include):
                self._include(block, name, depth=depth)
            else:
                self.page.add(block, name)
        self.page.end_of_list()
        if depth:
            self.page.place.headings = headings
        self._open.pop()

    def _include(self, block: Include, name: str, *, depth: int) -> None:
        place = f"{name}:{block.line}: includes {block.path[:200]}"
        if self._opener is None:
            self.notes.append(f"{place}, which is not read: name the folder to have it read")
            return
        self._included += 1
        found = None
        if depth < DEEPEST_INCLUDE and self._included <= MOST_INCLUDES:
            try:
                found = self._opener(name, block.path)
            except EgressdError as error:
                self.notes.append(f"{place}, which can't be read: {error}")
                return
        if found is None:
            self.notes.append(f"{place}, which is not there")
        elif found[0] in self._open:
            self.notes.append(f"{place}, which includes this file again")
        else:
            self.page.end_of_list()
            self.read(found[1], found[0], depth=depth + 1)
