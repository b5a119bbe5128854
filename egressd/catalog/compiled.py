"""The catalog as one file of JSON, made from the YAML files: reading those takes longer than a whole start.

A compiled catalog names the digest of the files that it was made from, and counts for no others. Only what
differs from a default is written.
"""

from __future__ import annotations

from enum import Enum

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields, force_setattr

from egressd.model.catalog import Catalog
from egressd.model.endpoint import CloudTerms, Endpoint, Provenance

SCHEMA = "egressd.compiled/2"


class _Head(Struct, frozen=True, kw_only=True):
    """What a compiled catalog was made from."""

    schema: str
    digest: str


def compile_catalog(catalog: Catalog) -> str:
    """Return the catalog as JSON, a line for each part of it."""
    parts = {"schema": SCHEMA, **{one.name: _plain(getattr(catalog, one.name)) for one in fields(catalog)}}
    lines = (f"{_json(key)}: {_lines(part)}" for key, part in parts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def read_compiled(text: str, digest: str) -> Catalog | None:
    """Return the catalog of a compiled file; None if it was made from files of another digest."""
    head = msgspec.json.decode(text, type=_Head)
    if (head.schema, head.digest) != (SCHEMA, digest):
        return None
    catalog = msgspec.json.decode(text, type=Catalog)
    _share_documents(catalog)
    return catalog


def _share_documents(catalog: Catalog) -> None:
    """Let rows of the same document have one value of it: there are ten times as many rows as documents."""
    known: dict[Provenance, Provenance] = {}
    for row in catalog.endpoints:
        parts: tuple[Endpoint | CloudTerms, ...] = (row, *row.by_cloud)
        for one in parts:
            if one.provenance is not None:
                force_setattr(one, "provenance", known.setdefault(one.provenance, one.provenance))


def _lines(part: object) -> str:
    return "[\n" + ",\n".join(map(_json, part)) + "\n]" if isinstance(part, list) else _json(part)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _plain(value: object) -> object:
    """Return a value as JSON has it, without defaults."""
    if isinstance(value, Struct):
        pairs = ((one, getattr(value, one.name)) for one in fields(value))
        return {one.name: _plain(given) for one, given in pairs if given != _default(one)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _default(one: FieldInfo) -> object:
    return one.default_factory() if one.default_factory is not NODEFAULT else one.default
