"""JSON text in pieces, indented for readers: writing a large report takes the memory of one target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

BATCH = 256 * 1024
"""Bytes that are written at once."""
_OPENED = 2
"""Levels that are written member by member: a report, its plan, and the lists in them."""
_INDENT = b"  "
_NOTHING: Mapping[str, Iterable[Struct]] = MappingProxyType({})
_encode = msgspec.json.Encoder().encode


def pretty_pieces(document: Struct, instead: Mapping[str, Iterable[Struct]] = _NOTHING) -> Iterator[bytes]:
    """Yield the text of a document in batches; lists in `instead` are made while they are written."""
    batch: list[bytes] = []
    size = 0
    for piece in _pieces(document, 0, instead):
        batch.append(piece)
        size += len(piece)
        if size >= BATCH:
            yield b"".join(batch)
            batch.clear()
            size = 0
    yield b"".join((*batch, b"\n"))


def _pieces(value: object, depth: int, instead: Mapping[str, Iterable[Struct]] = _NOTHING) -> Iterator[bytes]:
    """Yield one value; what follows its first line is indented to its depth."""
    if isinstance(value, Struct) and depth < _OPENED:
        members = ((name, instead.get(name, getattr(value, name))) for name in value.__struct_fields__)
        named = ((b'"%b": ' % name.encode(), one) for name, one in members)
        yield from _enclosed(b"{", named, b"}", depth)
    elif isinstance(value, tuple | Iterator) and depth <= _OPENED:
        yield from _enclosed(b"[", ((b"", one) for one in value), b"]", depth)
    else:
        text = msgspec.json.format(_encode(value), indent=len(_INDENT))
        yield text.replace(b"\n", b"\n" + _INDENT * depth)  # texts in JSON have no line ends


def _enclosed(
    opening: bytes, members: Iterable[tuple[bytes, object]], closing: bytes, depth: int
) -> Iterator[bytes]:
    line = b"\n" + _INDENT * (depth + 1)
    before = opening
    for label, value in members:
        yield before + line + label
        yield from _pieces(value, depth + 1)
        before = b","
    yield opening + closing if before is opening else b"\n" + _INDENT * depth + closing
