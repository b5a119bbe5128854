"""XML as PowerShell's ConvertTo-Xml writes it, as plain lists and mappings."""

from __future__ import annotations

from collections import deque
from typing import NoReturn
from xml.parsers import expat

from msgspec import Struct, field

from egressd.errors import UsageError

MOST_DEPTH = 40
MOST_NODES = 200_000


class XmlNode(Struct, kw_only=True):
    """An element: its attribute `Name`, its text and its children."""

    tag: str
    name: str | None
    line: int
    text: str = ""
    children: list[XmlNode] = field(default_factory=list)


def read_xml(text: str) -> XmlNode:
    """Read a document into nodes.

    A document type is refused before anything in it is read, so that there are no entities to expand and no
    other file to fetch.

    Raises UsageError: it is not well-formed, too deep, too large, or has a document type.
    """
    reader = _XmlReader()
    parser = expat.ParserCreate(encoding="utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = lambda tag, attributes: reader.start(
        tag, attributes, parser.CurrentLineNumber
    )
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise UsageError(f"line {error.lineno}: not valid XML: {expat.errors.messages[error.code]}") from None
    if reader.root is None:
        raise UsageError("no element in it")
    return reader.root


def _refuse(*_: object) -> NoReturn:
    raise UsageError("a document type in XML is not allowed")


class _XmlReader:
    def __init__(self) -> None:
        self.root: XmlNode | None = None
        self._open: list[XmlNode] = []
        self._nodes = 0

    def start(self, tag: str, attributes: dict[str, str], line: int) -> None:
        self._nodes += 1
        if len(self._open) >= MOST_DEPTH or self._nodes > MOST_NODES:
            raise UsageError(f"XML deeper than {MOST_DEPTH} levels, or of more than {MOST_NODES} elements")
        node = XmlNode(tag=tag, name=attributes.get("Name"), line=line)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, _: str) -> None:
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text


def targets_in(root: XmlNode) -> list[XmlNode]:
    """Return the targets: what is in a property called Targets, or objects that have an endpoint."""
    waiting, found = deque([root]), []
    while waiting:
        node = waiting.popleft()
        if (node.name or "").lower() == "targets":
            found += node.children
        elif any((one.name or "").lower() in ("endpoint", "endpoints") for one in node.children):
            found.append(node)
        else:
            waiting += node.children
    return found


def value_of(node: XmlNode) -> object:
    """Return a property as a text, a list, or a mapping where its own properties have names."""
    if not node.children:
        return node.text.strip() or None
    if any(one.name for one in node.children):
        return {one.name: value_of(one) for one in node.children if one.name}
    return [value_of(one) for one in node.children]
