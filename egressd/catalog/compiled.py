"""The catalog as one file of JSON, made from the YAML files: reading those takes longer than a whole start.

A compiled catalog names the digest of the files that it was made from, and counts for no others. Only what
differs from a default is written; documents, which many rows share, are written once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from egressd.model.catalog import Catalog, DiscoveryCall, Feature, Inclusion, Profile, Region
from egressd.model.endpoint import (
    Cloud,
    CloudTerms,
    Direction,
    Endpoint,
    Expect,
    Forwarding,
    Inspection,
    Need,
    Protocol,
    Provenance,
    Role,
    Samples,
)

SCHEMA = "egressd.compiled/1"

Value = TypeVar("Value")
Raw = dict[str, Any]
Convert = Callable[[Any], object]


def compile_catalog(catalog: Catalog) -> str:
    """Return the catalog as JSON, a line for each part of it."""
    documents = tuple(dict.fromkeys(_documents(catalog.endpoints)))
    numbers = {one: index for index, one in enumerate(documents)}
    parts = {
        "schema": SCHEMA,
        "digest": catalog.digest,
        "revision": catalog.revision,
        **{name: [_plain(one, {}) for one in getattr(catalog, name)] for name in _PARTS},
        "documents": [_plain(one, {}) for one in documents],
        "endpoints": [_plain(one, numbers) for one in catalog.endpoints],
    }
    lines = (f"{json.dumps(key)}: {_lines(part)}" for key, part in parts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_compiled(text: str, digest: str) -> Catalog | None:
    """Return the catalog of a compiled file; None if it was made from files of another digest."""
    raw = json.loads(text)
    if (raw["schema"], raw["digest"]) != (SCHEMA, digest):
        return None
    documents = tuple(Provenance(**one) for one in raw["documents"])
    rows = _converters(documents)
    return Catalog(
        revision=raw["revision"],
        digest=digest,
        endpoints=tuple(_built(Endpoint, one, rows) for one in raw["endpoints"]),
        **{name: tuple(_built(kind, one, way) for one in raw[name]) for name, (kind, way) in _PARTS.items()},
    )


def _documents(endpoints: Iterable[Endpoint]) -> Iterable[Provenance]:
    for row in endpoints:
        for one in (row.provenance, *(terms.provenance for terms in row.by_cloud)):
            if one is not None:
                yield one


def _lines(part: object) -> str:
    if not isinstance(part, list):
        return json.dumps(part)
    rows = (json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in part)
    return "[\n" + ",\n".join(rows) + "\n]"


def _plain(value: object, documents: Mapping[Provenance, int]) -> object:
    """Return a value as JSON has it: without defaults, and documents by their numbers."""
    if isinstance(value, Provenance) and value in documents:
        return documents[value]
    if isinstance(value, Struct):
        pairs = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _plain(given, documents) for one, given in pairs if given != _default(one)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(one, documents) for one in value]
    return value


def _default(one: FieldInfo) -> object:
    return one.default_factory() if one.default_factory is not NODEFAULT else one.default


def _built(kind: type[Value], raw: Raw, converters: Mapping[str, Convert]) -> Value:
    for key in raw.keys() & converters.keys():
        raw[key] = converters[key](raw[key])
    return kind(**raw)


def _each(convert: Convert) -> Convert:
    return lambda items: tuple(map(convert, items))


def _pair(first: Convert, second: Convert) -> Convert:
    return lambda items: tuple((first(one), second(two)) for one, two in items)


_EXPECT: Mapping[str, Convert] = {"status": tuple}
_SAMPLES: Mapping[str, Convert] = dict.fromkeys(("documented", "templated", "templated_in", "derived"), tuple)
_PARTS: Mapping[str, tuple[type[Any], Mapping[str, Convert]]] = {
    "profiles": (
        Profile,
        {
            "includes": tuple,
            "include_conditions": _each(lambda raw: Inclusion(**raw)),
            "regions": _pair(Cloud, tuple),
        },
    ),
    "regions": (Region, {"cloud": Cloud, "values": _pair(str, str)}),
    "discoveries": (DiscoveryCall, {"cloud": Cloud}),
    "features": (Feature, {}),
}
"""The parts of a catalog besides its rows: what they are, and how their values are read."""


def _converters(documents: tuple[Provenance, ...]) -> Mapping[str, Convert]:
    """Return how the values of rows are read, by key."""
    terms: Mapping[str, Convert] = {"cloud": Cloud, "need": Need, "provenance": documents.__getitem__}
    return {
        "protocol": Protocol,
        "roles": _each(Role),
        "need": Need,
        "direction": Direction,
        "gateway": _pair(str, Forwarding),
        "regions": tuple,
        "service_tags": tuple,
        "inspection": Inspection,
        "paths": tuple,
        "expect": lambda raw: _built(Expect, raw, _EXPECT),
        "samples": lambda raw: _built(Samples, raw, _SAMPLES),
        "clouds": _each(Cloud),
        "provenance": documents.__getitem__,
        "by_cloud": _each(lambda raw: _built(CloudTerms, raw, terms)),
    }
