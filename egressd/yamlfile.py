"""Strict YAML: plain data with line numbers, or every mistake at once.

No tag ever builds an object. What surprises readers of YAML 1.1 stays text: only `true` and `false` are
booleans; dates, `12:30`, `1e3`, `0x10`, `0443` and `1_000` are strings. Size, depth and aliases are
bounded, so that a hostile file ends in a `ConfigError` within bounded time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from sys import intern

import yaml
from msgspec import Struct

from egressd.errors import ConfigError, UnreadableFileError
from egressd.inputfile import read_file_or_pipe

KeyPath = tuple[str | int, ...]

MAX_CHARACTERS = 8_000_000
"""20,000 endpoints with every key that a row may have."""
MAX_NODES = 1_000_000
"""Values and keys: each takes 150 bytes and 2 µs while a file is read."""
MAX_DEPTH = 40
PIPE = 5.0
"""Seconds in which a pipe must give all of a file."""

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?([0-9]{1,30}\.[0-9]{0,30}|\.[0-9]{1,30})([eE][-+]?[0-9]{1,3})?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAG = "tag:yaml.org,2002:"
_TYPES = {_TAG + "int": int, _TAG + "float": float, _TAG + "bool": bool, _TAG + "null": type(None)}


def render_path(path: KeyPath) -> str:
    """Render a key path as `endpoints[3].port`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(parts).removeprefix(".")


class Document(Struct, frozen=True, kw_only=True):
    """The data of one file: None, bool, int, float, str, list, and dict with string keys."""

    data: object
    name: str
    lines: Mapping[KeyPath, int]
    """The line of every key and list item; of what an alias repeats, only the alias itself."""
    problems: tuple[str, ...] = ()
    """Mistakes that let the rest be read: a key given twice (the first counts), a foreign tag, ..."""

    def line(self, path: KeyPath) -> int:
        """Return the line of the nearest known ancestor; 1 for the whole document."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: KeyPath) -> str:
        """Render as `egressd.yml:12: probe.deadline`; the whole document as `egressd.yml:1`."""
        return _where(self.name, self.line(path), path)


def read_text(path: Path) -> str:
    """Read the text of a YAML file, not much longer than `read_yaml` accepts. Raises ConfigError."""
    try:
        data = read_file_or_pipe(path, limit=4 * MAX_CHARACTERS, complete=PIPE)
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError((f"{path}:{line}: not UTF-8 text",)) from None
    except UnreadableFileError as error:
        raise ConfigError((str(error),)) from None


def read_yaml(text: str, name: str) -> Document:
    """Read one document; an empty text gives None.

    Duplicate keys, foreign tags and the like are the document's `problems`, for the caller to report
    with its own. Raises ConfigError for what ends the reading: nothing after a syntax error can be trusted.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConfigError((f"{name}: cannot read more than {MAX_CHARACTERS} characters of YAML",))
    if directive := re.search(r"^%TAG", text, re.MULTILINE):
        line = text.count("\n", 0, directive.start()) + 1
        raise ConfigError((f"{name}:{line}: %TAG directives are not allowed",))
    reader = _Reader(name, text.removeprefix("\ufeff"))
    try:
        data = reader.read()
    except yaml.MarkedYAMLError as error:
        raise ConfigError((*reader.problems, _syntax(name, text, error))) from None
    except (yaml.YAMLError, UnicodeError) as error:
        message = f"{name}: cannot be read as YAML: {_flat(str(error))}"
        raise ConfigError((*reader.problems, message)) from None
    except _StopReadingError as error:
        raise ConfigError((*reader.problems, str(error))) from None
    return Document(data=data, name=name, lines=_Lines(name, text), problems=tuple(reader.problems))


class _StopReadingError(Exception):
    """A mistake after which the rest of the file is not read."""


class _Reader:
    """Recursive descent over parser events; PyYAML's composer would recurse as deep as the file is nested."""

    def __init__(self, name: str, text: str) -> None:
        self.problems: list[str] = []
        self._name = name
        self._events = _events(text)
        self._anchors: dict[str, tuple[object, int]] = {}
        """What an anchor names, once complete, and the number of values in it."""
        self._values = 0

    def read(self) -> object:
        """Return the data of the only document."""
        data: object = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _StopReadingError(
                        f"{self._name}:{_line(event)}: only one document is allowed in a file"
                    )
                data = self._value(next(self._events), ())
        return data

    def _value(self, event: yaml.Event, path: KeyPath, depth: int = 0) -> object:
        """Read the value that starts with an event."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self._values
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        else:
            value = self._collection(event, path, depth)
        if event.anchor is not None:  # type: ignore[attr-defined]  # scalars and collections have one
            self._anchors[event.anchor] = value, self._values - before  # type: ignore[attr-defined]
        return value

    def _collection(self, event: yaml.Event, path: KeyPath, depth: int) -> list[object] | dict[str, object]:
        if depth >= MAX_DEPTH:
            raise _StopReadingError(f"{self._name}:{_line(event)}: nested deeper than {MAX_DEPTH} levels")
        is_map = isinstance(event, yaml.MappingStartEvent)
        tag = event.tag  # type: ignore[attr-defined]  # collections have one
        if tag not in (None, "!", _TAG + ("map" if is_map else "seq")):
            self._problem(event, path, f"the tag {_shown(tag)} is not allowed")
        return self._mapping(path, depth + 1) if is_map else self._sequence(path, depth + 1)

    def _sequence(self, path: KeyPath, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            place = (*path, len(items))
            self._found(place, _line(event))
            items.append(self._value(event, place, depth))
        return items

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        first: dict[str, int] = {}
        place = path
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _StopReadingError(f"{self._where(event, place)}: a key must be plain text")
            self._count(event, 1)
            key = intern(str(event.value))  # thousands of rows have the same ones
            place = (*path, key) if key else path
            if key in first:
                self._problem(event, place, f"given twice, first on line {first[key]}")
                self._value(next(self._events), place, depth)
                continue
            first[key] = _line(event)
            self._found((*path, key), first[key])
            if key == "<<":
                self._problem(event, place, "merge keys (<<) are not supported; write the keys out")
            if not key:
                self._problem(event, place, "a key is empty")
            found[key] = self._value(next(self._events), (*path, key), depth)
        return found

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> object:
        value, values = self._anchors.get(str(event.anchor), (None, 0))
        if not values:
            self._problem(event, path, f"*{event.anchor} repeats something that is not complete above it")
        self._count(event, values)
        return value

    def _count(self, event: yaml.Event, values: int) -> None:
        """Count what an alias repeats as well: ten nested aliases can stand for a billion values."""
        self._values += values
        if self._values > MAX_NODES:
            raise _StopReadingError(f"{self._name}:{_line(event)}: more than {MAX_NODES} values in one file")

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> object:
        tag, text = event.tag, event.value
        if tag is None and event.implicit[0]:
            return _plain(text)
        if tag in (None, "!", _TAG + "str"):
            return str(text)
        if tag not in _TYPES:
            self._problem(event, path, f"the tag {_shown(tag)} is not allowed")
            return None
        value = _plain(text)
        if type(value) is not _TYPES[tag]:
            self._problem(event, path, f"{text[:40]!r} is not what its tag {_shown(tag)} says")
        return value

    def _found(self, path: KeyPath, line: int) -> None:
        """Take note of where a value stands; here it is not kept."""

    def _where(self, event: yaml.Event, path: KeyPath) -> str:
        return _where(self._name, _line(event), path)

    def _problem(self, event: yaml.Event, path: KeyPath, message: str) -> None:
        self.problems.append(f"{self._where(event, path)}: {message}")


class _LineReader(_Reader):
    """Keeps the line of every key and list item; of one that is given twice, the first."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.lines: dict[KeyPath, int] = {}

    def _found(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)


class _Lines(Mapping[KeyPath, int]):
    """The lines of a text, which is read again when one is asked for: they take as much as the data."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    @cached_property
    def _known(self) -> dict[KeyPath, int]:
        reader = _LineReader(self._name, self._text.removeprefix("\ufeff"))
        reader.read()
        return reader.lines

    def __getitem__(self, path: KeyPath) -> int:
        return self._known[path]

    def __iter__(self) -> Iterator[KeyPath]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield parser events; unlike composing, this never recurses, in C or in Python."""
    loader = _LOADER(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


def _where(name: str, line: int, path: KeyPath) -> str:
    return f"{name}:{line}: {render_path(path)}" if path else f"{name}:{line}"


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _plain(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted scalar."""
    if text in ("true", "false"):
        return text == "true"
    if text in _NULLS:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text


def _shown(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _syntax(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """Describe a syntax error: where parsing failed, and where the construct began."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{name}: not valid YAML: {_flat(str(error.problem or error.context))}"
    lines = text.splitlines() or [""]
    at = min(mark.line, len(lines) - 1)
    began = error.context_mark
    since = f" (from line {began.line + 1})" if error.context and began and began.line != at else ""
    message = _flat(f"{error.context or ''}{since} {error.problem or ''}")
    hint = "; indent with spaces, not tabs" if re.match(r" *\t", lines[at]) else ""
    return f"{name}:{at + 1}: not valid YAML: {message}{hint}"


def _flat(text: str) -> str:
    return " ".join(text.split())[:200]
