"""Strict YAML: plain data with line numbers, or every mistake at once.

Law of the room: text in, values out; nothing is opened, and no tag ever builds an object. What a
reader of YAML 1.1 trips over stays text: only `true` and `false` are booleans, dates and `12:30` are
strings, so are `1e3` (a commit may look like it), `0x10`, `0443` and `1_000`. Size, depth and
aliases are bounded, so a hostile file ends in a `ConfigError` within bounded time.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args, get_origin

import yaml

from egressd.errors import ConfigError
from egressd.yamltree import Path, TooMuchError, TreeBuilder, render_path

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

MAX_CHARACTERS = 1_000_000

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The data of one file: None, bool, int, float, str, list, and dict with string keys."""

    data: object
    name: str
    lines: Mapping[Path, int]
    """The line of every key and list item; of what an alias repeats, only the alias itself."""
    problems: tuple[str, ...] = ()
    """Mistakes that let the rest be read: a key given twice (the first counts), a foreign tag, ..."""

    def line(self, path: Path) -> int:
        """Return the line of the nearest known ancestor; 1 for the whole document."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: Path) -> str:
        """Render as `egressd.yml:12: probe.deadline`; the whole document as `egressd.yml:1`."""
        place = f"{self.name}:{self.line(path)}"
        return f"{place}: {render_path(path)}" if path else place


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
    builder = TreeBuilder(name)
    try:
        for event in _events(text.removeprefix("\ufeff")):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise ConfigError((*builder.problems, _syntax(name, text, error))) from None
    except (yaml.YAMLError, UnicodeError) as error:
        words = f"{name}: cannot be read as YAML: {_flat(str(error))}"
        raise ConfigError((*builder.problems, words)) from None
    except TooMuchError as error:
        raise ConfigError((*builder.problems, str(error))) from None
    return Document(data=builder.root, name=name, lines=builder.lines, problems=tuple(builder.problems))


def _events(text: str) -> Iterator[yaml.Event]:
    """Yield parser events; unlike composing, this never recurses, in C or in Python."""
    loader = _LOADER(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    finally:
        loader.dispose()


def _syntax(name: str, text: str, error: yaml.MarkedYAMLError) -> str:
    """Say where reading stopped, and where what it was reading began."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"{name}: not valid YAML: {_flat(str(error.problem or error.context))}"
    lines = text.splitlines() or [""]
    at = min(mark.line, len(lines) - 1)
    began = error.context_mark
    since = f" (from line {began.line + 1})" if error.context and began and began.line != at else ""
    words = _flat(f"{error.context or ''}{since} {error.problem or ''}")
    hint = "; indent with spaces, not tabs" if re.match(r" *\t", lines[at]) else ""
    return f"{name}:{at + 1}: not valid YAML: {words}{hint}"


def _flat(text: str) -> str:
    return " ".join(text.split())[:200]


def problems_of(
    error: ValidationError, document: Document, *, model: type[BaseModel] | None = None
) -> tuple[str, ...]:
    """Put every complaint of pydantic in plain words, as `file:line: key.path: message`.

    With the model that was validated, an unknown key gets a suggestion. No value is shown but short
    words and numbers that were meant as something else.
    """
    problems: dict[str, None] = {}
    for detail in error.errors(include_url=False):
        path = _known_part(_place(detail), document.data, missing=detail["type"] in _ABSENT)
        words = _unknown(detail, model) if detail["type"] == "extra_forbidden" else _wording(detail)
        problems[f"{document.where(path)}: {words}"] = None
    return tuple(problems)


def _place(detail: ErrorDetails) -> Path:
    """Return where a complaint belongs: one about a union's tag, to the key of the tag."""
    tag = detail.get("ctx", {}).get("discriminator")
    return (*detail["loc"], str(tag).strip("'")) if tag else detail["loc"]


def _known_part(loc: Path, data: object, *, missing: bool) -> Path:
    """Keep of a location what stands in the file: pydantic adds the names of union members."""
    path: list[str | int] = []
    for part in loc:
        if _holds(data, part):
            data = data[part]  # type: ignore[index]  # _holds looked
            path.append(part)
    return (*path, loc[-1]) if missing else tuple(path)


def _holds(data: object, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _wording(detail: ErrorDetails) -> str:
    """Say what is wrong with one value."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _ABSENT:
        return "is missing"
    if kind == "union_tag_invalid":
        given, context = context["tag"], {"expected": context["expected_tags"]}
    if kind in ("enum", "literal_error", "union_tag_invalid"):
        return f"must be {context['expected']}{_not(given)}{_nearest(given, _quoted(context['expected']))}"
    if kind in _BOUNDS:
        return f"must be {_BOUNDS[kind]} {next(iter(context.values()))}{_not(given)}"
    if kind in _SIZES:
        return f"must {_SIZES[kind]} {context.get('min_length', context.get('max_length'))}"
    if kind in _KINDS:
        return f"must be {_KINDS[kind]}{_not(given)}"
    return str(context["error"]) if kind == "value_error" else detail["msg"][:1].lower() + detail["msg"][1:]


_ABSENT = ("missing", "union_tag_not_found")
_BOUNDS = {
    "greater_than": "greater than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
_SIZES = {
    "string_too_short": "have a length of at least",
    "string_too_long": "have a length of at most",
    "too_short": "have a number of items of at least",
    "too_long": "have a number of items of at most",
}
_KINDS = {
    "string_type": "text (quote it if it looks like a number)",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping of keys to values"),
}


def _not(given: object) -> str:
    """Show what was given, where that is short and simple."""
    if isinstance(given, dict | list):
        return f", not a {'mapping' if isinstance(given, dict) else 'list'}"
    if given is None:
        return ", not empty"
    shown = str(given).lower() if isinstance(given, bool) else repr(given)
    return f", not {shown}" if len(shown) <= 40 else ""


def _quoted(expected: object) -> list[str]:
    return re.findall(r"'([^']*)'", str(expected))


def _nearest(given: object, known: Iterable[str]) -> str:
    """Suggest the closest known word, if one is close."""
    near = difflib.get_close_matches(str(given), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _unknown(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    """Say that a key is unknown, and what was probably meant; a model's `hints` know better."""
    models = [model] if model else []
    for part in detail["loc"][:-1]:
        named = [one.model_fields[name] for one in models for name in _named(one, part)]
        inside = [inner for known in named for inner in _models_in(known.annotation)]
        models = inside or [one for one in models if _is_tagged(one, part)] or models
    key = detail["loc"][-1]
    hints: list[Mapping[str, str]] = [getattr(one, "hints", {}) for one in models]
    if hint := next((one[str(key)] for one in hints if key in one), ""):
        return hint
    known = [info.alias or name for one in models for name, info in one.model_fields.items()]
    return "unknown key" + _nearest(key, known)


def _is_tagged(model: type[BaseModel], tag: str | int) -> bool:
    """Say whether this is the member of a union that a tag stands for."""
    kinds = (info.annotation for info in model.model_fields.values())
    return any(get_origin(kind) is Literal and tag in get_args(kind) for kind in kinds)


def _named(model: type[BaseModel], part: str | int) -> list[str]:
    return [name for name, info in model.model_fields.items() if part in (name, info.alias)]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Find the models inside an annotation such as `tuple[Row, ...] | None`."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]
