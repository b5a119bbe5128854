"""Values to JSON and back, by pydantic. JSON that is no such value is a `ValueError`.

A field that has another name on disk says so in its metadata: `field(metadata={"alias": "fault"})`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from inspect import get_annotations
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, to_builtins

from egressd.bugs import report_bug
from egressd.errors import Part
from egressd.log import get_logger
from egressd.model import event
from egressd.model.event import Event
from egressd.state.layout import is_text
from egressd.wording import is_stamp

T = TypeVar("T")
log = get_logger(__name__)

EVENT_TYPES: dict[str, type[Event]] = {
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
"""Event types by their `kind` in the database and in JSON."""
_KINDS = {kind: name for name, kind in EVENT_TYPES.items()}


def kind_of(one: Event) -> str:
    """Return the `kind` of an event."""
    return _KINDS[type(one)]


def encode(value: Struct) -> str:
    """Write a value as JSON; fields that are None are left out, and what is no character becomes `?`."""
    return writable(json.dumps(to_dict(value), ensure_ascii=False, separators=(",", ":")))


def writable(text: str) -> str:
    """Return a text that SQLite can write, which a surrogate can't be."""
    return text.encode("utf-8", "replace").decode()


def to_dict(value: Struct) -> dict[str, Any]:
    """Return what `encode` writes as a dict."""
    found: dict[str, Any] = _without_none(to_builtins(value))
    return found


def _without_none(value: object) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(one) for key, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list | tuple) else value


def decode(text: str, kind: type[T]) -> T:
    """Read what `encode` wrote; fields of a later version are ignored.

    Raises:
        ValueError: it is no such value.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from None


def _with_times(value: T) -> T:
    """Return a value whose times can be relied on. Raises ValueError: one is none."""
    bad = next(_bad_times(value), None)
    if bad is not None:
        raise ValueError(f"not a {type(value).__name__}: {bad}: not a UTC time")
    return value


def _bad_times(value: object) -> Iterator[str]:
    """Yield the names of fields that should hold a time and hold something else: readers rely on them."""
    if isinstance(value, tuple):
        for one in value:
            yield from _bad_times(one)
    if not isinstance(value, Struct):
        return
    times = _time_fields(type(value))
    for name in value.__struct_fields__:
        held = getattr(value, name)
        if name not in times:
            yield from _bad_times(held)
        elif not all(map(is_stamp, held if isinstance(held, tuple) else () if held is None else (held,))):
            yield name


@cache
def _time_fields(kind: type[Struct]) -> frozenset[str]:
    """Return the fields of a type that hold a time, or several, by how they are declared."""
    parents = (one for one in kind.__mro__ if one.__module__.startswith("egressd."))
    declared = [pair for one in parents for pair in get_annotations(one).items()]
    return frozenset(name for name, hint in declared if "Timestamp" in str(hint))


def decode_stored(body: object, kind: type[T]) -> T:
    """Decode a column of a file that may be damaged.

    Raises:
        ValueError: it is no text, no such value, or its times are none.
    """
    if not (isinstance(body, str) and is_text(body)):
        raise ValueError(f"not a {kind.__name__}: it is no text")
    return _with_times(decode(body, kind))


def decode_rows(rows: Iterable[tuple[object, object]], kind: type[T]) -> Iterator[tuple[str, T]]:
    """Yield keys with their decoded bodies; a row that can't be decoded is logged and left out."""
    for key, body in rows:
        try:
            if not (isinstance(key, str) and is_text(key)):
                raise ValueError(f"not a {kind.__name__}: its key is no text")
            yield key, decode_stored(body, kind)
        except ValueError as error:
            why = str(error)[:200]
            log.error("a row of the state can't be read and is left out", why=why)  # noqa: TRY400 - it is data
        except Exception as bug:  # noqa: BLE001 - it is reported, and keeps one row out
            report_bug(Part.STATE, bug)
