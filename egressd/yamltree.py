"""YAML parser events into plain data, with the line of every key and item.

Law of the room: no recursion and no trust. The stack is our own, so depth is a number we check; an
alias counts as everything it stands for; a scalar is only ever text, a number, a boolean or null.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

Path = tuple[str | int, ...]

MAX_NODES = 100_000
MAX_DEPTH = 40

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30})([eE][-+]?[0-9]{1,3})?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAG = "tag:yaml.org,2002:"


def render_path(path: Path) -> str:
    """Render a key path as `endpoints[3].port`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


class TooMuchError(Exception):
    """The rest of the file is not worth reading."""


@dataclass(slots=True)
class _Frame:
    """A list or mapping that is still open."""

    value: list[object] | dict[str, object]
    path: Path
    anchor: str | None
    nodes_before: int
    key: str | None = None
    expects_value: bool = False
    keys: dict[str, int] = field(default_factory=dict)
    """Line of every key, so that a duplicate can name the first one."""


class TreeBuilder:
    """Build plain data from events with a stack of our own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: object = None
        self.lines: dict[Path, int] = {}
        self.problems: list[str] = []
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[object, int]] = {}
        self._documents = 0
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Add the next event; raises TooMuchError where going on is pointless."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._document(event)
            case _:
                pass

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise TooMuchError(f"{self.name}:{_line(event)}: only one document is allowed in a file")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event, 1)
        if self._wants_key():
            self._take_key(event.value, event)
            return
        value = self._resolve(event)
        self._remember(event.anchor, value, 1)
        self._place(value, _line(event))

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        self._count(event, 1)
        if self._wants_key():
            raise TooMuchError(f"{self._at(event)}: a key must be plain text")
        if len(self._stack) >= MAX_DEPTH:
            raise TooMuchError(f"{self.name}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")
        kind = "map" if isinstance(event, yaml.MappingStartEvent) else "seq"
        if event.tag not in (None, "!", _TAG + kind):
            self._problem(event, f"the tag {_tag(event.tag)} is not allowed")
        value: list[object] | dict[str, object] = {} if kind == "map" else []
        path = self._place(value, _line(event))
        self._stack.append(_Frame(value=value, path=path, anchor=event.anchor, nodes_before=self._nodes))

    def _close(self) -> None:
        frame = self._stack.pop()
        self._remember(frame.anchor, frame.value, self._nodes - frame.nodes_before + 1)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if self._wants_key():
            raise TooMuchError(f"{self._at(event)}: a key must be plain text")
        name = str(event.anchor)
        value, nodes = self._anchors.get(name, (None, 0))
        if not nodes:
            self._problem(event, f"*{name} repeats something that is not complete above it")
        self._count(event, nodes)
        self._place(value, _line(event))

    def _remember(self, anchor: str | None, value: object, nodes: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, nodes)

    def _count(self, event: yaml.Event, nodes: int) -> None:
        """Count what an alias stands for too: ten nested aliases can mean a billion values."""
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise TooMuchError(f"{self.name}:{_line(event)}: more than {MAX_NODES} values in one file")

    def _wants_key(self) -> bool:
        frame = self._stack[-1] if self._stack else None
        return frame is not None and isinstance(frame.value, dict) and not frame.expects_value

    def _take_key(self, key: str, event: yaml.Event) -> None:
        frame = self._stack[-1]
        frame.expects_value = True
        frame.key = key
        if key in frame.keys:
            self._problem(event, f"given twice, first on line {frame.keys[key]}")
            frame.key = None
            return
        self.lines[(*frame.path, key)] = frame.keys[key] = _line(event)
        if key == "<<":
            self._problem(event, "merge keys (<<) are not supported; write the keys out")
        if not key:
            self._problem(event, "a key is empty")

    def _place(self, value: object, line: int) -> Path:
        """Put a value where it belongs and return its path."""
        if not self._stack:
            self.root = value
            return ()
        frame = self._stack[-1]
        if isinstance(frame.value, list):
            path = (*frame.path, len(frame.value))
            frame.value.append(value)
            self.lines[path] = line
            return path
        frame.expects_value = False
        if frame.key is None:  # a duplicate, reported already: its value is read only for its own mistakes
            return frame.path
        frame.value[frame.key] = value
        return (*frame.path, frame.key)

    def _resolve(self, event: yaml.ScalarEvent) -> object:
        tag, text = event.tag, event.value
        if tag is None and event.implicit[0]:
            return _plain(text)
        if tag in (None, "!", _TAG + "str"):
            return str(text)
        kind = _KINDS.get(tag)
        if kind is None:
            self._problem(event, f"the tag {_tag(tag)} is not allowed")
            return None
        value = _plain(text)
        if type(value) is not kind:
            self._problem(event, f"{text[:40]!r} is not what its tag {_tag(tag)} says")
        return value

    def _at(self, event: yaml.Event) -> str:
        """Say where an event stands."""
        place = f"{self.name}:{_line(event)}"
        if not self._stack:
            return place
        frame = self._stack[-1]
        inside = isinstance(frame.value, dict) and frame.key is not None
        path = render_path((*frame.path, frame.key) if inside and frame.key else frame.path)
        return f"{place}: {path}" if path else place

    def _problem(self, event: yaml.Event, words: str) -> None:
        self.problems.append(f"{self._at(event)}: {words}")


_KINDS: Mapping[str, type] = {
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "bool": bool,
    _TAG + "null": type(None),
}


def _plain(text: str) -> str | int | float | bool | None:
    """Say what an unquoted word is."""
    if text in ("true", "false"):
        return text == "true"
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _tag(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
