"""Documents of JSON with other values in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.hostile.values import ADDRESSES, BAD_TEXTS, MOMENTS

Place = tuple[str | int, ...]
HINTS = ("direct", "default", "tls", "row/gbl.his.arc.azure.com:443", "confirmed", "2026-W01-1Z")
GONE = object()
JSON_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from((0, 1, -1, 65536, 2**63, -(2**63), 10**30, 1.5, 1e308, -0.0)),
    st.sampled_from(BAD_TEXTS + ADDRESSES),
    st.sampled_from(HINTS),
    MOMENTS,
    st.sampled_from(([], {}, [[]], [{}], {"": None}, {"schema": "egressd.sweep/1"}, ["a"] * 50)),
)


@st.composite
def changed_document(draw: st.DrawFn, document: Any) -> Any:
    """Draw a document of JSON with up to four of its values exchanged, left out, doubled or moved."""
    document = _copy(document)
    for _ in range(draw(st.integers(1, 4))):
        places = list(_places(document))
        where = draw(st.sampled_from(places)) if places else ()
        other = draw(st.sampled_from(places)) if places else ()
        anything = st.just(GONE) | JSON_VALUES | st.just(_at(document, other))
        new = draw(anything if draw(st.integers(0, 4)) == 0 else _like(_at(document, where)))
        document = _exchange(document, where, new if new is GONE else _copy(new))
    return document


def _copy(value: object) -> Any:
    """Return a value in which nothing stands twice: `deepcopy` keeps that."""
    return json.loads(json.dumps(value))


def _like(value: object) -> st.SearchStrategy[Any]:
    """Return a strategy for other values of the same kind."""
    match value:
        case bool():
            return st.just(not value)
        case str():
            return st.sampled_from(BAD_TEXTS + ADDRESSES) | MOMENTS
        case int() | float():
            return st.sampled_from((0, 1, -1, 65536, 2**63, 10**30, type(value)(1), value * 1000, -value))
        case [first, *rest]:
            return st.sampled_from(([], [first], [*rest, first], [first, first, *rest]))
        case _:
            return JSON_VALUES


def _places(value: object, path: Place = ()) -> Iterator[Place]:
    yield path
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _places(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _places(one, (*path, number))


def _at(value: Any, path: Place) -> Any:
    for part in path:
        value = value[part]
    return value


def _exchange(document: Any, path: Place, new: object) -> Any:
    """Put a value at a path, or take away what is there."""
    if not path:
        return {} if new is GONE else new
    inside = _at(document, path[:-1])
    if new is GONE:
        del inside[path[-1]]
    else:
        inside[path[-1]] = new
    return document
