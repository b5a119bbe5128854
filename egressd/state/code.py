"""Values to JSON and back. What cannot be read back is a `ValueError`, whatever the text is."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin

from egressd.model import event
from egressd.model.event import Event

T = TypeVar("T")

KINDS: dict[str, type[Event]] = {
    "target": event.TargetChanged,
    "target_removed": event.TargetRemoved,
    "finding_opened": event.FindingOpened,
    "finding_closed": event.FindingClosed,
    "sweep": event.SweepFinished,
    "overrun": event.SweepOverran,
    "reloaded": event.ConfigReloaded,
    "rejected": event.ConfigRejected,
    "started": event.DaemonStarted,
    "stopped": event.DaemonStopped,
    "notice": event.NoticePosted,
}
"""The word for each event, in the database and in JSON."""
NAMES = {kind: name for name, kind in KINDS.items()}


def kind_of(one: Event) -> str:
    """Return the word for an event."""
    return NAMES[type(one)]


def to_text(value: object) -> str:
    """Write a value of dataclasses, tuples and words as JSON."""
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def plain(value: object) -> object:
    """Turn a value into what JSON has; None is left out of mappings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return mapping(value)
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value


def mapping(value: Any) -> dict[str, object]:
    """Turn a dataclass into a mapping of its fields."""
    pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
    return {name: plain(one) for name, one in pairs if one is not None}


def from_text(text: str, kind: type[T]) -> T:
    """Read what `to_text` wrote.

    Raises:
        ValueError: it is no such value.
    """
    try:
        return typing.cast("T", _read(json.loads(text), kind))
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from None


def _read(value: Any, hint: Any) -> Any:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _read_mapping(value, hint)
    origin, inner = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _read(value, next(one for one in inner if one is not type(None)))
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError("a list is due")
        return _read_tuple(value, inner)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(value)
    wanted = (int, float) if hint is float else hint
    if not isinstance(value, wanted):
        raise TypeError(f"{hint} is due")
    return value


def _read_tuple(value: list[Any], inner: tuple[Any, ...]) -> tuple[Any, ...]:
    """Read a row of any length (`tuple[str, ...]`), or one whose places are known (`tuple[str, int]`)."""
    if inner[-1] is Ellipsis:
        return tuple(_read(one, inner[0]) for one in value)
    if len(value) != len(inner):
        raise TypeError(f"{len(inner)} values are due")
    return tuple(_read(one, hint) for one, hint in zip(value, inner, strict=True))


def _read_mapping(value: Any, kind: type[Any]) -> Any:
    """Read known fields; one that a later version added is passed over, None was left out."""
    hints, given = _hints(kind), dict(value)
    read = {name: _read(one, hints[name]) for name, one in given.items() if name in hints}
    absent = {one.name: None for one in dataclasses.fields(kind) if _is_due(one) and one.name not in given}
    if not all(type(None) in get_args(hints[name]) for name in absent):
        raise KeyError(f"{', '.join(absent)} missing")
    return kind(**read, **absent)


def _is_due(one: dataclasses.Field[Any]) -> bool:
    return one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING


_HINTS: dict[str, dict[str, Any]] = {}


def _hints(kind: type[Any]) -> dict[str, Any]:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name not in _HINTS:
        _HINTS[name] = typing.get_type_hints(kind)
    return _HINTS[name]
