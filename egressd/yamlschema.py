"""What schemas of YAML files share: the strict base model, and validation errors as plain messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from egressd.wording import count
from egressd.yamlfile import Document, KeyPath

Value = TypeVar("Value")


_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})")
_LAST_PORT = 65535
WHOLE: Mapping[str, int] = MappingProxyType({})
"""Every list was validated from its first item on."""


class StrictModel(BaseModel):
    """A mapping of a file: unknown keys and wrong types are mistakes, nothing is converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


def matching(pattern: str, message: str) -> AfterValidator:
    """Require a text to match an expression; the message is shown, not the expression."""
    wanted = re.compile(pattern)

    def check(text: str) -> str:
        if not wanted.fullmatch(text):
            raise ValueError(message)
        return text

    return AfterValidator(check)


def parse_ports(given: object) -> object:
    """Read a port, or a range as text, as the first and the last port."""
    found = _RANGE.fullmatch(given) if isinstance(given, str) else None
    if found is not None and 1 <= int(found[1]) < int(found[2]) <= _LAST_PORT:
        return int(found[1]), int(found[2])
    if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= _LAST_PORT:
        return given, None
    shown = f", not {given!r}" if isinstance(given, str | int) and len(str(given)) <= 40 else ""
    raise ValueError(f"must be a port from 1 to {_LAST_PORT}, or a range such as 10124-10139{shown}")


def build(kind: type[Value], part: BaseModel, *, without: Collection[str] = (), **changes: object) -> Value:
    """Build a value from the fields of the same names; a list becomes a tuple without duplicates.

    `without` names fields that the value does not have.
    """
    copied = {
        name: tuple(dict.fromkeys(given)) if isinstance(given, list) else given
        for name, given in vars(part).items()
        if name not in without and name not in changes
    }
    return kind(**copied, **changes)


def problems_of(
    error: ValidationError,
    document: Document,
    *,
    model: type[BaseModel] | None = None,
    begins: Mapping[str, int] = WHOLE,
) -> tuple[str, ...]:
    """Render every validation error as `file:line: key.path: message`.

    With the model that was validated, an unknown key gets a suggestion. Values are shown only if they are
    short message or numbers. `begins` says of a list of which only a part was validated where that began.
    """
    problems: dict[str, None] = {}
    for detail in error.errors(include_url=False):
        path = _known_part(_location(detail, begins), document.data, missing=detail["type"] in _ABSENT)
        message = _unknown(detail, model) if detail["type"] == "extra_forbidden" else _message(detail)
        problems[f"{document.where(path)}: {message}"] = None
    return tuple(problems)


def _location(detail: ErrorDetails, begins: Mapping[str, int]) -> KeyPath:
    """Return the location of an error; of a wrong tag of a union, the key of the tag."""
    match detail["loc"]:
        case (str() as name, int() as index, *below):
            loc: KeyPath = (name, index + begins.get(name, 0), *below)
        case loc:
            pass
    tag = detail.get("ctx", {}).get("discriminator")
    return (*loc, str(tag).strip("'")) if tag else loc


def _known_part(loc: KeyPath, data: object, *, missing: bool) -> KeyPath:
    """Return the part of a location that is in the file: pydantic adds the names of union members."""
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


def _message(detail: ErrorDetails) -> str:
    """Render one error of a value."""
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
        bound, limit, unit = _SIZES[kind]
        return f"must have {bound} {count(context[limit], unit)}"
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
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
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
    """Show the given value, if it is short and simple."""
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
    """Render an unknown key, with a model's own hint or the closest known key."""
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
    """Return whether the model is the member of a union with this tag."""
    kinds = (info.annotation for info in model.model_fields.values())
    return any(get_origin(kind) is Literal and tag in get_args(kind) for kind in kinds)


def _named(model: type[BaseModel], part: str | int) -> list[str]:
    return [name for name, info in model.model_fields.items() if part in (name, info.alias)]


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """Find the models inside an annotation such as `tuple[Row, ...] | None`; with subclasses."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation, *(found for one in annotation.__subclasses__() for found in _models_in(one))]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]
